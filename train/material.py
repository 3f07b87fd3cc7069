"""The folders named on the command line, as pools of training and of validation material."""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from train import bank, data, fragments, problems
from train.align import Aligned, read_aligned
from train.bank import Bank
from train.data import Row, Split, noise_rows, phrase_rows, speech_rows, word_rows
from train.facts import LONGEST_WORD_S
from train.hard import key_of
from train.pools import Ints, Pieces, Pools, Recorded, pools
from train.problems import Problem
from train.recipe import Recipe
from train.splits import Splitting

_SHORTEST_PIECE = 10  # frames


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """Where the recordings are; features are kept in `cache`.

    words : WORD/SPEAKER_nohash_N files; phrases : PHRASE/NAME files, all unknown to this model
    synthetic : words said by synthetic voices, laid out as words
    aligned : a table of where words lie in the speech; rirs : folders of recorded room responses
    """

    words: Path
    cache: Path
    speech: Path | None = None
    noise: tuple[Path, ...] = ()
    phrases: Path | None = None
    synthetic: Path | None = None
    aligned: Path | None = None
    rirs: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of recordings: their features and the rows that they were made from."""

    name: str
    bank: Bank
    rows: Sequence[Row]

    def on(self, split: Split) -> npt.NDArray[np.bool_]:
        """Which of the bank's recordings are on one side of the split, shape (recordings,)."""
        return np.array([self.rows[i].split == split for i in self.bank.row], bool)


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that was gathered; `frames` holds the features of all parts, their banks look into it.

    words : words recorded on their own; synthetic : the same by synthetic voices
    speech : running speech without keywords; sentences : with some, of which only the aligned words serve
    aligned : which words lie where in speech and sentences
    splitting : how the words were split; passed_over : files that could not be used
    """

    frames: Floats
    words: Sequence[Part]
    synthetic: Part
    speech: Part
    sentences: Part
    noise: Part
    fragments: Ints
    aligned: Sequence[Aligned]
    splitting: Splitting
    passed_over: Sequence[Problem]

    def pools(self, recipe: Recipe, split: Split) -> Pools:
        """Lay out one side of the split; what is synthetic or aligned by machine only ever trains."""
        own = [*self.words, *([self.synthetic] if split == "training" else [])]
        recorded = [
            Recorded(p.bank, [p.rows[i].word for i in p.bank.row], p.on(split), synthetic=p is self.synthetic)
            for p in own
        ]
        on = self.speech.on(split)
        rows = self.fragments[on[self.fragments[:, 0]]]
        pieces = [Pieces(self.speech.bank, rows, [""] * len(rows))]
        if split == "training":
            pieces += [_pieces(part, self.aligned, recipe) for part in (self.speech, self.sentences)]
        return pools(
            self.frames,
            {id(p.bank): at for p, at in zip(self.parts, self._offsets(), strict=True)},
            recorded,
            pieces,
            (self.speech.bank, on),
            (self.noise.bank, self.noise.on(split)),
            recipe.labels,
        )

    @property
    def parts(self) -> Sequence[Part]:
        """All parts in the order of `frames`."""
        return [*self.words, self.synthetic, self.speech, self.sentences, self.noise]

    def offset(self, part: Part) -> int:
        """Where the frames of a part begin in `frames`."""
        return self._offsets()[[p is part for p in self.parts].index(True)]

    def _offsets(self) -> list[int]:
        return [0, *np.cumsum([len(p.bank.frames) for p in self.parts])[:-1].tolist()]

    def summary(self) -> dict[str, Any]:
        """What was trained on: counts, hours, and a hash of the files' names and sizes."""
        out: dict[str, Any] = {}
        hour = 360_000.0  # frames of 10 ms
        for part in self.parts:
            name, b, rows = part.name, part.bank, part.rows
            names = "".join(f"{r.path.parent.name}/{r.path.name}:{r.path.stat().st_size}" for r in rows)
            out[name] = {
                "recordings": len(rows),
                "hours": round(float(b.length.sum()) / hour, 2),
                "sha256": hashlib.sha256(names.encode()).hexdigest(),
            }
        out["split"] = self.splitting.as_dict()
        out["passed_over"] = [p.as_dict() for p in self.passed_over]
        return out


