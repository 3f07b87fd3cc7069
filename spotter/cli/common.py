"""What every command does alike: one line for an error, the exit codes, a quiet end at a broken pipe."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from spotter.errors import SpotterError


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the arguments."""

    def error(self, message: str) -> NoReturn:
        """Print it and leave with 2."""
        say(f"{message}; see `{self.prog} --help`")
        raise SystemExit(2)


def version() -> str:
    """Return what `--version` prints."""
    from spotter import __version__

    return f"spotter {__version__}"


def say(message: str) -> None:
    """Print a message for people, one line, to stderr."""
    print(f"spotter: {' '.join(message.split())}", file=sys.stderr, flush=True)


def guarded(command: Callable[[], int]) -> int:
    """Run a command; return its exit code, or that of what it raises."""
    try:
        return command()
    except SpotterError as error:
        say(str(error))
        return error.exit_code
    except SystemExit as end:  # argparse: 0 after --help, 2 after an error
        return end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        _discard_stdout()
        return 0


def _discard_stdout() -> None:
    """Whoever read stdout has gone: let the interpreter's last flush go nowhere instead of failing."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    except (OSError, ValueError):  # no real file
        pass
