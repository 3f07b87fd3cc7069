"""The last minutes of a stream in fixed memory: samples, scores, levels, and what happened.

The thread that listens writes, the page's thread copies; each holds the lock for a copy only.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.events import Event
from spotter.settings import SAMPLE_RATE
from spotter.windows import Window

KEPT_S: Final = 300.0
_MOST_EVENTS: Final = 1_000
_MOST_GAPS: Final = 1_000

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Windows that followed one another, each of shape (windows,) but for the scores."""

    first: int  # number of the first one, counted from the start of the stream
    ends: npt.NDArray[np.int64]  # first sample after each
    levels_dbfs: npt.NDArray[np.float64]  # of the last hop
    loudest_dbfs: npt.NDArray[np.float64]  # as in `spotter.windows.Window`
    floor_dbfs: npt.NDArray[np.float64]
    anew: npt.NDArray[np.bool_]  # something is missing, or was left out, before it
    scores: Floats  # shape (windows, labels)

    def __len__(self) -> int:
        """Return how many these are."""
        return len(self.ends)

    def part(self, begin: int, end: int) -> Rows:
        """Return some of them, counted from 0, without the last."""
        return Rows(
            self.first + begin,
            self.ends[begin:end],
            self.levels_dbfs[begin:end],
            self.loudest_dbfs[begin:end],
            self.floor_dbfs[begin:end],
            self.anew[begin:end],
            self.scores[begin:end],
        )


class Kept:
    """Keeps the end of one stream.

    Parameters
    ----------
    labels : int
        How many scores a window has.
    hop_samples : int
        Samples between two windows.
    seconds : float
        How much is kept.
    """

    def __init__(self, labels: int, hop_samples: int, seconds: float = KEPT_S) -> None:
        self.seconds = seconds
        self.capacity = math.ceil(seconds * SAMPLE_RATE)  # samples
        self._hop = hop_samples
        self._lock = threading.Lock()
        self._audio = np.zeros(self.capacity, np.int16)
        rows = self.capacity // hop_samples + 1
        self._ends = np.zeros(rows, np.int64)
        self._levels = np.zeros((3, rows), np.float64)
        self._anew = np.zeros(rows, np.bool_)
        self._scores = np.zeros((rows, labels), np.float32)
        self.end = 0  # first sample after those that came
        self.windows = 0  # that came
        self._start = 0  # where the stream began
        self._gaps: deque[tuple[int, int]] = deque(maxlen=_MOST_GAPS)
        self._broken = True  # something is missing before the next window
        self._last_end = 0
        self._events: deque[Event] = deque(maxlen=_MOST_EVENTS)
        self.events = 0  # that came

    @property
    def begin(self) -> int:
        """First sample that is kept."""
        return max(self._start, self.end - self.capacity)

    def sound(self, position: int, samples: Floats) -> None:
        """Take samples, shape (samples,), that begin at a position of the stream."""
        if position < 0:  # the silence before a recording
            samples, position = samples[-position:], 0
        if not len(samples):
            return
        whole = np.multiply(samples, np.float32(32_768.0))
        np.rint(whole, out=whole)
        np.clip(whole, -32_768.0, 32_767.0, out=whole)
        with self._lock:
            if position != self.end:
                self._miss(position)
            self._store(whole.astype(np.int16))

    def judged(self, window: Window, scores: Floats) -> None:
        """Take a window and its scores, shape (labels,)."""
        with self._lock:
            at = self.windows % len(self._ends)
            self._ends[at] = window.end_sample
            self._levels[:, at] = window.level_dbfs, window.loudest_dbfs, window.floor_dbfs
            self._anew[at] = self._broken or window.end_sample != self._last_end + self._hop
            self._scores[at] = scores
            self._broken, self._last_end = False, window.end_sample
            self.windows += 1

    def hear(self, event: Event) -> None:
        """Take what happened."""
        with self._lock:
            self._events.append(event)
            self.events += 1

    def audio(self, begin: int, end: int) -> Samples:
        """Copy samples from a part of the stream, int16; 0 where some are missing, only those that are kept."""
        with self._lock:
            begin, end = max(begin, self.begin), min(end, self.end)
            if begin >= end:
                return np.zeros(0, np.int16)
            first = begin % self.capacity
            head = self._audio[first : first + end - begin]
            return np.concatenate((head, self._audio[: end - begin - len(head)]))

    def gaps(self, begin: int, end: int) -> list[tuple[int, int]]:
        """Return where samples are missing in a part of the stream."""
        with self._lock:
            return [(first, last) for first, last in self._gaps if first < end and last > begin]

    def rows(self, first: int = 0) -> Rows:
        """Copy the windows from a number on; only those that are kept."""
        with self._lock:
            first = min(max(first, self.windows - len(self._ends)), self.windows)
            at = np.arange(first, self.windows) % len(self._ends)
            level, loudest, floor = self._levels[:, at]
            return Rows(first, self._ends[at], level, loudest, floor, self._anew[at], self._scores[at])

    def events_from(self, number: int) -> list[Event]:
        """Return what happened, from a number on, counted from the start."""
        with self._lock:
            waiting = min(self.events - number, len(self._events))
            return list(self._events)[len(self._events) - waiting :] if waiting > 0 else []

    def _miss(self, position: int) -> None:
        """Lay silence where samples are missing; a position before the end is that of another stream."""
        if position < self.end:
            self._start = self.end = position
            self._gaps.clear()
            self.windows = 0
            self._events.clear()
        else:
            self._gaps.append((self.end, position))
            self._store(np.zeros(min(position - self.end, self.capacity), np.int16), end=position)
        self._broken = True

    def _store(self, samples: Samples, end: int | None = None) -> None:
        end = self.end + len(samples) if end is None else end
        samples = samples[-self.capacity :]
        first = (end - len(samples)) % self.capacity
        head = min(len(samples), self.capacity - first)
        self._audio[first : first + head] = samples[:head]
        self._audio[: len(samples) - head] = samples[head:]
        self.end = end
