"""An utterance in its surroundings: what was recorded around it, and beyond that a floor grown from its quietest part.

A listener never hears an utterance on digital silence; nor may a head tell own words by a silence that
only recordings of own words have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.fft

from spotter.arrays import Floats

_PIECE: Final = 2_048  # samples of the quietest stretch
_FADE: Final = 320
_ROUNDING: Final = 1e-5
_DIGITAL_ZERO: Final = 1e-10  # mean square under which nothing was recorded
_HISS_DBFS: Final = (-85.0, -65.0)  # where a recording has no floor of its own


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Samples, and between which of them the utterance lies."""

    samples: Floats
    first: int
    end: int


def surrounded(rng: np.random.Generator, scene: Scene, before: int, after: int, *, silent: bool = False) -> Scene:
    """Return the utterance with so many samples before and after it, made up where they were not recorded.

    silent : zeros instead
    """
    length = scene.end - scene.first
    left, right = min(scene.first, before), min(len(scene.samples) - scene.end, after)
    out = np.zeros(before + length + after, np.float32)
    there = slice(before - left, before + length + right)
    out[there] = scene.samples[scene.first - left : scene.end + right]
    floor = np.zeros_like(out) if silent else grown(rng, scene.samples, len(out))
    return Scene(_filled(out, there, floor), before, before + length)


def part(rng: np.random.Generator, scene: Scene, first: float, end: float) -> Scene:
    """Return the scene with only a part of the utterance in it; floor where the rest was, still called the utterance.

    first, end : shares of the utterance's length
    """
    length = scene.end - scene.first
    kept = slice(scene.first + round(first * length), scene.first + round(end * length))
    floor = grown(rng, scene.samples, length)
    samples = scene.samples.copy()
    inside = slice(kept.start - scene.first, kept.stop - scene.first)
    samples[scene.first : scene.end] = _filled(samples[scene.first : scene.end], inside, floor)
    return Scene(samples, scene.first, scene.end)


def grown(rng: np.random.Generator, samples: Floats, length: int) -> Floats:
    """Noise with the level and spectrum of the recording's quietest 0.13 s, float32, shape (length,)."""
    samples = np.pad(samples, (0, max(0, _PIECE - len(samples))))
    cut = np.lib.stride_tricks.sliding_window_view(samples, _PIECE)[:: _PIECE // 4]
    power = np.mean(np.square(cut), axis=1)
    recorded = np.flatnonzero(power > _DIGITAL_ZERO)
    if not recorded.size:
        return rng.standard_normal(length, np.float32) * np.float32(10.0 ** (rng.uniform(*_HISS_DBFS) / 20.0))
    quietest = recorded[power[recorded].argmin()]
    window = np.hanning(_PIECE).astype(np.float32)
    magnitude = np.abs(scipy.fft.rfft(cut[quietest] * window)) / np.sqrt(np.mean(np.square(window)))
    padded = scipy.fft.next_fast_len(length, real=True)
    bins = padded // 2 + 1
    shape = np.interp(np.linspace(0.0, 1.0, bins), np.linspace(0.0, 1.0, len(magnitude)), magnitude)
    random = rng.standard_normal((2, bins), np.float32) * np.float32(np.sqrt(padded / _PIECE / 2.0))
    spectrum = (random[0] + 1j * random[1]) * shape.astype(np.float32)
    return np.asarray(scipy.fft.irfft(spectrum, padded)[:length], np.float32)


def _filled(samples: Floats, kept: slice, floor: Floats) -> Floats:
    """`samples` where they are kept, `floor` elsewhere, faded into each other."""
    share = np.zeros(len(samples) + 2 * _FADE, np.float32)
    share[_FADE:-_FADE][kept] = 1.0
    if kept.start <= 0:
        share[:_FADE] = 1.0
    if kept.stop >= len(samples):
        share[-_FADE:] = 1.0
    share = np.convolve(share, np.full(_FADE, 1.0 / _FADE, np.float32), mode="same")[_FADE:-_FADE]
    share[share > 1.0 - _ROUNDING] = 1.0  # what was recorded stays as it is, whatever a processor rounds
    return np.asarray(samples * share + floor * np.sqrt(1.0 - np.clip(share, 0.0, 1.0)), np.float32)
