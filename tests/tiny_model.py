"""The tiny model of the tests, and sound for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spotter.arrays import Floats

ROOT = Path(__file__).parent.parent
TINY = ROOT / "tests/data/models/tiny"


def sound(samples: int) -> Floats:
    """Tones and noise that come and go, shape (samples,)."""
    rng = np.random.default_rng(3)
    t = np.arange(samples) / 16_000
    tone = np.sin(2 * np.pi * (300 + 900 * np.sin(t)) * t) * np.abs(np.sin(2.5 * t)) * 0.5
    return (tone + rng.standard_normal(samples) * 0.02).astype(np.float32)
