"""`python -m spotter.doctor`: the command `spotter doctor` from a clone."""

import sys

from spotter.startup import leave_quietly_on_interrupt

if __name__ == "__main__":
    leave_quietly_on_interrupt()

    from spotter.cli.doctor import main

    sys.exit(main())
