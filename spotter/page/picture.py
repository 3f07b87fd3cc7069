"""Waveform and spectrogram of what is kept, a column for each hop of the front-end; computed when somebody looks."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.frontend import Frontend
from spotter.page.kept import Kept
from spotter.settings import SAMPLE_RATE, FrontendConfig

MISSING: Final = (1, -1)  # the lowest and highest sample of a column without samples
_UNDER_DB, _OVER_DB = 50.0, 25.0  # what is shown, around white noise of -20 dBFS
_DB: Final = 10.0 / np.log(10.0)


class Picture:
    """Columns of the end of a stream, in fixed memory.

    wave : int16, lowest and highest sample of a column; spectrogram : uint8, loudness of each band

    Parameters
    ----------
    kept : Kept
        The samples.
    frontend : FrontendConfig
        The model's; what it sees is shown, but for a second network's part and a limited range.
    """

    def __init__(self, kept: Kept, frontend: FrontendConfig) -> None:
        config = dataclasses.replace(frontend, beside=None, range_db=0.0, group_frames=1)
        self.hop_samples, self.bands = config.hop_samples, config.own_bins
        self.capacity = kept.capacity // self.hop_samples
        self.end = 0  # number of the column that comes next, counted from the start of the stream
        self._kept, self._config, self._frontend = kept, config, Frontend(config)
        self._wave = np.zeros((self.capacity, 2), np.int16)
        self._spectrogram = np.zeros((self.capacity, self.bands), np.uint8)
        noise = np.random.default_rng(0).standard_normal(SAMPLE_RATE).astype(np.float32) * np.float32(0.1)
        self._reference_db = float(np.median(self._db(self._frontend(noise))))

    @property
    def begin(self) -> int:
        """Number of the first column that is there, or will be."""
        return max(self.end - self.capacity, -(-self._kept.begin // self.hop_samples), 0)

    def follow(self, most: int = 1_000) -> bool:
        """Compute the columns that are due, so many at most; return whether there are more."""
        kept, hop, frame = self._kept, self.hop_samples, self._config.frame_samples
        if self.end * hop > kept.end:  # another stream
            self.end = 0
        first = max(self.end, self.begin)
        due = max(0, (kept.end - frame) // hop + 1 - first)
        count = min(due, most)
        samples = kept.audio(first * hop, (first + count - 1) * hop + frame)
        if count and len(samples) == (count - 1) * hop + frame:
            at = np.arange(first, first + count) % self.capacity
            self._wave[at] = self._extremes(samples[: count * hop], first, count)
            db = self._db(self._frontend(samples.astype(np.float32) / np.float32(32_768.0)))
            span = _UNDER_DB + _OVER_DB
            scaled = (db - self._reference_db + _UNDER_DB) * (255.0 / span)
            self._spectrogram[at] = np.clip(scaled, 0.0, 255.0).astype(np.uint8)
        self.end = first + count
        return due > count

    def columns(self, first: int, most: int) -> tuple[int, npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
        """Return columns from a number on, so many at most, those that are there; and which the first one is."""
        first = min(max(first, self.begin), self.end)
        at = np.arange(first, min(self.end, first + most)) % self.capacity
        return first, self._wave[at], self._spectrogram[at]

    def _extremes(self, samples: npt.NDArray[np.int16], first: int, count: int) -> npt.NDArray[np.int16]:
        whole = np.zeros(count * self.hop_samples, np.int16)
        whole[: len(samples)] = samples
        columns = whole.reshape(count, self.hop_samples)
        extremes = np.stack((columns.min(axis=1), columns.max(axis=1)), axis=1)
        hop = self.hop_samples
        for begin, end in self._kept.gaps(first * hop, (first + count) * hop):
            extremes[max(0, begin // hop - first) : max(0, -(-end // hop) - first)] = MISSING
        return extremes

    def _db(self, frames: Floats) -> Floats:
        if self._config.kind == "magnitude":
            return np.asarray(2.0 * _DB * np.log(np.maximum(frames, 1e-6)), np.float32)
        return np.asarray((frames - self._config.offset) * (_DB / self._config.gain), np.float32)
