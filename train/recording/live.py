"""A microphone as pieces of 16 kHz mono samples, in the thread that asks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from spotter.arrays import Floats
from spotter.errors import MicrophoneError
from spotter.resample import Resampler
from spotter.ring import Lost, Ring
from spotter.sources import LiveSource

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_RING_S: Final = 8.0
_WAIT_S: Final = 0.1
_SILENT_S: Final = 5.0  # a sound system that hangs says nothing; so long nobody waits for it


class Live:
    """An open live source; `pieces` gives what it hears, None where some was lost, and raises when it has gone."""

    def __init__(self, source: LiveSource) -> None:
        self.source = source
        self._bell: SimpleQueue[None] = SimpleQueue()

    def __enter__(self) -> Self:
        self.source.open()
        try:
            self._resampler = Resampler(self.source.sample_rate, self.source.channels)
            self._ring = Ring(round(self.source.sample_rate * _RING_S), self.source.channels)
            self.source.start(self._ring, self._bell)
        except BaseException:
            self.source.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.source.close()

    def pieces(self) -> Iterator[Floats | None]:
        """Yield samples, shape (samples,), an empty piece while nothing comes, None for a loss; without an end."""
        heard_at = time.monotonic()
        while True:
            came = False
            try:
                self._bell.get(timeout=_WAIT_S)
            except Empty:
                if time.monotonic() - heard_at > _SILENT_S:
                    raise MicrophoneError(
                        f"the microphone {self.source.name!r} has given no audio for {_SILENT_S:g} s; "
                        "connect it again, or choose another with --device"
                    ) from None
            while (piece := self._ring.read()) is not None:
                heard_at, came = time.monotonic(), True
                if isinstance(piece, Lost):
                    self._resampler.reset()
                    yield None
                else:
                    yield self._resampler.push(piece).copy()
            self.source.check()
            if not came:
                yield self._resampler.push(self._ring_empty())

    def _ring_empty(self) -> Floats:
        import numpy as np

        return np.zeros((0, self.source.channels), np.float32)
