"""`python -m spotter.page`: the command `spotter page` from a clone."""

import sys

from spotter.startup import leave_quietly_on_interrupt

if __name__ == "__main__":
    leave_quietly_on_interrupt()

    from spotter.cli.page import main

    sys.exit(main())
