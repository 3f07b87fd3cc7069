"""Events as plain lines or as JSON, each flushed as it happens."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from spotter.cli.common import put, say
from spotter.events import Detection, DeviceBack, DeviceLost, Event, Health, Skipped

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from spotter.explain import Explanation
    from spotter.pipeline import Spotter


def line(event: Event) -> str:
    """Return what a person reads."""
    if isinstance(event, Detection):
        return f"{event.time:.2f} s  {event.keyword}  {event.score:.2f}"
    if isinstance(event, DeviceLost):
        return f"{event.time:.2f} s  device lost: {event.reason}"
    if isinstance(event, DeviceBack):
        return f"{event.time:.2f} s  device back: {event.device}"
    if isinstance(event, Skipped):
        return f"{event.time:.2f} s  too slow: {event.windows} windows skipped ({event.seconds:.2f} s)"
    if isinstance(event, Health):
        return f"{event.time:.2f} s  {event.message}"
    return f"{event.time:.2f} s  gap of {event.seconds:.2f} s ({event.reason})"


def print_json(values: dict[str, Any]) -> None:
    """Print one object in a line of its own."""
    put(json.dumps(values))


class Lines:
    """For a pipe, a file or a program.

    Parameters
    ----------
    as_json : bool
        One object a line.
    time_of_day : callable, optional
        From seconds of stream time to when they were recorded, which is added; for what happens now.
    """

    tick_s: Final = 0.5  # only so that Ctrl-C is served on Windows

    def __init__(self, *, as_json: bool, time_of_day: Callable[[float], datetime] | None = None) -> None:
        self._as_json, self._time_of_day = as_json, time_of_day
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # keywords may be in any script, the locale may not

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def show(self, event: Event) -> None:
        """Print an event; what concerns the sound itself is for people, on stderr, too."""
        if isinstance(event, Health):
            say(f"{event.time:.1f} s: {event.message}")
            if not self._as_json:
                return
        if not self._as_json:
            put(line(event))
            return
        self._print_object(event)

    def explain(self, explanation: Explanation) -> None:
        """Print why a keyword fired or was held back."""
        if self._as_json:
            self._print_object(explanation)
        else:
            put(explanation.text(plain=not takes_blocks(sys.stdout.encoding)))

    def tick(self, spotter: Spotter) -> None:
        """Nothing happened."""

    def rest(self) -> None:
        """No event will come any more."""

    def _print_object(self, event: Event | Explanation) -> None:
        values = event.as_dict()
        if self._time_of_day is not None:
            values["wall"] = self._time_of_day(event.time).isoformat(timespec="milliseconds")
        print_json(values)


def takes_blocks(encoding: str | None) -> bool:
    """Whether bars can be printed in an encoding."""
    try:
        "▁█".encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
