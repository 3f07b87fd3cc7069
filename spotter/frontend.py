"""Samples to frames: short-time Fourier transform, power, mel bands, logarithm.

The only front-end in the project: training and listening call the same functions. Every frame is
computed from its own samples in a fixed order of operations, so how the samples were cut into
blocks cannot change a bit of the result.
"""

from __future__ import annotations

import numpy as np

from spotter.arrays import Floats
from spotter.settings import FrontendConfig

_BATCH = 32  # frames worked on at once: small enough to stay in the second-level cache


class Frontend:
    """Frames of whole recordings, computed block-wise in memory that is kept.

    Mel bands are triangles between points evenly spaced on the mel scale of O'Shaughnessy (1987),
    2595 log10(1 + f / 700), peak 1, over the power of a Hann-windowed FFT (as HTK and
    `librosa.filters.mel(htk=True, norm=None)` have them).
    """

    def __init__(self, config: FrontendConfig) -> None:
        self.config = config
        self._hann = hann(config)
        bins = config.fft_size // 2 + 1
        self._windowed = np.zeros((_BATCH, config.fft_size), np.float32)
        self._power = np.empty((_BATCH, bins), np.float32)
        self._square = np.empty((_BATCH, bins), np.float32)
        if config.kind == "log_mel":
            self._taps, self._weights, self._bounds = _sparse(mel_matrix(config))
            self._products = np.empty((_BATCH, len(self._taps)), np.float32)

    def __call__(self, samples: Floats) -> Floats:
        """Frames that lie wholly in `samples`: shape (samples,) float32 to (frames, bins) float32."""
        out = self.energies(samples)
        return self.compress(out, out)

    def energies(self, samples: Floats) -> Floats:
        """Return the frames before the logarithm: band power, or the magnitude of the tutorial's kind.

        Training mixes recordings here: power adds where sounds do not correlate.
        """
        config = self.config
        count = config.frames_in(len(samples))
        out = np.empty((count, config.bins), np.float32)
        if not count:
            return out
        samples = np.ascontiguousarray(samples, np.float32)
        # A view of overlapping frames; made by hand, since numpy's own helper takes longer than the transform.
        strides = (config.hop_samples * samples.itemsize, samples.itemsize)
        frames = np.ndarray((count, config.frame_samples), np.float32, samples, 0, strides)
        for at in range(0, count, _BATCH):
            self._some(frames[at : at + _BATCH], out[at : at + _BATCH])
        return out

    def compress(self, energies: Floats, out: Floats | None = None) -> Floats:
        """log(power + floor) for mel bands; magnitudes stay as they are."""
        if self.config.kind == "magnitude":
            return energies
        out = np.add(energies, np.float32(self.config.floor), out=out)
        return np.log(out, out=out)

    def _some(self, frames: Floats, out: Floats) -> None:
        """Work on at most `_BATCH` frames, shape (n, frame_samples), into `out`, shape (n, bins)."""
        n = len(frames)
        windowed, power, square = self._windowed[:n], self._power[:n], self._square[:n]
        np.multiply(frames, self._hann, out=windowed[:, : self.config.frame_samples])
        spectrum = np.fft.rfft(windowed, axis=-1)
        np.multiply(spectrum.real, spectrum.real, out=power)
        np.multiply(spectrum.imag, spectrum.imag, out=square)
        np.add(power, square, out=power)
        if self.config.kind == "magnitude":
            np.sqrt(power, out=out)
            return
        # A matrix product would be free to sum in another order for another number of frames.
        products = self._products[:n]
        np.take(power, self._taps, axis=1, out=products, mode="clip")
        np.multiply(products, self._weights, out=products)
        np.add.reduceat(products, self._bounds, axis=1, out=out)


class StreamingFrontend:
    """The same frames from blocks: keeps only the samples that a later frame still needs."""

    def __init__(self, config: FrontendConfig) -> None:
        self.config = config
        self._frontend = Frontend(config)
        self._kept = np.empty(0, np.float32)

    def push(self, block: Floats) -> Floats:
        """Take samples, shape (samples,); return the frames that are now complete, shape (frames, bins)."""
        samples = np.concatenate((self._kept, block))
        frames = self._frontend(samples)
        self._kept = samples[len(frames) * self.config.hop_samples :]
        return frames

    def reset(self) -> None:
        """Forget everything, as after a gap."""
        self._kept = np.empty(0, np.float32)


def hann(config: FrontendConfig) -> Floats:
    """Hann window, shape (frame_samples,)."""
    n = config.frame_samples
    period = n if config.window == "hann_periodic" else max(1, n - 1)
    return (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n) / period)).astype(np.float32)


def mel_matrix(config: FrontendConfig) -> Floats:
    """Weights of the FFT's bins in the mel bands, shape (mel_bands, fft_size // 2 + 1)."""
    low, high = (2_595.0 * np.log10(1.0 + hz / 700.0) for hz in (config.low_hz, config.high_hz))
    edges = 700.0 * (10.0 ** (np.linspace(low, high, config.mel_bands + 2) / 2_595.0) - 1.0)
    hz = np.arange(config.fft_size // 2 + 1) * (config.sample_rate / config.fft_size)
    rising = (hz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hz) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)


def _sparse(matrix: Floats) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], Floats, list[int]]:
    """Bins with weight, band after band; their weights; where each band begins."""
    taps: list[int] = []
    bounds: list[int] = []
    weights: list[float] = []
    for row in matrix:
        bounds.append(len(taps))
        # A band too narrow to hold a bin keeps one of weight 0, so that the sums stay aligned.
        used = np.flatnonzero(row) if row.any() else np.zeros(1, np.intp)
        taps.extend(used.tolist())
        weights.extend(row[used].tolist())
    return np.asarray(taps, np.intp), np.asarray(weights, np.float32), bounds
