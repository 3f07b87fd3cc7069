"""Windows over embeddings laid end to end: where they lie, their scores by one line of weights, and peaks of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats

NEVER: Final = -1e9  # score where no whole window ends


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """Segments of embeddings, end to end.

    embeddings : float32, shape (n, size)
    length : intp, shape (segments,)
    place : intp, shape (n,), the number of an embedding in its segment
    """

    embeddings: Floats
    length: npt.NDArray[np.intp]
    place: npt.NDArray[np.intp]

    def ends(self, window: int) -> npt.NDArray[np.intp]:
        """Where windows end that lie wholly in a segment."""
        return np.flatnonzero(self.place >= window - 1)

    def windows(self, ends: npt.NDArray[np.intp], window: int) -> Floats:
        """Windows that end there, oldest embedding first, float32, shape (ends, window * size)."""
        cut = self.embeddings[ends[:, None] + np.arange(1 - window, 1)]
        return np.asarray(cut.reshape(len(ends), -1), np.float32)


def laid(embeddings: Floats, length: npt.NDArray[np.intp]) -> Laid:
    """Lay segments of these lengths."""
    starts = np.cumsum(length) - length
    return Laid(embeddings, length, np.arange(len(embeddings)) - np.repeat(starts, length))


def some(embeddings: Floats, length: npt.NDArray[np.intp], wanted: npt.NDArray[np.bool_]) -> Laid:
    """Lay the wanted segments only."""
    return laid(embeddings[np.repeat(wanted, length)], length[wanted])


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A linear score of a window: weights of shape (window, size), oldest embedding first, and a bias."""

    weights: Floats
    bias: float

    @property
    def window(self) -> int:
        """Embeddings in a window."""
        return len(self.weights)

    def moved(self, by: float) -> Line:
        """Return the line with `by` added to every score."""
        return Line(self.weights, self.bias + by)

    def scores(self, over: Laid) -> Floats:
        """Scores of all windows, float32, shape (n,), each where its window ends; NEVER where none does.

        A sum of shifted products: no window is ever copied.
        """
        products = over.embeddings @ self.weights.T
        out = np.full(len(products), self.bias, np.float32)
        for k in range(self.window):
            shift = self.window - 1 - k
            out[shift:] += products[: len(products) - shift, k]
        out[over.place < self.window - 1] = NEVER
        return out

    def of_windows(self, windows: Floats) -> Floats:
        """Scores of windows, shape (n, window * size)."""
        return np.asarray(windows @ self.weights.ravel() + np.float32(self.bias), np.float32)


def peaks(scores: Floats, apart: int, most: int = 2_000) -> npt.NDArray[np.intp]:
    """Where the highest scores are that lie more than `apart` windows from each other's, highest first.

    Each is what a listener would report once. Of the scores, the 20 * `most` highest are looked at.
    """
    count = min(len(scores), 20 * most)
    order = np.argpartition(-scores, count - 1)[:count]
    order = order[np.argsort(-scores[order], kind="stable")]
    taken = np.zeros(len(scores), bool)
    found: list[int] = []
    for at in order.tolist():
        if scores[at] <= NEVER or len(found) == most:
            break
        if not taken[at]:
            found.append(at)
            taken[max(0, at - apart) : at + apart + 1] = True
    return np.asarray(found, np.intp)
