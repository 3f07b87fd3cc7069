"""What a pipeline tells somebody who keeps its stream: enough to play it again with the same events."""

from __future__ import annotations

from typing import Protocol

from spotter.arrays import Floats


class Tape(Protocol):
    """Is told what the pipeline reads, in its thread and in its order; must not wait."""

    def begin(self, sample_rate: int, channels: int) -> None:
        """Take note of what is coming: at the start, and when another device goes on after `miss`."""

    def hear(self, frames: Floats) -> None:
        """Take the next frames, shape (frames, channels), as they came; valid during the call only."""

    def lose(self, frames: int, reason: str) -> None:
        """So many frames are missing here."""

    def miss(self, samples: int, reason: str) -> None:
        """So much stream time, in samples at 16 kHz, was recorded by nobody."""

    def pause(self) -> None:
        """The device has gone, perhaps for long; `miss` comes when it is back, or at the end."""

    def skip(self, end_sample: int, windows: int, samples: int) -> None:
        """So many windows, in so many samples up to a position of the stream, were left out as too late."""


class Tapes:
    """Several in the place of one."""

    def __init__(self, *tapes: Tape) -> None:
        self._tapes = tapes

    def begin(self, sample_rate: int, channels: int) -> None:
        """Take note of what is coming."""
        for tape in self._tapes:
            tape.begin(sample_rate, channels)

    def hear(self, frames: Floats) -> None:
        """Take the next frames."""
        for tape in self._tapes:
            tape.hear(frames)

    def lose(self, frames: int, reason: str) -> None:
        """Frames are missing here."""
        for tape in self._tapes:
            tape.lose(frames, reason)

    def miss(self, samples: int, reason: str) -> None:
        """Stream time was recorded by nobody."""
        for tape in self._tapes:
            tape.miss(samples, reason)

    def pause(self) -> None:
        """The device has gone."""
        for tape in self._tapes:
            tape.pause()

    def skip(self, end_sample: int, windows: int, samples: int) -> None:
        """Windows were not judged."""
        for tape in self._tapes:
            tape.skip(end_sample, windows, samples)
