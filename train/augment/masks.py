"""SpecAugment (Park et al. 2019): bands and stretches of time that are missing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats


def draw_masks(rng: np.random.Generator, n: int, length: int, bins: int, *, share: float) -> npt.NDArray[np.intp]:
    """Rectangles to blank, rows (recording, first frame, last, first band, last), last ones exclusive.

    `share` of the recordings lose one to five bands and, twice, one to seven frames.
    """
    boxes: list[tuple[int, int, int, int, int]] = []
    for row in np.flatnonzero(rng.random(n) < share).tolist():
        width = int(rng.integers(1, 6))
        at = int(rng.integers(0, bins - width))
        boxes.append((row, 0, length, at, at + width))
        for _ in range(2):
            width = int(rng.integers(1, 8))
            at = int(rng.integers(0, length - width))
            boxes.append((row, at, at + width, 0, bins))
    return np.asarray(boxes, np.intp).reshape(-1, 5)


def blank(frames: Floats, boxes: npt.NDArray[np.intp], value: float) -> None:
    """Write `value` into the rectangles, in place; frames has shape (n, frames, bins)."""
    for row, first, last, low, high in boxes.tolist():
        frames[row, first:last, low:high] = value


def mask(rng: np.random.Generator, frames: Floats, *, share: float, value: float) -> None:
    """Draw and blank; frames has shape (n, frames, bins)."""
    blank(frames, draw_masks(rng, *frames.shape, share=share), value)
