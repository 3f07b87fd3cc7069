"""The command `spotter`, and `python -m spotter` from a clone."""

import sys

from spotter.startup import leave_quietly_on_interrupt


def main() -> int:
    """Run the command; return the exit code."""
    leave_quietly_on_interrupt()

    from spotter.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
