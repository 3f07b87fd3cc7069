"""Noise made up in samples, for those who have recorded none: hiss of any colour, hum, clatter, swells."""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy.fft

from spotter.arrays import Floats
from spotter.settings import SAMPLE_RATE

_STEEPEST_DB: Final = 7.0  # fall of the spectrum per octave: between white and steeper than brown
_HUM, _CLATTER, _SWELLS = 0.2, 0.25, 0.2  # shares; the rest is steady
_LOWEST_HZ: Final = 40.0
_TINY: Final = 1e-9


def draw_noise(rng: np.random.Generator, length: int) -> Floats:
    """Noise of mean square 1, float32, shape (length,)."""
    noise = _coloured(rng, length)
    kind = rng.random()
    if kind < _HUM:
        noise = noise * 0.5 + _hum(rng, length)
    elif kind < _HUM + _CLATTER:
        noise = noise * _clatter(rng, length)
    elif kind < _HUM + _CLATTER + _SWELLS:
        points = rng.normal(0.0, 6.0, max(3, length // (SAMPLE_RATE // 10)))
        swell_db = np.interp(np.arange(length), np.linspace(0, length, len(points)), points)
        noise = noise * (10.0 ** (swell_db / 20.0)).astype(np.float32)
    return np.asarray(noise / (np.sqrt(np.mean(np.square(noise))) + _TINY), np.float32)


def _coloured(rng: np.random.Generator, length: int) -> Floats:
    """Gaussian noise whose spectrum falls so many dB an octave, with ripples."""
    padded = scipy.fft.next_fast_len(length, real=True)
    hz = np.maximum(scipy.fft.rfftfreq(padded, 1.0 / SAMPLE_RATE), 1.0)
    octaves = np.log2(hz / 1_000.0)
    db = -rng.uniform(0.0, _STEEPEST_DB) * octaves
    for waves in (1, 2, 4):
        db += rng.normal(0.0, 4.0) * np.cos(np.pi * waves * (octaves / 6.0 + rng.uniform(0.0, 2.0)))
    db = np.where(hz < _LOWEST_HZ, -60.0, db)
    spectrum = rng.standard_normal((2, len(hz)), np.float32) * (10.0 ** (db / 20.0)).astype(np.float32)
    noise = scipy.fft.irfft(spectrum[0] + 1j * spectrum[1], padded)[:length]
    return np.asarray(noise / (noise.std() + _TINY), np.float32)


def _hum(rng: np.random.Generator, length: int) -> Floats:
    """Mains or a motor: harmonics of one low tone."""
    lowest_hz = rng.choice([50.0, 60.0, 100.0, 120.0]) * rng.uniform(0.98, 1.02) * rng.integers(1, 4)
    turns = np.arange(length, dtype=np.float32) * np.float32(2.0 * np.pi * lowest_hz / SAMPLE_RATE)
    steepness = rng.uniform(0.3, 2.0)
    hum = np.zeros(length, np.float32)
    for k in range(1, 12):
        strength = np.float32(rng.exponential() * k**-steepness)
        hum += strength * np.sin(k * turns + np.float32(rng.uniform(0.0, 2.0 * np.pi)))
    return np.asarray(hum / (hum.std() + _TINY) * rng.uniform(0.3, 1.5), np.float32)


def _clatter(rng: np.random.Generator, length: int) -> Floats:
    """Envelope of a few blows that die away."""
    level = np.full(length, 0.05, np.float32)
    for _ in range(int(rng.integers(1, 8))):
        at, decay = int(rng.integers(length)), rng.uniform(0.01, 0.3) * SAMPLE_RATE
        level[at:] += np.float32(rng.exponential()) * np.exp(-np.arange(length - at, dtype=np.float32) / decay)
    return level
