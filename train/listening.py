"""What a trained model hears in each of many recordings, on all cores, and how far that is from their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from spotter.model import Model
from spotter.settings import UNKNOWN
from train.bank import read
from train.data import Row
from train.hearing import Hearing
from train.workers import each

_CHUNK: Final = 128  # recordings that a worker takes at once


@dataclass(frozen=True, slots=True)
class Heard:
    """The label that scored highest and its score; minus the logarithm of the score of the label it should be."""

    label: str
    score: float
    loss: float
    wrong: bool


def hear_all(model: str | Path, rows: Sequence[Row]) -> list[Heard]:
    """Let a model hear recordings of words; those that are no keyword of it should be `_unknown_`."""
    chunks = [rows[at : at + _CHUNK] for at in range(0, len(rows), _CHUNK)]
    parts = each(partial(_hear_some, model), chunks, what="recordings heard")
    return [heard for part in parts for heard in part]


def _hear_some(name: str | Path, rows: Sequence[Row]) -> list[Heard]:
    model = Model.open(name)
    hearing = Hearing(model)
    out = []
    for row in rows:
        scores = hearing.scores(read(row.path))
        right = row.word if row.word in model.keywords else UNKNOWN
        at = int(scores.argmax())
        score = float(scores[model.labels.index(right)]) if right in model.labels else 1.0
        wrong = model.labels[at] != right and right in model.labels
        out.append(Heard(model.labels[at], float(scores[at]), float(-np.log(max(score, 1e-12))), wrong))
    return out
