"""What time of day it was when a sample of the stream was recorded."""

from __future__ import annotations

import sys
import time
from collections import deque
from datetime import datetime, timedelta, timezone
from typing import Final

from spotter.settings import SAMPLE_RATE

_PART_S: Final = 10.0
_PARTS: Final = 6


def elapsed_s() -> float:
    """Seconds on a clock that nobody sets and that goes on while the machine sleeps."""
    if sys.platform == "win32":  # goes on in sleep
        return time.monotonic()
    # Linux' boot time goes on in sleep, and so does macOS' monotonic clock; `time.monotonic` is another one there.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def slept_s() -> float:
    """Seconds that the machine has slept since it was started; 0 where no clock shows it, as on Windows."""
    return elapsed_s() - time.monotonic()


class StreamClock:
    """Relates stream time to the clock: audio may come late, never early.

    So the least delay of the last minute is the true one, to some tens of milliseconds. What comes in a burst after
    a stall keeps the time at which it was said, and a device whose clock is a little off is followed.
    """

    def __init__(self) -> None:
        self.begin_s: float | None = None  # when the stream's first sample was recorded, as it looks now
        self._least: deque[tuple[float, float]] = deque(maxlen=_PARTS)  # of ten seconds each: their end, `begin_s`

    def note(self, position: int, now_s: float) -> None:
        """Samples up to `position` have come by now; `now_s` is `elapsed_s()`."""
        begin = now_s - position / SAMPLE_RATE
        if self._least and now_s < self._least[-1][0]:
            end, least = self._least[-1]
            if begin >= least:
                return
            self._least[-1] = end, begin
        else:
            self._least.append((now_s + _PART_S, begin))
        self.begin_s = min(least for _, least in self._least)

    def age_s(self, position: int, now_s: float) -> float:
        """Return how long ago a sample was recorded; 0 before the first `note`."""
        return 0.0 if self.begin_s is None else max(0.0, now_s - self.begin_s - position / SAMPLE_RATE)

    def time_of_day(self, time_s: float) -> datetime:
        """Return when, in UTC, so many seconds of stream time were recorded."""
        age = self.age_s(round(time_s * SAMPLE_RATE), elapsed_s())
        return datetime.now(timezone.utc) - timedelta(seconds=age)
