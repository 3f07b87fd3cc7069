"""Recordings without the keywords that fool a finished model, through the listener's own pipeline.

Each recording is heard as it is and in augmented copies. What was found of one is written down at
once, so that a run that was stopped, or is given more speech, goes on with the rest.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.settings import SAMPLE_RATE
from train.augment.copies import Copy, draw_copy, lay
from train.bank import read
from train.data import Row
from train.evaluate import Scored
from train.hard import CLOSE_S, Hard, key_of


@dataclass(frozen=True, slots=True)
class Heard:
    """What a model made of one recording: the copies with their lengths, and the places that fooled it."""

    path: str
    copies: tuple[tuple[Copy, float], ...]  # with seconds heard
    places: tuple[Hard, ...]
    problem: str = ""  # why it was passed over


def peaks(scored: Scored, keywords: Mapping[str, int], least: float) -> list[tuple[int, str, float]]:
    """End samples, keywords and scores of the windows that score a keyword `least` or more.

    Of windows closer than half a second only the one with the highest score.
    """
    names, columns = list(keywords), list(keywords.values())
    which = scored.scores[:, columns].argmax(axis=1)
    best = scored.scores[:, columns].max(axis=1)
    out: list[tuple[int, str, float]] = []
    for at in np.argsort(-best, kind="stable")[: int(np.sum(best >= least))].tolist():
        end = int(scored.ends[at])
        if all(abs(end - other) >= CLOSE_S * SAMPLE_RATE for other, _, _ in out):
            out.append((end, names[which[at]], float(best[at])))
    return sorted(out)


def hear(
    row: Row,
    score: Callable[[Floats], Scored],
    keywords: Mapping[str, int],
    noise: Mapping[str, Floats],
    *,
    least: float,
    copies: int,
    seed: int,
) -> Heard:
    """Run a model over one recording and its copies, which depend on the seed and the recording's name alone."""
    path = key_of(row.path)
    try:
        samples = read(row.path)
    except soundfile.LibsndfileError as error:
        return Heard(path, (), (), f"cannot be read ({error})")
    if not len(samples) or not np.isfinite(samples).all():
        return Heard(path, (), (), "is empty or holds values that are no numbers")
    rng = np.random.default_rng([seed, *path.encode()])
    heard, places = [], []
    for number in range(copies + 1):
        copy = draw_copy(rng, number, samples, noise) if number else Copy()
        sound = lay(samples, copy, noise) if number else samples
        heard.append((copy, len(sound) / SAMPLE_RATE))
        places += [
            Hard(path=path, time=max(0, round(end * copy.speed)), keyword=keyword, score=score_, copy=copy)
            for end, keyword, score_ in peaks(score(sound), keywords, least)
        ]
    return Heard(path, tuple(heard), tuple(places))


class Diary:
    """What was heard so far: lines of JSON in a file, the first one the settings that all depend on."""

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        self.heard: dict[str, Heard] = {}
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        own = json.dumps(settings, sort_keys=True)
        if lines and lines[0] != own:
            raise BadInputError(
                f"{path} was begun with other settings or another model; give another --out, or --force"
            )
        good = [own]
        for line in lines[1:]:
            try:
                found = _heard(json.loads(line))
            except ValueError:  # a run that was killed while it wrote
                break
            self.heard[found.path] = found
            good.append(line)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(good) + "\n", "utf-8")

    def add(self, found: Heard) -> None:
        """Write down one recording."""
        self.heard[found.path] = found
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dataclasses.asdict(found)) + "\n")


def _heard(values: Mapping[str, Any]) -> Heard:
    places = tuple(Hard(**{**p, "copy": Copy(**p["copy"])}) for p in values["places"])
    return Heard(values["path"], tuple((Copy(**c), s) for c, s in values["copies"]), places, values["problem"])


def summary(heard: Iterable[Heard], keywords: Sequence[str]) -> list[dict[str, Any]]:
    """Hours, places and places per hour by keyword: of each copy, and of the copies in a room or in noise."""
    everything = list(heard)
    numbers = sorted({c.number for h in everything for c, _ in h.copies})
    kinds: dict[str, Callable[[Copy], bool]] = {
        ("as it is" if n == 0 else f"copy {n}"): (lambda c, n=n: c.number == n)  # type: ignore[misc]
        for n in numbers
    }
    if len(numbers) > 1:
        kinds["copies in a room"] = lambda c: c.room is not None
        kinds["copies in noise"] = lambda c: c.snr_db is not None
    out = []
    for name, belongs in kinds.items():
        seconds = sum(s for h in everything for c, s in h.copies if belongs(c))
        found = [p.keyword for h in everything for p in h.places if belongs(p.copy)]
        hours = seconds / 3_600
        rates = {k: round(found.count(k) / max(hours, 1e-9), 2) for k in keywords}
        out.append(
            {
                "copy": name,
                "hours": round(hours, 3),
                "places": len(found),
                "per_hour": round(len(found) / max(hours, 1e-9), 2),
                "per_hour_by_keyword": rates,
            }
        )
    return out
