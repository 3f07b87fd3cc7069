"""Pure counting: detections against truth, accuracy, and limits on every rate."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, chi2

from spotter.events import Detection

LATE_S = 1.0  # a decision may come so long after the end of its word


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
    recording moves; so a decision may come before it. Where a keyword is said again within that second,
    and one of the two was missed, the detection belongs to the one whose end is nearer.
    """
    wanted = [w for w in words if w.word in keywords]
    by_word: dict[str, list[int]] = {}
    for i in sorted(range(len(wanted)), key=lambda i: wanted[i].start):
        by_word.setdefault(wanted[i].word, []).append(i)
    ends = {k: _latest_so_far([wanted[i].end for i in own]) for k, own in by_word.items()}
    taken: dict[int, Detection] = {}
    duplicates: list[Detection] = []
    false: list[Detection] = []
    for d in sorted(detections, key=lambda d: d.time_sample):
        own = by_word.get(d.keyword, [])
        first = bisect_left(ends.get(d.keyword, []), d.time - LATE_S - 1e-6)  # those before are over
        here = []
        for i in own[first:]:
            if wanted[i].start >= d.time:
                break
            if d.time <= wanted[i].end + LATE_S:
                here.append(i)
        free = [i for i in here if i not in taken]
        if free:
            taken[free[0]] = d
        else:
            (duplicates if here else false).append(d)
    for own in by_word.values():
        _move_to_nearer(taken, own, wanted)
    found = tuple((wanted[i], d) for i, d in sorted(taken.items()))
    missed = tuple(w for i, w in enumerate(wanted) if i not in taken)
    return Matched(found, missed, tuple(duplicates), tuple(false))


def _latest_so_far(values: Sequence[float]) -> list[float]:
    return list(accumulate(values, max))


def _move_to_nearer(taken: dict[int, Detection], own: Sequence[int], wanted: Sequence[Word]) -> None:
    """Hand a detection on to a later missed word of the same keyword where that one's end is nearer; none is lost."""
    for at in range(len(own) - 1, -1, -1):
        d = taken.get(own[at])
        best = own[at]
        for i in own[at + 1 :]:
            if d is None or i in taken or wanted[i].start >= d.time:
                break
            if abs(d.time - wanted[i].end) < abs(d.time - wanted[best].end):
                best = i
        if d is not None and best != own[at]:
            taken[best] = taken.pop(own[at])


def together(parts: Iterable[Matched]) -> Matched:
    """Several streams in one count."""
    kept = list(parts)
    return Matched(
        tuple(f for p in kept for f in p.found),
        tuple(m for p in kept for m in p.missed),
        tuple(d for p in kept for d in p.duplicates),
        tuple(f for p in kept for f in p.false),
    )


def blame(detection: Detection, words: Sequence[Word]) -> str:
    """What was said where a keyword was reported wrongly: the last word begun that is over for a second at most.

    "" where nothing was said, or nothing that the truth file names.
    """
    near = [w for w in words if w.start < detection.time <= w.end + LATE_S]
    return max(near, key=lambda w: w.start).word if near else ""


def confusions(false: Iterable[tuple[Detection, Sequence[Word]]]) -> dict[str, dict[str, int]]:
    """Count for each keyword that was reported wrongly what was said there; each with the words of its stream."""
    counts: dict[str, dict[str, int]] = {}
    for detection, words in false:
        row = counts.setdefault(detection.keyword, {})
        said = blame(detection, words)
        row[said] = row.get(said, 0) + 1
    return {k: dict(sorted(row.items(), key=lambda item: (-item[1], item[0]))) for k, row in sorted(counts.items())}


def latency(delays: npt.NDArray[np.float64]) -> tuple[float, float] | None:
    """Median and 95th percentile in seconds; None where nothing was found."""
    if not delays.size:
        return None
    return float(np.median(delays)), float(np.percentile(delays, 95))


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
