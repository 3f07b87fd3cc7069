"""What a model said of clips whose truth is known, and what can be counted of that."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.settings import SILENCE, UNKNOWN
from train import calibration
from train.metrics import confusion, precision_recall_f1, share_limits

LEAST_CLIPS = 5  # of a speaker who is judged alone
_ABOVE = (0.5, 0.9)
_SHUFFLES = 200


@dataclass(frozen=True, slots=True)
class Answers:
    """One row per clip.

    true : a keyword, `_unknown_` or `_silence_`, whether or not the model has such a label
    speakers : who said it, "" where nobody did
    scores : float32, shape (clips, labels)
    """

    labels: tuple[str, ...]
    keywords: tuple[str, ...]
    true: tuple[str, ...]
    speakers: tuple[str, ...]
    scores: Floats

    @property
    def given(self) -> list[str]:
        """The label with the highest score of each clip."""
        return [self.labels[i] for i in self.scores.argmax(axis=1)]

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Which clips the model has a label for."""
        return np.array([t in self.labels for t in self.true], bool)

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Which clips got their label."""
        return np.array([t == g for t, g in zip(self.true, self.given, strict=True)], bool)

    def table(self) -> npt.NDArray[np.intp]:
        """Confusion matrix of the clips that the model has a label for, rows are what was said."""
        pairs = [(t, g) for t, g in zip(self.true, self.given, strict=True) if t in self.labels]
        return confusion([t for t, _ in pairs], [g for _, g in pairs], self.labels)

    def joined(self, other: Answers) -> Answers:
        """These and further answers of the same model."""
        true, speakers = self.true + other.true, self.speakers + other.speakers
        return Answers(self.labels, self.keywords, true, speakers, np.concatenate((self.scores, other.scores)))


def share(hits: int, of: int) -> dict[str, Any]:
    """A share as plain data, with its 95% limits; None where there is nothing to count."""
    low, high = share_limits(hits, of)
    return {"right": hits, "of": of, "share": hits / of if of else None, "limits": [low, high]}


def accuracy(answers: Answers) -> dict[str, Any]:
    """Shares that were right: over all labels and among the keywords; and who else was taken for a keyword."""
    table = answers.table()
    mine = [answers.labels.index(k) for k in answers.keywords]
    return {
        "all": share(int(np.trace(table)), int(table.sum())),
        "keywords": share(int(np.diag(table)[mine].sum()), int(table[mine].sum())),
        "taken": {name: _taken(answers, name) for name in (UNKNOWN, SILENCE) if name in answers.true},
    }


def per_label(answers: Answers) -> dict[str, Any]:
    """Precision, recall and F1 of each label, and the confusion matrix."""
    table = answers.table()
    figures = precision_recall_f1(table).tolist()
    return {
        "labels": {
            label: {
                "clips": int(row.sum()),
                "precision": precision,
                "recall": recall,
                "f1": f1,
                "recall_limits": list(share_limits(int(row[at]), int(row.sum()))),
            }
            for at, (label, row, (precision, recall, f1)) in enumerate(zip(answers.labels, table, figures, strict=True))
        },
        "confusion": {"labels": list(answers.labels), "rows_said_columns_given": table.tolist()},
    }


def calibrated(answers: Answers) -> dict[str, Any]:
    """Reliability of the winning score, over the clips that the model has a label for."""
    known = answers.known
    scores = answers.scores[known]
    truth = np.array([answers.labels.index(t) for t in answers.true if t in answers.labels], np.intp)
    bins = calibration.reliability(scores.max(axis=1), answers.right[known]) if len(scores) else []
    return {
        "clips": len(scores),
        "expected_calibration_error": calibration.expected_calibration_error(bins),
        "negative_log_likelihood": calibration.negative_log_likelihood(scores, truth),
        "bins": [
            {
                "low": b.low,
                "high": b.high,
                "clips": b.count,
                "score": b.score if b.count else None,
                "right": b.right if b.count else None,
            }
            for b in bins
        ],
    }


def by_speaker(answers: Answers, rng: np.random.Generator) -> dict[str, Any]:
    """Share that was right for each speaker of at least five clips, the worst tenth, and what chance would make of it.

    The worst tenth is picked by its result, so it looks bad even where all speakers are heard alike:
    `by_chance` is its mean when right and wrong answers are dealt out among the same clips anew.
    """
    clips: dict[str, list[int]] = {}
    for at, (speaker, known) in enumerate(zip(answers.speakers, answers.known.tolist(), strict=True)):
        if speaker and known:
            clips.setdefault(speaker, []).append(at)
    clips = {speaker: rows for speaker, rows in clips.items() if len(rows) >= LEAST_CLIPS}
    if not clips:
        return {"least_clips": LEAST_CLIPS, "speakers": {}, "worst": [], "mean": None, "worst_mean": None}
    right = answers.right
    shares = {speaker: float(right[rows].mean()) for speaker, rows in clips.items()}
    worst = _worst(shares)
    everyone = np.array([at for rows in clips.values() for at in rows])
    sizes = [len(rows) for rows in clips.values()]
    chance = [_worst_mean(sizes, right[rng.permutation(everyone)]) for _ in range(_SHUFFLES)]
    return {
        "least_clips": LEAST_CLIPS,
        "speakers": {s: {"clips": len(clips[s]), "right": shares[s]} for s in sorted(shares)},
        "mean": float(np.mean(list(shares.values()))),
        "worst": worst,
        "worst_mean": float(np.mean([shares[s] for s in worst])),
        "by_chance": float(np.mean(chance)),
    }


def _worst(shares: Mapping[str, float]) -> list[str]:
    return sorted(shares, key=lambda s: (shares[s], s))[: math.ceil(len(shares) / 10)]


def _worst_mean(sizes: Sequence[int], dealt: npt.NDArray[np.bool_]) -> float:
    """Mean of the worst tenth of speakers with so many clips each, answers in their order."""
    starts = np.cumsum([0, *sizes[:-1]])
    shares = np.sort(np.add.reduceat(dealt.astype(float), starts) / sizes)
    return float(shares[: math.ceil(len(shares) / 10)].mean())


def _taken(answers: Answers, name: str) -> dict[str, Any]:
    """How many clips of no keyword are taken for one: by the highest score, and with a score above 0.5 and 0.9."""
    rows = np.array([t == name for t in answers.true], bool)
    mine = [answers.labels.index(k) for k in answers.keywords]
    best = answers.scores[rows][:, mine].max(axis=1)
    first = np.isin(answers.scores[rows].argmax(axis=1), mine)
    return {
        "clips": int(rows.sum()),
        "best_is_a_keyword": int(first.sum()),
        **{f"above_{limit:g}": int((first & (best > limit)).sum()) for limit in _ABOVE},
    }
