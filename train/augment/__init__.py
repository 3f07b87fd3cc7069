"""One idea a file: what is drawn comes from a generator of random numbers that is handed in."""
