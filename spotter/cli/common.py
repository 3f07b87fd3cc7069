"""What every command does alike: one line for an error, the exit codes, a quiet end at a broken pipe."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, TextIO

from spotter.cli import unread
from spotter.errors import SpotterError
from spotter.stderr import settled

if TYPE_CHECKING:
    from _typeshed import SupportsWrite


class OutputError(SpotterError):
    """Standard output does not take what is written."""


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the arguments."""

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        """Print help and version; argparse's own hides that it could not."""
        with writing():
            (sys.stderr if file is None else file).write(message)

    def error(self, message: str) -> NoReturn:
        """Print it and leave with 2."""
        say(f"{message}; see `{self.prog} --help`")
        raise SystemExit(2)


def version() -> str:
    """Return what `--version` prints."""
    from spotter import __version__

    return f"spotter {__version__}"


def say(message: str) -> None:
    """Print a message for people, one line with the command's name, to stderr."""
    tell(f"spotter: {' '.join(message.split())}")


def tell(line: str) -> None:
    """Print a line for people to stderr; where that cannot be written, listening goes on."""
    try:
        put(line, sys.stderr)
    except OSError:
        _discard(sys.stderr)


def put(line: str, stream: TextIO | None = None) -> None:
    """Write a line whole, to stdout unless said otherwise.

    Where Python does not buffer, `print` writes the line and its end apart, and what another thread or
    process writes meanwhile falls in between.
    """
    stream = sys.stdout if stream is None else stream
    stream.write(f"{line}\n")
    stream.flush()


def guarded(command: Callable[[], int]) -> int:
    """Run a command; return its exit code, or that of what it raises."""
    _fill_closed_streams()
    code = 0
    try:
        code = _code_of(command)
        with writing():
            sys.stdout.flush()  # or a full disk would show only when the interpreter ends
    except BrokenPipeError:
        _discard(sys.stdout)
    except OutputError as error:
        _discard(sys.stdout)
        say(str(error))
        return code or error.exit_code
    finally:
        unread.end()
    return code


@contextmanager
def writing() -> Iterator[None]:
    """Tell what stdout cannot take from other errors of the system; a broken pipe stays one."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(
            f"the output cannot be written ({error.strerror}); make room, or send it elsewhere"
        ) from error


@contextmanager
def interrupted_by(end: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Have Ctrl-C and SIGTERM call `end` meanwhile; where only another thread could be called, nothing changes.

    One that was ignored stays so: Ctrl-C does not concern what a script has started with `&`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupted(number: int, frame: FrameType | None) -> None:
        unread.begin()
        end(number, frame)

    wanted = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupted) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(code: int) -> NoReturn:
    """End the process although the sound system hangs; the interpreter's own end would wait for it for minutes."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    settled()
    os._exit(code)


def _code_of(command: Callable[[], int]) -> int:
    try:
        return command()
    except OutputError:
        raise
    except SpotterError as error:
        say(str(error))
        return error.exit_code
    except SystemExit as end:  # argparse: 0 after --help, 2 after an error
        return end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        return 0


def _discard(stream: TextIO) -> None:
    """Nobody takes what is written: let the interpreter's last flush go nowhere instead of failing."""
    with suppress(OSError, ValueError):  # no real file
        unread.lead_nowhere(stream.fileno())


def _fill_closed_streams() -> None:
    """Where the command was started with stdout or stderr closed, send what goes there nowhere.

    Left as it is, `print` would take the one for the other, and the next file that is opened would
    get the descriptor that libraries write their messages to.
    """
    if sys.stdout is not None and sys.stderr is not None:
        return
    while (null := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(null)
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123  as long as the process lives
