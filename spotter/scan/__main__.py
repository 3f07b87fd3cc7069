"""`python -m spotter.scan`: the command `spotter scan`."""

import sys

from spotter.startup import leave_quietly_on_interrupt

if __name__ == "__main__":
    leave_quietly_on_interrupt()

    from spotter.cli.scan import main

    sys.exit(main())
