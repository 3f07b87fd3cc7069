"""Device rate and channels to 16 kHz mono; blocks of any size give the same samples, to the bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError, SpotterError
from spotter.settings import SAMPLE_RATE
from spotter.sources import check_channel, check_format

if TYPE_CHECKING:
    import soxr


class Resampler:
    """Mixes channels to their mean, or takes one, and resamples with soxr (`HQ`, linear phase, delay compensated).

    At 16 kHz samples pass unchanged. Output sample n lies at input time n / 16000, and a recording of
    so many seconds gives as many seconds, once `finish` has given the tail.

    Parameters
    ----------
    sample_rate : int
        Hz of what is pushed, 1000 to 768000.
    channels : int
        Channels of what is pushed, 1 to 64.
    channel : int, optional
        The one that is heard, counted from 1; left out: the mean of all.
    """

    def __init__(self, sample_rate: int, channels: int, channel: int | None = None) -> None:
        sample_rate = self.sample_rate = check_format(sample_rate, channels)
        if channel is not None:
            check_channel(channel, channels)
        self.channels = channels
        self._channel = channel
        self._stream: soxr.ResampleStream | None = None
        if sample_rate != SAMPLE_RATE:
            try:
                import soxr
            except ImportError:
                raise SpotterError(
                    f"audio at {sample_rate} Hz needs the package soxr, which is missing; "
                    f"run `python -m pip install soxr`, or give audio at {SAMPLE_RATE} Hz"
                ) from None
            self._stream = soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, dtype="float32")

    def push(self, frames: Floats) -> Floats:
        """Take frames; return the 16 kHz samples that are ready.

        Parameters
        ----------
        frames : float32, shape (frames, channels), or (frames,) if mono
            The next piece of the stream.

        Returns
        -------
        float32, shape (samples,)
            May share memory with `frames` where there is nothing to compute.
        """
        mono = self._mix(frames)
        if self._stream is None or not len(mono):
            return mono
        samples: Floats = self._stream.resample_chunk(np.ascontiguousarray(mono))
        return samples

    def finish(self) -> Floats:
        """Return the tail, shape (samples,), when no more will come; then be as new."""
        empty = np.empty(0, np.float32)
        if self._stream is None:
            return empty
        tail: Floats = self._stream.resample_chunk(empty, last=True)
        self._stream.clear()
        return tail

    def reset(self) -> None:
        """Forget everything, as after a gap."""
        if self._stream is not None:
            self._stream.clear()

    def _mix(self, frames: Floats) -> Floats:
        """One channel, or the mean, added in the channels' order so that no block size changes a bit."""
        if frames.ndim == 1:
            frames = frames[:, None]
        if frames.shape[1] != self.channels:
            raise BadInputError(f"frames of {frames.shape[1]} channels came where {self.channels} were agreed on")
        mono = frames[:, (self._channel or 1) - 1]
        if self.channels == 1 or self._channel:
            return mono
        mono = mono.copy()
        for channel in range(1, self.channels):
            mono += frames[:, channel]
        mono /= np.float32(self.channels)
        return mono
