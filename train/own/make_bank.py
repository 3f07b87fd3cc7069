"""Folders of recordings to a bank of background."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import soundfile

from spotter.arrays import Floats
from spotter.backbone import Backbone, open_backbone
from spotter.errors import BadInputError
from spotter.settings import SAMPLE_RATE
from train.bank import read
from train.data import Row, spoken_words
from train.own.bank import KINDS, Bank, fold_of
from train.workers import each

_AT_ONCE: Final = 40  # segments that a worker takes
_CHUNK_S: Final = 60.0  # of audio that is embedded in one call
_GAP_S: Final = (0.3, 1.0)  # floor between recordings, so that they are not one sentence
_BEFORE_WORD_S: Final = (1.0, 1.4)
_AFTER_WORD_S: Final = 0.4
_HISS_DBFS: Final = (-80.0, -60.0)

_Segment: TypeAlias = tuple[str, list[Path]]  # who speaks, or the recording's name; and its files
_Job: TypeAlias = tuple[str, str, list[_Segment], int]
_open: dict[str, Backbone] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class BankPlan:
    """What a bank is made of.

    most_per_word : recordings of each other word; speakers drawn
    speech_hours : at most; speakers drawn, so that as many voices as possible are in it
    """

    most_per_word: int = 50
    speech_hours: float = 4.2
    seed: int = 0


def make_bank(
    rows: Mapping[str, Sequence[Row]],
    backbone: Backbone,
    plan: BankPlan | None = None,
    about: Mapping[str, Any] | None = None,
    said: Mapping[Path, frozenset[str]] | None = None,
) -> Bank:
    """Embed recordings, all of a speaker's speech in one segment, each word and each noise in its own.

    rows : by kind, one of `KINDS`
    said : the words that are said in a recording, where that is known; of single words it is
    """
    known = {**(said or {}), **{row.path: spoken_words(row.word) for row in rows.get("words", ())}}
    plan = plan or BankPlan()
    rng = np.random.default_rng(plan.seed)
    jobs = list(_jobs(rows, backbone.name, plan, rng))
    if not jobs:
        raise BadInputError("no recordings to make a bank of; give --speech, --words, --noise or --music")
    embeddings, length, kind, fold = [], [], [], []
    words: list[frozenset[str]] = []
    hours = dict.fromkeys(KINDS, 0.0)
    for job, part in zip(jobs, each(_embed, jobs, what="background embedded"), strict=True):
        for (_, paths), (name, of, found) in zip(job[2], part, strict=True):
            if not len(found):
                continue
            embeddings.append(found)
            length.append(len(found))
            kind.append(KINDS.index(of))
            fold.append(fold_of(name))
            words.append(frozenset().union(*(known.get(path, frozenset()) for path in paths)))
            hours[of] += len(found) * backbone.step / SAMPLE_RATE / 3600
    facts = {**(about or {}), "hours": {k: round(h, 3) for k, h in hours.items()}, "segments": len(length)}
    return Bank(
        embeddings=np.concatenate(embeddings),
        length=np.asarray(length, np.intp),
        kind=np.asarray(kind, np.intp),
        fold=np.asarray(fold, np.intp),
        step=backbone.step,
        backbone=backbone.name,
        backbone_sha256=backbone.sha256,
        about=facts,
        said=tuple(words),
    )


def _jobs(rows: Mapping[str, Sequence[Row]], backbone: str, plan: BankPlan, rng: np.random.Generator) -> Iterator[_Job]:
    for kind in KINDS:
        segments: list[_Segment] = []
        mine = list(rows.get(kind, ()))
        if kind == "speech":
            by: dict[str, list[Path]] = defaultdict(list)
            for row in mine:
                by[row.speaker].append(row.path)
            segments = list(by.items())
        elif kind == "words":
            counts: dict[str, int] = defaultdict(int)
            for at in rng.permutation(len(mine)).tolist():
                counts[mine[at].word] += 1
                if counts[mine[at].word] <= plan.most_per_word:
                    segments.append((mine[at].speaker, [mine[at].path]))
        else:
            segments = [(row.speaker, [row.path]) for row in mine]
        segments = [segments[at] for at in rng.permutation(len(segments)).tolist()]
        if kind == "speech":
            segments = _first_hours(segments, plan.speech_hours)
        for begin in range(0, len(segments), _AT_ONCE):
            yield backbone, kind, segments[begin : begin + _AT_ONCE], int(rng.integers(2**31))


def _first_hours(segments: list[_Segment], hours: float) -> list[_Segment]:
    """Return the first segments, as many as it takes to have so many hours."""
    kept, left_s = [], hours * 3600.0
    for segment in segments:
        if left_s <= 0:
            break
        kept.append(segment)
        left_s -= sum(_seconds(path) for path in segment[1])
    return kept


def _seconds(path: Path) -> float:
    try:
        return float(soundfile.info(path).duration)
    except soundfile.LibsndfileError:  # it is left out when it is read, too
        return 0.0


def _embed(job: _Job) -> list[tuple[str, str, Floats]]:
    name, kind, segments, seed = job
    backbone = _open.get(name) or _open.setdefault(name, open_backbone(name))
    rng = np.random.default_rng(seed)
    out = []
    for who, paths in segments:
        pieces = [_hiss(rng, rng.uniform(*_BEFORE_WORD_S))] if kind in ("speech", "words") else []
        for path in paths:
            try:
                pieces.append(read(path))
            except soundfile.LibsndfileError:
                continue
            if kind in ("speech", "words"):
                pieces.append(_hiss(rng, rng.uniform(*_GAP_S) if kind == "speech" else _AFTER_WORD_S))
        out.append((who, kind, embed_long(backbone, np.concatenate(pieces)).astype(np.float16).astype(np.float32)))
    return out


def embed_long(backbone: Backbone, samples: Floats) -> Floats:
    """Embed a recording of any length in calls of a minute; the same numbers but for the backbone's first context."""
    chunk = max(1, round(_CHUNK_S * SAMPLE_RATE / backbone.step)) * backbone.step
    parts = [
        backbone.embed(samples[at : at + chunk - backbone.step + backbone.context])
        for at in range(0, max(1, len(samples)), chunk)
    ]
    return np.concatenate(parts)


def _hiss(rng: np.random.Generator, seconds: float) -> Floats:
    level = np.float32(10.0 ** (rng.uniform(*_HISS_DBFS) / 20.0))
    return rng.standard_normal(round(seconds * SAMPLE_RATE), np.float32) * level
