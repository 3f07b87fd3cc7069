"""How loud a word or running speech is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats

_FAINT = 0.15  # share of recordings that lie between the two lower levels
_LEVELS_DBFS = (-60.0, -45.0, -12.0)


def draw_levels(rng: np.random.Generator, own: Floats, *, share: float = 1.0) -> npt.NDArray[np.float64]:
    """Mean squares, full scale 1, drawn between -60 and -12 dBFS, mostly above -45.

    own : the recordings' own mean squares, shape (n,), which all but `share` of them keep
    """
    n = len(own)
    low, middle, high = _LEVELS_DBFS
    db = np.where(rng.random(n) < _FAINT, rng.uniform(low, middle, n), rng.uniform(middle, high, n))
    drawn = 10.0 ** (db / 10.0)
    if share >= 1.0:
        return np.asarray(drawn)
    return np.where(rng.random(n) < share, drawn, own)
