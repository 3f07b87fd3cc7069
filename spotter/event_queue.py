"""Events on their way from the thread that hears them to the loops that fetch them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Final

from spotter.events import Event

_log = logging.getLogger(__name__)

_MOST_WAITING: Final = 10_000  # events kept for a loop that does not fetch them
_LOOP_COMES_S: Final = 1.0  # how long a recording waits, once, for a loop that fetches its events
_POLL_S: Final = 0.01
_SLICE_S: Final = 0.2  # how long a wait lasts before Ctrl-C is served on Windows


class EventQueue:
    """Holds a limited number of events for any number of loops, each of which gets a part of them.

    Parameters
    ----------
    can_wait : bool
        The one who puts events in waits for loops that are late; a microphone does not.
    stopping
        Whether it is to stop; then the little that is left is kept.

    Attributes
    ----------
    dropped : int
        That no loop fetched in time.
    """

    def __init__(self, *, can_wait: bool, stopping: Callable[[], bool]) -> None:
        self.dropped = 0
        self._can_wait, self._stopping = can_wait, stopping
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._loops = 0  # that fetch events now
        self._bells: tuple[Callable[[], None], ...] = ()
        self._lock = threading.Lock()  # loops of several threads may begin and end at once
        self._patience_s = _LOOP_COMES_S if can_wait else 0.0
        self._drops_said = False

    def put(self, event: Event) -> None:
        """Add one; waits for room, or makes it by dropping the oldest where waiting would never end."""
        while self._events.qsize() >= _MOST_WAITING and not self._stopping():
            if not self._can_wait or (not self._loops and self._patience_s <= 0.0):
                self._events.get()
                self.dropped += 1
                break
            if not self._loops:
                self._patience_s -= _POLL_S
            time.sleep(_POLL_S)
        self._events.put(event)
        self._ring()

    def close(self) -> None:
        """Say to every loop that no more will come."""
        self._events.put(None)
        self._ring()

    @contextmanager
    def fetching(self, bell: Callable[[], None] | None = None) -> Iterator[None]:
        """Count as a loop that fetches events meanwhile; `bell` is called, from other threads, when there is one."""
        with self._lock:
            self._loops += 1
            if bell is not None:
                self._bells += (bell,)
        try:
            yield
        finally:
            with self._lock:
                self._loops -= 1
                self._bells = tuple(other for other in self._bells if other is not bell)

    def fetch(self, wait_s: float) -> Event | None:
        """Return the next event, None at the end; `Empty` where there is none within so many seconds."""
        self._say_drops()
        event = self._events.get(timeout=wait_s) if wait_s else self._events.get_nowait()
        if event is None:
            self.close()  # for whoever else fetches
        return event

    def iterate(self, tick_s: float | None) -> Iterator[Event | None]:
        """Yield events until the end; None after every `tick_s` without one."""
        with self.fetching():
            while True:
                try:
                    event = self.fetch(tick_s or _SLICE_S)
                except Empty:
                    if tick_s:
                        yield None
                    continue
                if event is None:
                    return
                yield event

    def _ring(self) -> None:
        for bell in self._bells:
            bell()

    def _say_drops(self) -> None:
        """Say it to whom it concerns, a loop: callbacks have a queue of their own."""
        if self.dropped and not self._drops_said:
            self._drops_said = True
            _log.warning(
                "%d events or more were not fetched in time and are lost to this loop; do less in it, or use callbacks",
                self.dropped,
            )
