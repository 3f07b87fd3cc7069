"""Whether a score of 0.9 is right nine times in ten: reliability, expected calibration error, likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats

BINS = 15  # as Guo et al. have them


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers whose winning score lies in [low, high), the last bin with 1."""

    low: float
    high: float
    count: int
    score: float  # mean of the winning scores; NaN where there are none
    right: float  # share that was right; NaN where there are none


def reliability(scores: Floats, right: npt.NDArray[np.bool_], bins: int = BINS) -> list[Bin]:
    """Sort winning scores, shape (n,), into bins of equal width."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    where = np.minimum((scores * bins).astype(int), bins - 1)
    out = []
    for at in range(bins):
        here = where == at
        count = int(here.sum())
        mean, share = (float(np.mean(x[here])) if count else float("nan") for x in (scores, right))
        out.append(Bin(float(edges[at]), float(edges[at + 1]), count, mean, share))
    return out


def expected_calibration_error(bins: list[Bin]) -> float:
    """Mean distance of score and share that was right, weighted by the count (Guo et al. 2017, arXiv:1706.04599)."""
    total = sum(b.count for b in bins)
    return sum(b.count * abs(b.score - b.right) for b in bins if b.count) / max(1, total)


def negative_log_likelihood(scores: Floats, truth: npt.NDArray[np.intp]) -> float:
    """Mean of minus the logarithm of the true label's score; scores (n, labels), truth (n,) positions of labels."""
    if not len(truth):
        return float("nan")
    own = scores[np.arange(len(truth)), truth].astype(np.float64)
    return float(-np.log(np.maximum(own, 1e-7)).mean())
