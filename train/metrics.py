"""Pure counting: detections against truth, accuracy, and limits on every rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, chi2

from spotter.events import Detection

_LATE_S = 1.0  # a decision may come so long after the end of its word


@dataclass(frozen=True, slots=True)
class Word:
    """A word that was truly said; times in seconds of the recording."""

    word: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Matched:
    """What detections and truth have to do with each other."""

    found: tuple[tuple[Word, Detection], ...]
    missed: tuple[Word, ...]
    duplicates: tuple[Detection, ...]
    false: tuple[Detection, ...]  # no such word there

    @property
    def delays(self) -> npt.NDArray[np.float64]:
        """Seconds from the end of each found word to its decision."""
        return np.array([d.time - w.end for w, d in self.found])


def match(detections: Sequence[Detection], words: Sequence[Word], keywords: Sequence[str]) -> Matched:
    """Give each keyword that was said its first detection from its start to a second after its end.

    A word's end is a convention (the last moment within 30 dB of its loudest), which noise in the
    recording moves; so a decision may come before it.
    """
    wanted = [w for w in words if w.word in keywords]
    taken: dict[int, Detection] = {}
    duplicates: list[Detection] = []
    false: list[Detection] = []
    for d in sorted(detections, key=lambda d: d.time_sample):
        here = [i for i, w in enumerate(wanted) if w.word == d.keyword and w.start < d.time <= w.end + _LATE_S]
        free = [i for i in here if i not in taken]
        if free:
            taken[free[0]] = d
        else:
            (duplicates if here else false).append(d)
    found = tuple((wanted[i], d) for i, d in sorted(taken.items()))
    missed = tuple(w for i, w in enumerate(wanted) if i not in taken)
    return Matched(found, missed, tuple(duplicates), tuple(false))


def share_limits(hits: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson limits (1934) of a share."""
    if of == 0:
        return 0.0, 1.0
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, of - hits + 1))
    high = 1.0 if hits == of else float(beta.ppf(1.0 - tail, hits + 1, of - hits))
    return low, high


def rate_limits(count: int, hours: float, confidence: float = 0.95) -> tuple[float, float]:
    """Exact Poisson limits (Garwood 1936) of events per hour; with no event the upper one is one-sided: 3.0 / hours."""
    if count == 0:
        return 0.0, float(-np.log(1.0 - confidence) / hours)
    tail = (1.0 - confidence) / 2.0
    low = float(chi2.ppf(tail, 2 * count) / 2.0 / hours)
    return low, float(chi2.ppf(1.0 - tail, 2 * (count + 1)) / 2.0 / hours)


def confusion(true: Sequence[str], given: Sequence[str], labels: Sequence[str]) -> npt.NDArray[np.intp]:
    """Count (true, given) pairs, shape (labels, labels), rows are what was said."""
    table = np.zeros((len(labels), len(labels)), np.intp)
    index = {label: i for i, label in enumerate(labels)}
    for t, g in zip(true, given, strict=True):
        table[index[t], index[g]] += 1
    return table


def precision_recall_f1(table: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Per label, shape (labels, 3), from a confusion matrix."""
    hit = np.diag(table).astype(np.float64)
    precision = hit / np.maximum(1, table.sum(axis=0))
    recall = hit / np.maximum(1, table.sum(axis=1))
    return np.stack([precision, recall, 2 * precision * recall / np.maximum(1e-12, precision + recall)], axis=1)
