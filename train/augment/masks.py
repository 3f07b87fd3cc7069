"""SpecAugment (Park et al. 2019): bands and stretches of time that are missing."""

from __future__ import annotations

import numpy as np

from spotter.arrays import Floats


def mask(rng: np.random.Generator, frames: Floats, *, share: float, value: float) -> None:
    """Blank bands and short times of some recordings in place; frames has shape (n, frames, bins)."""
    n, length, bins = frames.shape
    for row in np.flatnonzero(rng.random(n) < share):
        width = int(rng.integers(1, 6))
        at = int(rng.integers(0, bins - width))
        frames[row, :, at : at + width] = value
        for _ in range(2):
            width = int(rng.integers(1, 8))
            at = int(rng.integers(0, length - width))
            frames[row, at : at + width] = value
