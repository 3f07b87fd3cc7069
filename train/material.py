"""The folders named on the command line, as pools of training and of validation material."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.errors import BadInputError
from train import bank, fragments
from train.bank import Bank
from train.data import Row, Split, noise_rows, phrase_rows, speech_rows, word_rows
from train.pools import Ints, Pools, pools
from train.recipe import Recipe

_FEWEST = 20  # clips of a keyword on the training side, under which a network learns nothing that holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """Where the recordings are; features are kept in `cache`.

    words : WORD/SPEAKER_nohash_N files; phrases : PHRASE/NAME files, all unknown to this model
    """

    words: Path
    cache: Path
    speech: Path | None = None
    noise: tuple[Path, ...] = ()
    phrases: Path | None = None


@dataclass(frozen=True, slots=True)
class Material:
    """Banks with the rows that they were made from; `frames` holds those of all, the banks look into it."""

    frames: Floats
    words: tuple[tuple[Bank, list[Row]], ...]
    speech: tuple[Bank, list[Row]]
    noise: tuple[Bank, list[Row]]
    fragments: Ints

    def pools(self, recipe: Recipe, split: Split) -> Pools:
        """Lay out one side of the split."""
        return pools(
            self.frames,
            [(b, [rows[i].word for i in b.row], _on(b, rows, split)) for b, rows in self.words],
            (self.speech[0], _on(*self.speech, split)),
            self.fragments,
            (self.noise[0], _on(*self.noise, split)),
            recipe.labels,
        )

    def summary(self) -> dict[str, Any]:
        """What was trained on: counts, hours, and a hash of the files' names and sizes."""
        out: dict[str, Any] = {}
        hour = 360_000.0  # frames of 10 ms
        named = {**{f"words_{i}": w for i, w in enumerate(self.words)}, "speech": self.speech, "noise": self.noise}
        for name, (b, rows) in named.items():
            names = "".join(f"{r.path.parent.name}/{r.path.name}:{r.path.stat().st_size}" for r in rows)
            out[name] = {
                "recordings": len(rows),
                "hours": round(float(b.length.sum()) / hour, 2),
                "sha256": hashlib.sha256(names.encode()).hexdigest(),
            }
        return out


def gather(folders: Folders, recipe: Recipe) -> Material:
    """Read the rows, compute or fetch their features."""
    config = recipe.frontend
    words = word_rows(folders.words)
    _enough(words, recipe.keywords)
    sources: list[tuple[list[Row], int, str]] = [(words, 1, "words")]
    if folders.phrases:
        sources.append((phrase_rows(folders.phrases), 1, "phrases"))
    sources.append((speech_rows(folders.speech, recipe.keywords) if folders.speech else [], 0, "speech"))
    sources.append((noise_rows(folders.noise), 0, "noise"))
    banks = [bank.build(rows, config, folders.cache, rooms=rooms, what=what) for rows, rooms, what in sources]
    frames = np.concatenate([b.frames for b in banks])
    at = np.cumsum([0] + [len(b.frames) for b in banks])
    views = [replace(b, frames=frames[a:z]) for b, a, z in zip(banks, at[:-1], at[1:], strict=True)]
    pairs = [(view, rows) for view, (rows, _, _) in zip(views, sources, strict=True)]
    speech = pairs[-2]
    return Material(
        frames,
        tuple(pairs[:-2]),
        speech,
        pairs[-1],
        fragments.cut(speech[0], np.arange(len(speech[0]), dtype=np.intp)),
    )


def _enough(rows: Sequence[Row], keywords: Sequence[str]) -> None:
    for word in keywords:
        count = sum(r.word == word and r.split == "training" for r in rows)
        if count < _FEWEST:
            raise BadInputError(f"{count} training clips of {word!r} are too few; give at least {_FEWEST}")


def _on(bank: Bank, rows: list[Row], split: Split) -> npt.NDArray[np.bool_]:
    return np.array([rows[i].split == split for i in bank.row], bool)
