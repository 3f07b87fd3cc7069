"""`python -m spotter.serve`: the command `spotter serve` from a clone."""

import sys

from spotter.startup import leave_quietly_on_interrupt

if __name__ == "__main__":
    leave_quietly_on_interrupt()

    from spotter.cli.serve import main

    sys.exit(main())
