"""Progress of long work, on stderr: a bar at a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def track(work: Iterable[T], *, total: int, what: str) -> Iterator[T]:
    """Yield from `work`, showing how far it is."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track as rich_track

        yield from rich_track(work, description=what, total=total, console=Console(stderr=True))
        return
    said = time.monotonic()
    for at, piece in enumerate(work, 1):
        if at == total or time.monotonic() - said > 20.0:
            said = time.monotonic()
            print(f"{what}: {at} of {total}", file=sys.stderr, flush=True)
        yield piece
