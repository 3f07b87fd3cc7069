"""Events as plain lines or as JSON, each flushed as it happens."""

from __future__ import annotations

import io
import json
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from spotter.events import Detection, Event

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from spotter.explain import Explanation
    from spotter.pipeline import Spotter


def line(event: Event) -> str:
    """Return what a person reads."""
    if isinstance(event, Detection):
        return f"{event.time:.2f} s  {event.keyword}  {event.score:.2f}"
    return f"{event.time:.2f} s  gap of {event.seconds:.2f} s ({event.reason})"


def print_json(values: dict[str, Any]) -> None:
    """Print one object in a line of its own."""
    print(json.dumps(values), flush=True)


class Lines:
    """For a pipe, a file or a program.

    Parameters
    ----------
    as_json : bool
        One object a line.
    live : bool
        Add the time of day; for what happens now.
    """

    tick_s: Final = 0.5  # only so that Ctrl-C is served on Windows

    def __init__(self, *, as_json: bool, live: bool) -> None:
        self._as_json, self._live = as_json, live
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # keywords may be in any script, the locale may not

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def show(self, event: Event) -> None:
        """Print an event."""
        if not self._as_json:
            print(line(event), flush=True)
            return
        self._print_object(event.as_dict())

    def explain(self, explanation: Explanation) -> None:
        """Print why a keyword fired or was held back."""
        if self._as_json:
            self._print_object(explanation.as_dict())
        else:
            print(explanation.text(plain=not takes_blocks(sys.stdout.encoding)), flush=True)

    def tick(self, spotter: Spotter) -> None:
        """Nothing happened."""

    def rest(self) -> None:
        """No event will come any more."""

    def _print_object(self, values: dict[str, Any]) -> None:
        if self._live:
            values["wall"] = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        print_json(values)


def takes_blocks(encoding: str | None) -> bool:
    """Whether bars can be printed in an encoding."""
    try:
        "▁█".encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
