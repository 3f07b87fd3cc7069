"""Running speech that holds no keyword: in what share of its windows, one every 100 ms, a keyword is heard."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.model import Model
from spotter.settings import SAMPLE_RATE
from train.bank import read
from train.data import Row, speech_rows
from train.evaluate import score
from train.metrics import rate_limits
from train.progress import track

LIMITS = (0.9, 0.5)
_AFTER_S = 0.3  # of silence after a recording, in which its last word is judged
_CLOSE_S = 1.0  # windows above a limit that are nearer than that are one place
_RESAMPLED = 2_000
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard in one recording.

    ends : float64, shape (windows,), seconds; scores : float32, shape (windows, keywords)
    """

    row: Row
    seconds: float
    ends: npt.NDArray[np.float64]
    scores: Floats


def free_rows(folder: Path, keywords: Sequence[str]) -> list[Row]:
    """Recordings of the validation speakers that are known to hold none of the keywords.

    What nobody has searched ("?" in the table beside the folder) is left out, in any language.
    """
    table = folder.with_suffix(".tsv")
    unsearched = set()
    if table.is_file():
        with table.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            unsearched = {row["path"] for row in rows if (row["keywords"] or "").strip() == "?"}
    return [
        row
        for row in speech_rows(folder, keywords)
        if row.split == "validation" and f"{folder.name}/{row.path.parent.name}/{row.path.name}" not in unsearched
    ]


def hear(model: Model, rows: Sequence[Row]) -> list[Heard]:
    """Score every window of recordings, each on its own in silence, at the hop nearest to 100 ms."""
    mine = [model.labels.index(k) for k in model.keywords]
    out = []
    for row in track(rows, total=len(rows), what="speech without keywords"):
        samples = read(row.path)
        if not len(samples):
            continue
        scored = score(model, samples)
        judged = (scored.ends > 0) & (scored.ends <= len(samples) + _AFTER_S * SAMPLE_RATE)
        out.append(Heard(row, scored.seconds, scored.ends[judged] / SAMPLE_RATE, scored.scores[judged][:, mine]))
    return out


def summary(heard: Sequence[Heard], keywords: Sequence[str], rng: np.random.Generator) -> dict[str, Any]:
    """Shares of windows with any keyword above 0.9 and 0.5, per keyword too, and the places that fool most."""
    windows = sum(len(h.ends) for h in heard)
    return {
        "recordings": len(heard),
        "speakers": len({h.row.speaker for h in heard}),
        "hours": _hours(heard),
        "windows": windows,
        "above": {f"{limit:g}": _above(heard, keywords, limit, rng) for limit in LIMITS},
        "worst": _worst(heard, keywords),
    }


def _above(heard: Sequence[Heard], keywords: Sequence[str], limit: float, rng: np.random.Generator) -> dict[str, Any]:
    windows = sum(len(h.ends) for h in heard)
    hits = [h.scores.max(axis=1) > limit for h in heard]
    count = sum(int(x.sum()) for x in hits)
    places = sum(len(_places(h.ends[x])) for h, x in zip(heard, hits, strict=True))
    hours = _hours(heard)
    return {
        "windows": count,
        "share": count / max(1, windows),
        "limits": _limits([h.row.speaker for h in heard], hits, rng),
        "places": places,
        "places_per_hour": places / hours if windows else None,
        "places_per_hour_limits": list(rate_limits(places, hours)) if windows else None,
        "keywords": {k: int(sum((h.scores[:, i] > limit).sum() for h in heard)) for i, k in enumerate(keywords)},
    }


def _hours(heard: Sequence[Heard]) -> float:
    return sum(h.seconds for h in heard) / 3_600


def _limits(speakers: Sequence[str], hits: Sequence[npt.NDArray[np.bool_]], rng: np.random.Generator) -> list[float]:
    """95% limits of the share, by drawing speakers anew: windows of one voice are not independent.

    With no hit at all the upper limit is 3 in the number of windows, as if they were.
    """
    names = sorted(set(speakers))
    index = {name: i for i, name in enumerate(names)}
    table = np.zeros((len(names), 2))
    for name, x in zip(speakers, hits, strict=True):
        table[index[name]] += x.sum(), len(x)
    if not table[:, 0].any():
        return [0.0, float(3.0 / max(3.0, table[:, 1].sum()))]
    drawn = table[rng.integers(0, len(names), (_RESAMPLED, len(names)))].sum(axis=1)
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], (2.5, 97.5))
    return [float(low), float(high)]


def _places(times: npt.NDArray[np.float64]) -> list[float]:
    """Firsts of runs of times that are near each other."""
    out: list[float] = []
    last = -np.inf
    for time in times.tolist():
        if time - last > _CLOSE_S:
            out.append(time)
        last = time
    return out


def _worst(heard: Sequence[Heard], keywords: Sequence[str]) -> list[dict[str, Any]]:
    """The recordings with the highest scores, and where."""
    found = []
    for h in heard:
        if len(h.ends):
            window, word = np.unravel_index(int(h.scores.argmax()), h.scores.shape)
            found.append((float(h.scores[window, word]), keywords[int(word)], float(h.ends[window]), h.row))
    found.sort(key=lambda f: -f[0])
    return [
        {
            "file": f"{row.speaker}/{row.path.name}",
            "keyword": word,
            "score": round(value, 3),
            "seconds": round(at, 1),
        }
        for value, word, at, row in found[:_SHOWN]
    ]
