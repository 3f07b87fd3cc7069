"""`python -m spotter`: the command `spotter` from a clone."""

import sys

from spotter.cli import main

if __name__ == "__main__":
    sys.exit(main())
