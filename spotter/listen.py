"""`python -m spotter.listen`: the command `spotter listen` from a clone."""

import sys

from spotter.cli.listen import main

if __name__ == "__main__":
    sys.exit(main())
