"""Messages that the broker has not taken yet: so many at most, and none that is too old to be acted upon."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message, and when it was given, in seconds of a steady clock."""

    payload: str
    since_s: float


class Backlog:
    """First in, first out, from any thread.

    Parameters
    ----------
    most : int
        When there are so many, the oldest makes room.
    keep_s : float
        What is older is not sent any more: a light that is switched on an hour late is worse than none.
    """

    def __init__(self, most: int, keep_s: float) -> None:
        self.crowded_out = self.too_old = 0
        self._most, self._keep_s = most, keep_s
        self._waiting: deque[Waiting] = deque()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def dropped(self) -> int:
        """How many were not sent and will not be."""
        return self.crowded_out + self.too_old

    def add(self, payload: str, now_s: float) -> None:
        """Add one at the end."""
        with self._lock:
            if len(self._waiting) >= self._most:
                self._waiting.popleft()
                self.crowded_out += 1
            self._waiting.append(Waiting(payload, now_s))

    def take(self, now_s: float) -> Waiting | None:
        """Return the oldest that is not too old, if any."""
        with self._lock:
            while self._waiting:
                first = self._waiting.popleft()
                if now_s - first.since_s <= self._keep_s:
                    return first
                self.too_old += 1
            return None

    def put_back(self, taken: Iterable[Waiting]) -> None:
        """Put those that may not have arrived where they were; newer ones stay if there is no room."""
        with self._lock:
            for message in reversed(list(taken)):
                if len(self._waiting) < self._most:
                    self._waiting.appendleft(message)
                else:
                    self.crowded_out += 1
