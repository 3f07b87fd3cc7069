"""Microphones, rooms and voices as curves over the mel bands: tilt, ripples, band limits, warp."""

from __future__ import annotations

import numpy as np

from spotter.arrays import Floats


def draw_gains(
    rng: np.random.Generator,
    n: int,
    bins: int,
    *,
    tilt_db: float = 4.0,
    ripple_db: float = 2.0,
    band_limit: float = 0.08,
) -> Floats:
    """Power gains per band, shape (n, 1, bins): a tilt, slow ripples, sometimes a telephone's band.

    tilt_db : standard deviation of the gain at the highest band; the lowest has the opposite
    ripple_db : standard deviation of each of three waves over the bands
    band_limit : share of recordings without the lowest bands, and as many without the highest
    """
    x = np.linspace(-1.0, 1.0, bins)
    db = rng.normal(0.0, tilt_db, (n, 1)) * x
    for waves in (1, 2, 3):
        db = db + rng.normal(0.0, ripple_db, (n, 1)) * np.cos(np.pi * waves * (x + rng.uniform(0, 2, (n, 1))))
    low = np.where(rng.random((n, 1)) < band_limit, rng.integers(2, 7, (n, 1)), 0)
    high = np.where(rng.random((n, 1)) < band_limit, rng.integers(bins - 13, bins, (n, 1)), bins)
    band = np.arange(bins)
    db = db - 4.0 * np.maximum(0, low - band) - 4.0 * np.maximum(0, band - high)
    return np.asarray(10.0 ** (db / 10.0), np.float32)[:, None, :]


def warps(bins: int, factors: Floats) -> Floats:
    """Matrices that stretch the bands' axis, shape (factors, bins, bins): other vocal tracts."""
    out = np.zeros((len(factors), bins, bins), np.float32)
    for at, factor in enumerate(factors):
        source = np.clip(np.arange(bins) * factor, 0, bins - 1)
        low = np.minimum(source.astype(int), bins - 2)
        share = (source - low).astype(np.float32)
        out[at, low, np.arange(bins)] = 1.0 - share
        out[at, low + 1, np.arange(bins)] += share
    return out