def gather(folders: Folders, recipe: Recipe) -> Material:
    """Read the rows, compute or fetch their features."""
    config, rooms = recipe.frontend, recipe.rooms
    told = _Told(folders.cache)
    words, splitting = _words(folders, recipe, told)
    aligned = read_aligned(folders.aligned) if folders.aligned else []
    speech = speech_rows(folders.speech, recipe.keywords) if folders.speech else []
    sentences: list[Row] = []
    if folders.speech and aligned:
        free, wanted = {r.path for r in speech}, {a.path for a in aligned}
        sentences = [r for r in speech_rows(folders.speech, ()) if r.path not in free and key_of(r.path) in wanted]
    halls = [r.path for r in noise_rows(folders.rirs)]
    phrases = phrase_rows(folders.phrases) if folders.phrases else []
    sources: list[tuple[str, Sequence[Row], int]] = [
        ("words", words, rooms),
        ("phrases", told.usable(phrases, "phrases"), rooms),
        ("synthetic", word_rows(folders.synthetic) if folders.synthetic else [], rooms),
        ("speech", told.usable(speech, "speech"), 0),
        ("sentences", told.usable(sentences, "sentences"), 0),
        ("noise", told.usable(noise_rows(folders.noise), "noise"), 0),
    ]
    banks = [bank.build(rows, config, folders.cache, rooms=r, halls=halls, what=what) for what, rows, r in sources]
    frames = np.concatenate([b.frames for b in banks])
    at = np.cumsum([0] + [len(b.frames) for b in banks])
    views = [replace(b, frames=frames[a:z]) for b, a, z in zip(banks, at[:-1], at[1:], strict=True)]
    parts = [Part(what, view, rows) for view, (what, rows, _) in zip(views, sources, strict=True)]
    cut = fragments.cut(views[3], np.arange(len(views[3]), dtype=np.intp))
    return Material(
        frames, parts[:2], parts[2], parts[3], parts[4], parts[5], cut, aligned, splitting, told.passed_over
    )


def _pieces(part: Part, aligned: Sequence[Aligned], recipe: Recipe) -> Pieces:
    """The aligned words of a part's training recordings as pieces; words that no fair negative is are left out."""
    items: dict[str, int] = {}
    for at, row in enumerate(part.bank.row.tolist()):
        if part.rows[row].split == "training":
            items.setdefault(key_of(part.rows[row].path), at)
    rows, words = [], []
    hop = recipe.frontend.hop_samples
    for word in aligned:
        item = items.get(word.path)
        if item is None or word.word in recipe.never:
            continue
        first, last = word.start_sample // hop, min(word.end_sample // hop, int(part.bank.length[item]))
        if last - first >= _SHORTEST_PIECE:
            rows.append((item, first, last))
            words.append(word.word)
    return Pieces(part.bank, np.asarray(rows, np.intp).reshape(-1, 3), words)


class _Told:
    """Lists what is passed over, and keeps it for `run.json`."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self.passed_over: list[Problem] = []

    def usable(self, rows: Sequence[Row], what: str, longest_s: float = math.inf) -> list[Row]:
        kept, wrong = problems.usable(rows, self._cache, longest_s=longest_s, what=what)
        self.pass_over(wrong)
        return kept

    def pass_over(self, wrong: Sequence[Problem]) -> None:
        problems.tell(wrong)
        self.passed_over += wrong


def _words(folders: Folders, recipe: Recipe, told: _Told) -> tuple[list[Row], Splitting]:
    """Usable recordings of words; raises where they are too few, and says loudly what will make figures too good."""
    given = data.words(folders.words)
    told.pass_over(problems.foreign(data.foreign_files(folders.words)))
    rows = told.usable(given.rows, "words", LONGEST_WORD_S)
    others = bool(folders.speech or folders.noise or folders.phrases or folders.synthetic)
    problems.enough(rows, recipe.keywords, told.passed_over, others=others)
    for warning in (given.splitting.warning, given.splitting.note, problems.not_validated(rows, recipe.keywords)):
        if warning:
            print(warning, file=sys.stderr)
    return rows, given.splitting
