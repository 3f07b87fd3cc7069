"""Noise that no recording holds: drawn spectra with drawn movement, as band powers."""

from __future__ import annotations

from typing import Any

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


def draw_notes(rng: np.random.Generator, n: int, frames: int, bins: int) -> Floats:
    """Band powers of mean 1 of plucked, struck and gliding notes, shape (n, frames, bins).

    A network that has heard little music takes a note's onset for a short word.
    """
    mel = np.linspace(_mel(60.0), _mel(7_600.0), bins)  # bands as the default front-end has them
    t = np.arange(frames, dtype=np.float32)
    power = np.empty((n, frames, bins), np.float32)
    for row in range(n):
        sound = np.full((frames, bins), 10.0 ** rng.uniform(-6.0, -2.0), np.float32)
        steepness, decay = rng.uniform(0.5, 4.0), rng.uniform(3.0, 60.0)
        glides = rng.random() < 0.3
        for _ in range(int(rng.integers(2, 16))):
            start, attack = rng.uniform(-20, frames), rng.uniform(0.5, 6.0)
            since = t - np.float32(start)
            envelope = np.where(since >= 0, np.minimum(1.0, (since + 1) / attack) * np.exp(-since / decay), 0.0)
            lowest = 60.0 * 2.0 ** rng.uniform(0.0, 5.0)
            harmonics = np.arange(1, rng.integers(2, 14))
            bend = 2.0 ** (rng.normal(0.0, 0.6) * np.clip(since / 40.0, 0.0, 1.0)) if glides else np.ones(frames)
            place = np.interp(_mel(lowest * bend[:, None] * harmonics), mel, np.arange(bins), right=-1.0)
            strength = (harmonics**-steepness * rng.exponential(1.0)).astype(np.float32)
            for k in range(len(harmonics)):
                heard = np.flatnonzero((place[:, k] >= 0) & (envelope > 0))
                low = np.minimum(place[heard, k].astype(np.intp), bins - 2)
                share = (place[heard, k] - low).astype(np.float32)
                loud = strength[k] * envelope[heard].astype(np.float32)
                sound[heard, low] += loud * (1 - share)
                sound[heard, low + 1] += loud * share
        power[row] = sound
    power *= np.exp(rng.standard_normal(power.shape, np.float32) * 0.3)
    return np.asarray(power / (power.sum(axis=2).mean(axis=1) + 1e-12)[:, None, None], np.float32)


def _mel(hz: Any) -> Any:
    return 2595.0 * np.log10(1.0 + np.asarray(hz) / 700.0)
