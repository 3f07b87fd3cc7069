"""`spotter listen --exec`: a command for each detection."""

from __future__ import annotations

import argparse
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from spotter.cli.common import tell

if TYPE_CHECKING:
    from spotter.events import Event
    from spotter.exec_command import Commands
    from spotter.listener import Listener
    from spotter.model import Model

_PLACES: Final = 4
_LIMIT_S: Final = 10.0
_MOST_PLACES: Final = 64
_LONGEST_S: Final = 3_600.0
_SLICE_S: Final = 0.2
_END_S: Final = 1.5  # for commands that run when listening ends


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which options there are."""
    group = parser.add_argument_group("a command for each detection")
    group.add_argument(
        "--exec",
        metavar="COMMAND",
        help="run it; {keyword}, {score}, {time}, {start} and {end} are replaced; no shell sees it",
    )
    group.add_argument(
        "--exec-places", type=int, metavar="N", help=f"so many at a time, others are left out (default: {_PLACES})"
    )
    group.add_argument(
        "--exec-limit", type=float, metavar="S", help=f"kill it after so many seconds (default: {_LIMIT_S:g})"
    )


def outlet(options: argparse.Namespace, model: Model) -> Exec | None:  # noqa: ARG001  as every kind takes it
    """Return what the options ask for, if anything."""
    from spotter.errors import BadInputError

    for name, value, most in (
        ("--exec-places", options.exec_places, _MOST_PLACES),
        ("--exec-limit", options.exec_limit, _LONGEST_S),
    ):
        if value is not None and options.exec is None:
            raise BadInputError(f"{name} is for --exec; leave it out, or give both")
        if value is not None and not 0 < value <= most:
            raise BadInputError(f"{name} {value:g} cannot be; give more than 0, {most:g} at most")
    if options.exec is None:
        return None
    from spotter.exec_command import Commands, split

    commands = Commands(
        split(options.exec),
        places=options.exec_places or _PLACES,
        limit_s=options.exec_limit or _LIMIT_S,
    )
    return Exec(commands, options.exec_limit or _LIMIT_S)


class Exec:
    """Hands detections to commands: in a live stream there is a place or not, in a recording there will be one."""

    def __init__(self, commands: Commands, limit_s: float) -> None:
        self._commands, self._limit_s = commands, limit_s
        self._listener: Listener | None = None
        self._interrupted = False

    def begin(self, listener: Listener) -> None:
        """Know who listens."""
        self._listener = listener

    def hear(self, event: Event) -> None:
        """Run the command for a detection; only in a recording is a place waited for."""
        from spotter.events import Detection

        if not isinstance(event, Detection):
            return
        deadline = time.monotonic() + self._limit_s
        try:
            while not self._commands.start(event, _SLICE_S if self._can_wait else 0.0):
                if not self._can_wait or time.monotonic() > deadline:
                    self._commands.drop(event)
                    return
        except KeyboardInterrupt:
            self._interrupted = True
            raise

    def end(self) -> None:
        """Kill what does not end soon, or at Ctrl-C; say what became of the commands."""
        with suppress(KeyboardInterrupt):
            self._commands.end(self._limit_s if self._can_wait else _END_S)
        tell(str(self._commands.counts))

    @property
    def _can_wait(self) -> bool:
        """Whether a recording is heard, and to its end."""
        listener = self._listener
        if listener is None or self._interrupted or listener.cut_short:
            return False
        return getattr(listener.source, "frames", None) is not None
