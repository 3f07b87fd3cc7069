"""A few seconds of a live source, and what its callbacks were like."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final

import numpy as np

from spotter.arrays import Floats
from spotter.errors import MicrophoneError
from spotter.ring import Lost, Ring
from spotter.sources import LiveSource

_PATIENCE_S: Final = 8.0  # more than a device needs to begin
_SLICE_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """What came, shape (frames, channels), at the source's own rate."""

    frames: Floats
    sample_rate: int
    lost_frames: int
    callbacks: int
    interval_ms: float  # from one callback to the next, median
    jitter_ms: float  # between the earliest and the latest callback, measured against the audio that they bring


class _TimedRing(Ring):
    """Notes when blocks come; for a few seconds only, since the notes grow."""

    def __init__(self, capacity: int, channels: int, clock: Callable[[], float]) -> None:
        super().__init__(capacity, channels)
        self.arrivals: list[tuple[float, int]] = []
        self._now = clock

    def write(self, frames: Floats) -> int:
        self.arrivals.append((self._now(), len(frames)))
        return super().write(frames)

    def write_raw(self, data: Any, frames: int) -> int:
        self.arrivals.append((self._now(), frames))
        return super().write(np.frombuffer(data, np.float32).reshape(frames, self.channels))


def take(source: LiveSource, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> Take:
    """Record so many seconds; give the source back, whatever happens.

    Raises
    ------
    MicrophoneError
        It cannot be opened, has gone, or gives no audio.
    """
    bell: SimpleQueue[None] = SimpleQueue()
    source.open()
    try:
        wanted = round(seconds * source.sample_rate)
        ring = _TimedRing(wanted + round(_PATIENCE_S * source.sample_rate), source.channels, clock)
        source.start(ring, bell)
        deadline = time.monotonic() + seconds + _PATIENCE_S
        while ring.waiting < wanted and time.monotonic() < deadline:
            with suppress(Empty):
                bell.get(timeout=_SLICE_S)
            source.check()
        rate, channels = source.sample_rate, source.channels
    finally:
        source.close()
    ring.flush()
    pieces, lost = [np.zeros((0, channels), np.float32)], 0
    while (piece := ring.read()) is not None:
        if isinstance(piece, Lost):
            lost += piece.frames
        else:
            pieces.append(piece.copy())
    frames = np.concatenate(pieces)[:wanted]
    if len(frames) < wanted:
        raise MicrophoneError(
            f"{source.name!r} gave {len(frames) / rate:.2f} s of audio where {seconds:g} s were to come; "
            "connect it again, or restart the sound system"
        )
    interval, jitter = _timing(ring.arrivals, rate)
    return Take(
        frames=frames,
        sample_rate=rate,
        lost_frames=lost,
        callbacks=len(ring.arrivals),
        interval_ms=interval,
        jitter_ms=jitter,
    )


def _timing(arrivals: list[tuple[float, int]], rate: int) -> tuple[float, float]:
    times = np.array([when for when, _ in arrivals])
    audio = np.cumsum([frames for _, frames in arrivals]) / rate
    if len(times) < 2:
        return 0.0, 0.0
    late = times - audio
    return float(np.median(np.diff(times)) * 1_000), float((late.max() - late.min()) * 1_000)
