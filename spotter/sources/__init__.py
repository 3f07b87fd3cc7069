"""Where samples come from: blocks of float32, shape (frames, channels), full scale -1..1.

A `Source` gives its blocks when asked (files, standard input, memory); a `LiveSource` pushes them
into a ring from a thread of its own (the microphone).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real
from queue import SimpleQueue
from typing import Any, Final, Protocol, SupportsFloat

from spotter.arrays import Floats
from spotter.errors import BadInputError

LOWEST_HZ: Final = 1_000
HIGHEST_HZ: Final = 768_000
MOST_CHANNELS: Final = 64


@dataclass(frozen=True, slots=True)
class Missing:
    """Audio that a source knows it lacks between two blocks: frames of its own, or stream time that nobody recorded."""

    frames: int = 0
    samples: int = 0  # of stream time, at 16 kHz, where there are no frames
    reason: str = "driver"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Windows that a listener left out when a kept stream was recorded, since it was too late for them."""

    begin_sample: int  # before the end of the first
    end_sample: int  # of the last

    def __contains__(self, end_sample: int) -> bool:
        """Whether the window that ends there is one of them."""
        return self.begin_sample < end_sample <= self.end_sample


class Sink(Protocol):
    """What a live source writes into: a `spotter.ring.Ring`, or what behaves like one."""

    def write(self, frames: Floats) -> int:
        """Copy frames, shape (frames, channels); return how many fitted."""
        ...

    def write_raw(self, data: Any, frames: int) -> int:
        """Copy frames from a driver's buffer of interleaved float32; return how many fitted."""
        ...

    def lose(self, frames: int, reason: str = "driver") -> None:
        """Note that so many frames are missing here."""
        ...


class Source(Protocol):
    """Gives blocks when asked."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def sample_rate(self) -> int:
        """Frames a second, in Hz."""
        ...

    @property
    def channels(self) -> int:
        """Samples in a frame."""
        ...

    @property
    def padded(self) -> bool:
        """Whether it is a whole recording, which begins and ends in silence, and no live stream."""
        ...

    def blocks(self) -> Iterator[Floats | Missing]:
        """Yield the samples in order, shape (frames, channels), each valid until the next is asked for.

        An empty block says "nothing yet", so that the reader may look whether it is to stop; a `Missing` that
        something lacks there.
        """
        ...


class LiveSource(Protocol):
    """Pushes blocks from a thread of its own, at the pace of the clock."""

    name: str
    sample_rate: int  # both known once open
    channels: int

    def open(self) -> None:
        """Find and reserve the device; the callback does not run yet."""
        ...

    def start(self, sink: Sink, doorbell: SimpleQueue[None]) -> None:
        """Let the callback run: it writes to `sink`, then rings."""
        ...

    def check(self) -> None:
        """Raise what made the source end by itself, if it has ended."""
        ...

    def close(self) -> None:
        """End the callback and give the device back; may be called twice."""
        ...


def check_format(sample_rate: SupportsFloat, channels: int) -> int:
    """Return the sample rate as an int, 16000 for 16000.0 too; raise `BadInputError` for what no sound has."""
    if not isinstance(sample_rate, Real):
        raise BadInputError(f"a sample rate of {sample_rate!r} is no number; give Hz, such as 16000")
    hz = float(sample_rate)
    if not LOWEST_HZ <= hz <= HIGHEST_HZ:
        raise BadInputError(f"a sample rate of {sample_rate} Hz is out of range; give {LOWEST_HZ} to {HIGHEST_HZ} Hz")
    if not hz.is_integer():
        raise BadInputError(f"a sample rate of {sample_rate} Hz is not whole; resample to a whole number of Hz first")
    if channels < 1:
        raise BadInputError(f"{channels} channels hold no sound; give 1 or more")
    if channels > MOST_CHANNELS:
        raise BadInputError(
            f"{channels} channels are more than {MOST_CHANNELS}; give samples of shape (samples, channels)"
        )
    return int(hz)


def check_channel(channel: int, channels: int | None = None) -> None:
    """Raise `BadInputError` for a channel that cannot be heard; counted from 1, up to `channels` where known."""
    if not isinstance(channel, int) or isinstance(channel, bool) or not 1 <= channel <= (channels or MOST_CHANNELS):
        there = f"1 to {channels}" if channels != 1 else "1, or leave it out"
        raise BadInputError(f"there is no channel {channel!r}; give {there if channels else f'1 to {MOST_CHANNELS}'}")
