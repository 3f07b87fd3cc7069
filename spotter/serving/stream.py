"""One client's audio: chunks with their timestamps in, detections with the chunk that they lie in out."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from spotter.events import Detection, Skipped
from spotter.settings import SAMPLE_RATE

if TYPE_CHECKING:
    from spotter.arrays import Floats
    from spotter.pipeline import Spotter

WIDTH: Final = 2  # bytes of a sample
PIECE_S: Final = 0.5  # of audio worked through at once, at most
_PIECE_SAMPLES: Final = 48_000  # of it, all channels together, at most: so much memory has each client
_GATHERED_S: Final = 0.02  # where it is resampled, which has a delay of its own
_MOST_CHUNKS: Final = 4_096  # whose timestamps are kept


def piece_frames(rate: int, channels: int) -> int:
    """Return how many frames are worked through at once, at most."""
    return max(1, min(int(rate * PIECE_S), _PIECE_SAMPLES // max(1, channels)))


class ClientStream:
    """Audio of one format, from its first chunk on.

    Clients send as little as 10 ms at a time. It is gathered until a window can be complete: what is decided comes no
    later, and costs less.

    Parameters
    ----------
    spotters : mapping of int to Spotter
        By the number of their model; padded, with room for two pieces.
    rate, channels : int
        Of the 16-bit samples that come.
    """

    def __init__(self, spotters: Mapping[int, Spotter], rate: int, channels: int) -> None:
        self.rate = rate
        self.frame_bytes = WIDTH * channels
        self._spotters, self._channels = spotters, channels
        self._piece = piece_frames(rate, channels)
        self._hops = {spotter.hop_samples for spotter in spotters.values()}
        self._gathered: list[bytes] = []
        self._came = 0  # frames
        self._worked = 0  # of them
        self._due = self._next()  # when so many came, they are worked through
        self._firsts: deque[int] = deque(maxlen=_MOST_CHUNKS)  # of the last chunks, the first frame
        self._timestamps: deque[int] = deque(maxlen=_MOST_CHUNKS)

    @property
    def milliseconds(self) -> int:
        """How much came so far."""
        return self._came * 1_000 // self.rate

    def take(self, payload: bytes, timestamp: int) -> None:
        """Store a chunk of whole frames."""
        self._firsts.append(self._came)
        self._timestamps.append(timestamp)
        while len(self._firsts) > 1 and self._firsts[1] < self._came - self.rate:
            self._firsts.popleft()
            self._timestamps.popleft()
        self._gathered.append(payload)
        self._came += len(payload) // self.frame_bytes

    def pieces(self, *, more: bool) -> Iterator[Floats]:
        """Yield what was gathered, shape (frames, channels), once a window can be complete; none before.

        Where `more` is there already, a whole piece is gathered: on a machine that is behind, that costs half as much.
        """
        if self._came >= self._due and not (more and self._came - self._worked < self._piece):
            self._due = self._next()
            yield from self.rest()

    def rest(self) -> Iterator[Floats]:
        """Yield whatever was gathered."""
        frames = np.frombuffer(b"".join(self._gathered), "<i2").reshape(-1, self._channels)
        self._gathered.clear()
        self._worked = self._came
        for at in range(0, len(frames), self._piece):
            samples = frames[at : at + self._piece].astype(np.float32)
            samples /= np.float32(32_768.0)
            yield samples

    def hear(self, piece: Floats) -> Iterator[tuple[int, Detection | Skipped]]:
        """Work through a piece; yield what is heard or was left out, with the number of the model."""
        for model, spotter in self._spotters.items():
            spotter.write(piece)
            yield from ((model, event) for event in spotter.events() if isinstance(event, Detection | Skipped))

    def finish(self) -> Iterator[tuple[int, Detection | Skipped]]:
        """Yield what is left to be heard when no more comes."""
        for model, spotter in self._spotters.items():
            yield from ((model, event) for event in spotter.finish() if isinstance(event, Detection | Skipped))

    def timestamp(self, time_sample: int) -> int:
        """Return the client's own timestamp of the chunk in which a moment lies."""
        frame = math.ceil(time_sample * self.rate / SAMPLE_RATE) - 1
        return self._timestamps[max(0, bisect_right(self._firsts, frame) - 1)]

    def _next(self) -> int:
        """How many frames complete the next window, from those that came."""
        if self.rate != SAMPLE_RATE:
            return self._came + int(self.rate * _GATHERED_S)
        return min((self._came // hop + 1) * hop for hop in self._hops)
