"""A source whose samples somebody else hears, too, on the way to the pipeline.

The audio callback does what it always does. Of a live source a thread stands between it and the pipeline; a source
that gives blocks when asked is overheard in the thread that asks.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol

from spotter.arrays import Floats
from spotter.callbacks import join
from spotter.ring import Lost, Ring
from spotter.running import is_live
from spotter.sources import LiveSource, Sink, Source

_RING_S: Final = 8.0  # how far the thread in between may fall behind, as the pipeline may
_WAIT_S: Final = 0.2
_CLOSE_S: Final = 5.0


class Ear(Protocol):
    """Who overhears."""

    def begin(self, source: Source | LiveSource) -> None:
        """Take note of a stream that begins."""

    def hear(self, frames: Floats) -> None:
        """Take the next frames, shape (frames, channels), valid during the call only."""

    def lose(self, frames: int) -> None:
        """So many frames are missing here."""


def overheard(source: Source | LiveSource, ear: Ear) -> Source | LiveSource:
    """Return a source that gives the same; the one within is its `inner`."""
    return _Between(source, ear) if is_live(source) else _Poured(source, ear)


class _Poured:
    """A source that gives blocks when asked, overheard in the thread that asks."""

    def __init__(self, inner: Source, ear: Ear) -> None:
        self.inner, self._ear = inner, ear
        self.name, self.sample_rate, self.channels = inner.name, inner.sample_rate, inner.channels
        self.padded = inner.padded

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def blocks(self) -> Iterator[Floats]:
        """Yield the samples in order, a second at most at a time."""
        self._ear.begin(self.inner)
        most = self.inner.sample_rate  # the pipeline takes a second at a time, too
        for block in self.inner.blocks():
            if not len(block):
                yield block
            for at in range(0, len(block), most):
                piece = block[at : at + most]
                self._ear.hear(piece)
                yield piece


class _Between:
    """A live source, overheard by a thread between its callback and the pipeline."""

    def __init__(self, inner: LiveSource, ear: Ear) -> None:
        self.inner, self._ear = inner, ear
        self.name, self.sample_rate, self.channels = inner.name, inner.sample_rate, inner.channels
        self._ended = False
        self._ring: Ring | None = None
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def open(self) -> None:
        """Find and reserve the device."""
        inner = self.inner
        inner.open()
        self.name, self.sample_rate, self.channels = inner.name, inner.sample_rate, inner.channels

    def check(self) -> None:
        """Raise what made the source end by itself."""
        self.inner.check()

    def start(self, sink: Sink, doorbell: SimpleQueue[None]) -> None:
        """Let the callback run; what it writes goes on to `sink`."""
        self._ear.begin(self.inner)
        self._ended = False
        self._ring = Ring(round(self.inner.sample_rate * _RING_S), self.inner.channels)
        self._thread = threading.Thread(
            target=self._pass_on, args=(self._ring, sink, doorbell), name="spotter-overhearing", daemon=True
        )
        self._thread.start()
        self.inner.start(self._ring, self._bell)

    def close(self) -> None:
        """Give the device back; what it gave until then has gone on when this returns."""
        self.inner.close()
        self._ended = True
        self._bell.put(None)
        if self._thread is not None:
            join(self._thread, _CLOSE_S)

    def _pass_on(self, ring: Ring, sink: Sink, doorbell: SimpleQueue[None]) -> None:
        while True:
            with suppress(Empty):
                self._bell.get(timeout=_WAIT_S)
            ended = self._ended
            if ended:
                ring.flush()
            while (piece := ring.read()) is not None:
                if isinstance(piece, Lost):
                    self._ear.lose(piece.frames)
                    sink.lose(piece.frames, piece.reason)
                else:
                    self._ear.hear(piece)
                    sink.write(piece)
            if doorbell.empty():
                doorbell.put(None)
            if ended:
                return
