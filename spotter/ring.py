"""Fixed memory between the audio thread and the reader; one writer, one reader, no lock.

The writer alone moves `_written`, the reader alone moves `_read`, and each is one assignment of an
integer. Audio that is lost becomes a `Lost` at its place between the frames before and after it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spotter.arrays import Floats

_MOST_LOSSES: Final = 256  # published and not yet read; beyond that new frames join the last loss


@dataclass(frozen=True, slots=True)
class Lost:
    """Frames that are missing between two pieces that `Ring.read` gives."""

    frames: int
    reason: str  # "overflow" (the ring was full) or what `Ring.lose` was told, such as "driver"


class Ring:
    """Preallocated frames; what is in it stays as written until it has been read.

    Parameters
    ----------
    capacity : int
        Frames that it holds.
    channels : int
        Samples in a frame.
    """

    def __init__(self, capacity: int, channels: int) -> None:
        if capacity < 1 or channels < 1:
            raise ValueError(f"a ring of {capacity} frames of {channels} channels holds nothing; give 1 or more")
        self.capacity = capacity
        self.channels = channels
        self.dropped = 0
        self.overflows = 0
        self._buffer = np.zeros((capacity, channels), np.float32)
        self._bytes = self._buffer.data.cast("B")  # the same memory
        self._frame_bytes = self._buffer.itemsize * channels
        self._written = 0  # frames stored since the beginning; only the writer assigns it
        self._read = 0  # frames given back; only the reader assigns it
        self._held = 0  # frames of the piece that the reader is looking at
        self._pending: dict[str, int] = {}  # losses since the last stored frame: the writer's own
        self._losses: deque[tuple[int, Lost]] = deque()  # published: position and what is missing there

    def write(self, frames: Floats) -> int:
        """Store frames, shape (frames, channels) or (frames,) if mono; only copies.

        What does not fit is dropped from the end and counted.

        Returns
        -------
        int
            How many frames were stored.
        """
        if frames.ndim == 1:
            frames = frames[:, None]
        if frames.shape[1] != self.channels:
            raise ValueError(f"frames of {frames.shape[1]} channels do not fit a ring of {self.channels}")
        offered = len(frames)
        stored = min(offered, self.capacity - (self._written - self._read))
        if self._pending and stored and not self._publish():
            stored = 0
        if stored:
            at = self._written % self.capacity
            first = min(stored, self.capacity - at)
            self._buffer[at : at + first] = frames[:first]
            if stored > first:
                self._buffer[: stored - first] = frames[first:stored]
            self._written += stored
        if stored < offered:
            self.dropped += offered - stored
            self.overflows += "overflow" not in self._pending
            self._lose(offered - stored, "overflow")
        return stored

    def write_raw(self, data: Any, frames: int) -> int:
        """Store frames as a driver hands them over: a buffer of interleaved float32; else like `write`.

        For the audio callback: this way takes half of the time of an assignment between numpy arrays.
        """
        written, capacity = self._written, self.capacity
        at = written % capacity
        if self._pending or frames > capacity - max(at, written - self._read):
            return self.write(np.frombuffer(data, np.float32).reshape(frames, self.channels))
        begin = at * self._frame_bytes
        self._bytes[begin : begin + frames * self._frame_bytes] = data
        self._written = written + frames
        return frames

    def lose(self, frames: int, reason: str = "driver") -> None:
        """Take note, in the writer's thread, that the sound system itself lost so many frames here."""
        if frames > 0:
            self._lose(frames, reason)

    def flush(self) -> None:
        """Show a loss at the very end to the reader; for when the writer has ended."""
        self._publish(limit=_MOST_LOSSES + 8)

    def read(self) -> Floats | Lost | None:
        """Give the next piece, and take back the one given before.

        Returns
        -------
        float32, shape (frames, channels)
            What was written, up to the next loss or the end of the memory; a view that holds until the next `read`.
        Lost
            So much is missing here.
        None
            Nothing new.
        """
        self._read += self._held
        self._held = 0
        # The order matters: a loss is published before the frames after it, so a loss that
        # belongs before frames which this count covers is already there.
        written = self._written
        if self._losses:
            position = self._losses[0][0]
            if position == self._read:
                return self._losses.popleft()[1]
            written = min(written, position)
        if written == self._read:
            return None
        at = self._read % self.capacity
        self._held = min(written - self._read, self.capacity - at)
        return self._buffer[at : at + self._held]

    @property
    def waiting(self) -> int:
        """Frames stored after the piece that the reader is looking at."""
        return self._written - self._read - self._held

    def reset(self) -> None:
        """Be as new; while neither side is at work."""
        self.dropped = self.overflows = 0
        self._written = self._read = self._held = 0
        self._pending.clear()
        self._losses.clear()

    def _lose(self, frames: int, reason: str) -> None:
        self._pending[reason] = self._pending.get(reason, 0) + frames

    def _publish(self, limit: int = _MOST_LOSSES) -> bool:
        """Hand the pending losses to the reader, unless too many wait there."""
        if len(self._losses) + len(self._pending) > limit:
            return False
        for reason, frames in self._pending.items():
            self._losses.append((self._written, Lost(frames, reason)))
        self._pending.clear()
        return True
