"""Where in a sequence a word ends: anywhere, as the windows of a listener happen to fall."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def draw_ends(rng: np.random.Generator, n: int, first: int, last: int, *, share: float = 1.0) -> npt.NDArray[np.intp]:
    """Frames at which `n` words end, from `first` to below `last`.

    share : of that range which is used, around its middle; with 0 every word ends at the same frame
    """
    middle, half = (first + last) / 2.0, (last - first) / 2.0
    low = round(middle - share * half)
    return np.asarray(rng.integers(low, max(low + 1, round(middle + share * half)), n), np.intp)
