"""What two public tests would print of our detections, by their own rules of counting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spotter.events import Detection
from train.metrics import Word

TOLERANCE_MS = 750.0
MOST_FALSE = MOST_MISSED = 8  # what MLPerf Tiny allows


@dataclass(frozen=True, slots=True)
class TensorflowFigures:
    """Counts of TensorFlow's streaming test, whose percentages are of all words that were said."""

    said: int
    matched: int
    correct: int
    wrong: int
    false: int

    def as_dict(self) -> dict[str, Any]:
        """Return counts and percentages as the test prints them."""
        share = {k: 100.0 * getattr(self, k) / max(1, self.said) for k in ("matched", "correct", "wrong", "false")}
        counts = {k: getattr(self, k) for k in ("said", "matched", "correct", "wrong", "false")}
        return {**counts, **{f"{k}_percent": round(v, 1) for k, v in share.items()}}


def tensorflow_figures(
    detections: Sequence[Detection],
    words: Sequence[Word],
    keywords: Sequence[str],
    *,
    others: bool = True,
    tolerance_ms: float = TOLERANCE_MS,
) -> TensorflowFigures:
    """Count as accuracy_utils of tensorflow/examples/speech_commands does (TensorFlow, Apache-2.0).

    There a detection has the time at which its window of one second begins, and is compared with the first
    word whose clip begins within the tolerance of that: `correct` if the label is right and nothing was
    compared with that word before, else `wrong`; `false` where there is no such word. Words that are no
    keywords count among those said, under one label. Ours never reports them, so at most 70% can match there.

    One thing differs: a truth file knows where a word ends, not where its clip of a second begins; so the end
    of a detection's window is compared with the word's end, and not their beginnings.

    others : whether words that are no keywords count; without them what is reported there is `false`
    """
    said = sorted((w for w in words if others or w.word in keywords), key=lambda w: w.end)
    compared: set[int] = set()
    correct = wrong = false = 0
    for d in sorted(detections, key=lambda d: d.time_sample):
        near = [i for i, w in enumerate(said) if abs(d.time - w.end) * 1_000.0 <= tolerance_ms]
        if not near:
            false += 1
            continue
        if said[near[0]].word == d.keyword and near[0] not in compared:
            correct += 1
        else:
            wrong += 1
        compared.add(near[0])
    return TensorflowFigures(len(said), len(compared), correct, wrong, false)


@dataclass(frozen=True, slots=True)
class MlperfFigures:
    """Counts of MLPerf Tiny's streaming wake word."""

    true_positives: int
    false_negatives: int
    false_positives: int

    def as_dict(self) -> dict[str, Any]:
        """Return the counts, and whether they are within what the closed division allows."""
        passed = self.false_negatives <= MOST_MISSED and self.false_positives <= MOST_FALSE
        return {
            "true_positives": self.true_positives,
            "false_negatives": self.false_negatives,
            "false_positives": self.false_positives,
            "within_limits": passed,
        }


def mlperf_figures(detections: Sequence[Detection], words: Sequence[Word], keywords: Sequence[str]) -> MlperfFigures:
    """Count as calc_detection_stats of mlcommons/tiny's runner does (streaming_ww_utils.py, Apache-2.0).

    A word is found if anything is reported from its start to a second after its end, and all that is
    reported there is used up; of what is left, that within a second of a false positive is no second one.
    The original has one wake word; here each keyword is counted for itself, and the counts are added.
    """
    hits = misses = false = 0
    for keyword in keywords:
        times = sorted(d.time for d in detections if d.keyword == keyword)
        for word in sorted((w for w in words if w.word == keyword), key=lambda w: w.start):
            left = [t for t in times if not word.start <= t <= word.end + 1.0]
            hits += len(left) < len(times)
            misses += len(left) == len(times)
            times = left
        last = float("-inf")
        for time in times:
            if time > last + 1.0:
                false += 1
                last = time
    return MlperfFigures(hits, misses, false)


def figures(
    detections: Sequence[Detection], words: Sequence[Word], keywords: Sequence[str], kind: str
) -> Mapping[str, Any]:
    """The figures that belong to a kind of stream; none for kinds of our own."""
    if kind == "tensorflow":
        return {
            "all_words": tensorflow_figures(detections, words, keywords).as_dict(),
            "keywords_only": tensorflow_figures(detections, words, keywords, others=False).as_dict(),
        }
    return mlperf_figures(detections, words, keywords).as_dict() if kind == "mlperf" else {}
