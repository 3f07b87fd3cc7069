"""Noise that no recording holds: drawn spectra with drawn movement, as band powers."""

from __future__ import annotations

import numpy as np

from spotter.arrays import Floats


def draw_synthetic(rng: np.random.Generator, n: int, frames: int, bins: int) -> Floats:
    """Band powers of mean 1 over a recording, shape (n, frames, bins).

    Hiss and rumble of any colour, hums (a few bands only), and clatter (short bursts that die away).
    """
    x = np.linspace(-1.0, 1.0, bins)
    db = rng.normal(0.0, 10.0, (n, 1)) * x
    for waves in (1, 2, 4):
        db = db + rng.normal(0.0, 4.0, (n, 1)) * np.cos(np.pi * waves * (x + rng.uniform(0, 2, (n, 1))))
    hums = rng.random((n, 1)) < 0.2
    db = db + np.where(hums & (rng.random((n, bins)) < 0.15), 20.0, 0.0)
    power = np.exp(
        rng.standard_normal((n, frames, bins), np.float32) * 0.7 + (db * 0.2303).astype(np.float32)[:, None, :]
    )
    bursts = np.where(rng.random((n, frames)) < rng.choice([0.0, 0.02, 0.06], (n, 1)), 1.0, 0.0)
    decay = np.exp(-1.0 / rng.uniform(1.0, 12.0, n))
    level = np.zeros((n, frames), np.float32)
    now = np.zeros(n)
    heights = rng.exponential(1.0, (n, frames)) * bursts
    for t in range(frames):
        now = np.maximum(now * decay, heights[:, t])
        level[:, t] = now
    clatter = (rng.random(n) < 0.4) & (level.max(axis=1) > 0)
    power *= np.where(clatter[:, None], level + 1e-3, 1.0).astype(np.float32)[:, :, None]
    return np.asarray(power / (power.sum(axis=2).mean(axis=1) + 1e-12)[:, None, None], np.float32)
