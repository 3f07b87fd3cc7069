"""Samples to frames: short-time Fourier transform, power, mel bands, logarithm.

The only front-end in the project: training and listening call the same functions. Every frame is
computed from its own samples (where the range is limited, from those of its group of frames, too) in a
fixed order of operations, so how the samples were cut into blocks cannot change a bit of the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.settings import FrontendConfig

_BATCH = 32  # frames worked on at once: small enough to stay in the second-level cache


class Frontend:
    """Frames of whole recordings, computed block-wise in memory that is kept.

    Mel bands are triangles between points evenly spaced on the mel scale of O'Shaughnessy (1987),
    2595 log10(1 + f / 700), peak 1, over the power of a Hann-windowed FFT (as HTK and
    `librosa.filters.mel(htk=True, norm=None)` have them); with `mel="slaney"` on the scale and with the
    area of Slaney's Auditory Toolbox (1998; librosa's default).
    """

    def __init__(self, config: FrontendConfig) -> None:
        self.config = config
        self._hann = hann(config)
        self._floor = np.float32(config.floor)
        self._gain, self._offset = np.float32(config.gain), np.float32(config.offset)
        self._range = np.float32(config.range_db / 10.0 * math.log(10.0) * config.gain)
        bins = config.fft_size // 2 + 1
        self._windowed = np.zeros((_BATCH, config.fft_size), np.float32)
        self._spectrum = np.empty((_BATCH, bins), np.complex64)
        self._squares = np.empty((_BATCH, 2 * bins), np.float32)
        self._power = np.empty((_BATCH, bins), np.float32)
        taps: list[int] = []
        if config.kind == "log_mel":
            self._taps, self._weights, self._bounds = _sparse(mel_matrix(config))
            taps = self._taps.tolist()
        self._products = np.empty((_BATCH, len(taps)), np.float32)
        self._places: dict[int, _Places] = {}
        self._beside = Frontend(config.beside) if config.beside else None
        self._parts: tuple[Floats, Floats] | None = None  # frames of this front-end, and of the one beside it

    def __call__(self, samples: Floats) -> Floats:
        """Frames that lie wholly in `samples`: shape (samples,) float32 to (frames, bins) float32."""
        cut = overlapping(np.ascontiguousarray(samples, np.float32), self.config)
        out = np.empty((len(cut), self.config.bins), np.float32)
        self.compute(cut, out)
        return out

    def energies(self, samples: Floats) -> Floats:
        """Return the frames before the logarithm: band power, or the magnitude of the tutorial's kind.

        Training mixes recordings here: power adds where sounds do not correlate.
        """
        cut = overlapping(np.ascontiguousarray(samples, np.float32), self.config)
        out = np.empty((len(cut), self.config.own_bins), np.float32)
        self._energies(cut, out)
        return out

    def compress(self, energies: Floats, out: Floats | None = None) -> Floats:
        """log(power + floor) for mel bands, times gain, plus offset; magnitudes stay as they are."""
        if self.config.kind == "magnitude":
            return energies
        out = np.add(energies, self._floor, out=out)
        np.log(out, out=out)
        if self._gain != 1.0 or self._offset:
            np.multiply(out, self._gain, out=out)
            np.add(out, self._offset, out=out)
        return out

    def compute(self, cut: Floats, out: Floats) -> None:
        """Compute frames of samples that `overlapping` cut, shape (n, frame_samples), into `out`, shape (n, bins)."""
        if self._beside is None:
            self._energies(cut, out)
            self._limit(self.compress(out, out))
        else:
            self._side_by_side(self._beside, cut, out)

    def _side_by_side(self, beside: Frontend, cut: Floats, out: Floats) -> None:
        """Compute two front-ends' frames that end with the same samples."""
        n, own = len(cut), self.config.own_bins
        if self._parts is None or len(self._parts[0]) < n:
            self._parts = np.empty((n, own), np.float32), np.empty((n, self.config.bins - own), np.float32)
        mine, other = self._parts[0][:n], self._parts[1][:n]
        self._energies(cut, mine)
        out[:, :own] = self._limit(self.compress(mine, mine))
        beside.compute(cut[:, self.config.frame_samples - beside.config.frame_samples :], other)
        out[:, own:] = other

    def _limit(self, frames: Floats) -> Floats:
        """Raise what lies too far under the loudest of its group, in place; the first frame begins a group."""
        if self._range > 0:
            size = self.config.group_frames
            whole = len(frames) - len(frames) % size
            for part, groups in ((frames[:whole], whole // size), (frames[whole:], 1)):
                if len(part):
                    rows = part.reshape(groups, -1)
                    np.maximum(rows, rows.max(axis=1, keepdims=True) - self._range, out=rows)
        return frames

    def _energies(self, cut: Floats, out: Floats) -> None:
        for at in range(0, len(cut), _BATCH):
            self._some(cut[at : at + _BATCH], out[at : at + _BATCH])

    def _some(self, cut: Floats, out: Floats) -> None:
        """Work on at most `_BATCH` frames."""
        places = self._places.get(len(cut)) or self._places_for(len(cut))
        np.multiply(cut, self._hann, out=places.framed)
        np.fft.rfft(places.windowed, axis=-1, out=places.spectrum)
        np.multiply(places.parts, places.parts, out=places.squares)
        np.add(places.real, places.imag, out=places.power)
        if self.config.kind == "magnitude":
            np.sqrt(places.power, out=out)
            return
        # A matrix product would be free to sum in another order for another number of frames.
        places.power.take(self._taps, axis=1, out=places.products, mode="clip")
        np.multiply(places.products, self._weights, out=places.products)
        np.add.reduceat(places.products, self._bounds, axis=1, out=out)

    def _places_for(self, n: int) -> _Places:
        windowed, spectrum, squares = self._windowed[:n], self._spectrum[:n], self._squares[:n]
        places = self._places[n] = _Places(
            framed=windowed[:, : self.config.frame_samples],
            windowed=windowed,
            spectrum=spectrum,
            parts=spectrum.view(np.float32),
            squares=squares,
            real=squares[:, 0::2],
            imag=squares[:, 1::2],
            power=self._power[:n],
            products=self._products[:n],
        )
        return places


class _Places(NamedTuple):
    """Where so many frames are worked on: views, kept since making them takes as long as some of the arithmetic."""

    framed: Floats  # the part of `windowed` that a frame fills; the rest stays zero
    windowed: Floats
    spectrum: npt.NDArray[Any]  # complex64
    parts: Floats  # the same numbers: real and imaginary by turns
    squares: Floats  # of the parts
    real: Floats  # of the squares
    imag: Floats
    power: Floats
    products: Floats  # of bins and the weights that they have in the mel bands


class StreamingFrontend:
    """The same frames from blocks of any size, in memory that is kept.

    Frames come in whole steps: computing few at a time costs more.

    Parameters
    ----------
    config : FrontendConfig
        The front-end.
    first_frames, step_frames : int
        How many come together at first, and of how many the later ones come a multiple.
    at_once_s : float
        Seconds of audio worked on at once, at most, where so much is there.
    """

    def __init__(
        self, config: FrontendConfig, first_frames: int = 1, step_frames: int = 1, at_once_s: float = 1.0
    ) -> None:
        self.config = config
        self._frontend = Frontend(config)
        if first_frames % config.group_frames or step_frames % config.group_frames:
            raise ValueError(
                f"frames come {first_frames}, then {step_frames}: no whole groups of {config.group_frames}"
            )
        self._first, self._step = first_frames, step_frames
        self._overlap = config.frame_samples - config.hop_samples
        self._steps_at_once = max(1, int(at_once_s * config.sample_rate) // (step_frames * config.hop_samples))
        self.most_frames = max(first_frames, self._steps_at_once * step_frames)
        self._samples = np.zeros(config.samples_for(self.most_frames + step_frames), np.float32)
        self._cut = overlapping(self._samples, config)
        self.reset()

    def reset(self) -> None:
        """Forget everything, as after a gap."""
        self._fill = 0  # samples held, those of the frames before `_at` included
        self._at = 0  # the next frame, counted from the beginning of the memory
        self._begun = False  # whether the first frames came

    def push(self, block: Floats) -> Floats:
        """Take samples, shape (samples,); return the frames that are now complete, shape (frames, bins)."""
        parts = [np.empty((0, self.config.bins), np.float32)]
        while len(block):
            block = block[self.take(block) :]
            while count := self.complete():
                parts.append(np.empty((count, self.config.bins), np.float32))
                self.give(parts[-1])
        return np.concatenate(parts)

    def take(self, block: Floats) -> int:
        """Store samples for which there is room, at least one once `complete` says 0; return how many."""
        if self._fill + len(block) > len(self._samples) and self._at:
            first = self._at * self.config.hop_samples
            self._samples[: self._fill - first] = self._samples[first : self._fill]
            self._fill, self._at = self._fill - first, 0
        fill = self._fill
        self._fill = min(fill + len(block), len(self._samples))
        self._samples[fill : self._fill] = block[: self._fill - fill]
        return self._fill - fill

    def complete(self) -> int:
        """Return how many frames `give` would give now."""
        count = (self._fill - self._overlap) // self.config.hop_samples - self._at
        if self._begun:
            return min(count // self._step, self._steps_at_once) * self._step
        return self._first if count >= self._first else 0

    def give(self, out: Floats) -> Floats:
        """Compute the frames that are complete into `out`, shape (frames, bins).

        Returns
        -------
        float32, shape (samples,)
            What they are the first to see: a view that holds until the next `take`.
        """
        after = self._at + len(out)
        self._frontend.compute(self._cut[self._at : after], out)
        hop = self.config.hop_samples
        first = self._at * hop + (self._overlap if self._begun else 0)
        self._at, self._begun = after, True
        return self._samples[first : after * hop + self._overlap]


def overlapping(samples: Floats, config: FrontendConfig) -> Floats:
    """Cut contiguous samples, shape (samples,), into frames: a view of shape (frames, frame_samples)."""
    strides = (config.hop_samples * samples.itemsize, samples.itemsize)
    # Made by hand, since numpy's own helper takes longer than the transform.
    return np.ndarray((config.frames_in(len(samples)), config.frame_samples), np.float32, samples, 0, strides)


def hann(config: FrontendConfig) -> Floats:
    """Hann window, shape (frame_samples,), zeros around it where it is shorter."""
    n = config.window_samples or config.frame_samples
    period = n if config.window == "hann_periodic" else max(1, n - 1)
    window: Floats = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n) / period)).astype(np.float32)
    before = (config.frame_samples - n) // 2
    return np.asarray(np.pad(window, (before, config.frame_samples - n - before)), np.float32)


def mel_matrix(config: FrontendConfig) -> Floats:
    """Weights of the FFT's bins in the mel bands, shape (mel_bands, fft_size // 2 + 1)."""
    to_mel, to_hz = _SCALES[config.mel]
    low, high = (to_mel(hz) for hz in (config.low_hz, config.high_hz))
    edges = to_hz(np.linspace(low, high, config.mel_bands + 2))
    hz = np.arange(config.fft_size // 2 + 1) * (config.sample_rate / config.fft_size)
    rising = (hz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hz) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    if config.mel == "slaney":
        triangles *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return np.asarray(triangles, np.float32)


def _htk_mel(hz: Any) -> Any:
    return 2_595.0 * np.log10(1.0 + hz / 700.0)


def _htk_hz(mel: Any) -> Any:
    return 700.0 * (10.0 ** (mel / 2_595.0) - 1.0)


_BEND_HZ, _BEND_MEL, _LOG_STEP = 1_000.0, 15.0, math.log(6.4) / 27.0  # Slaney: straight to 1 kHz, then logarithmic


def _slaney_mel(hz: Any) -> Any:
    over = np.log(np.maximum(hz, _BEND_HZ) / _BEND_HZ) / _LOG_STEP
    return np.where(hz < _BEND_HZ, hz * _BEND_MEL / _BEND_HZ, _BEND_MEL + over)


def _slaney_hz(mel: Any) -> Any:
    over = _BEND_HZ * np.exp((np.maximum(mel, _BEND_MEL) - _BEND_MEL) * _LOG_STEP)
    return np.where(mel < _BEND_MEL, mel * _BEND_HZ / _BEND_MEL, over)


_SCALES: Final[Mapping[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]]] = {
    "htk": (_htk_mel, _htk_hz),
    "slaney": (_slaney_mel, _slaney_hz),
}


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
