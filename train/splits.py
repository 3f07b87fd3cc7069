"""Who speaks in each recording of a word, and on which side of the split that speaker goes.

Speech Commands names its speakers (SPEAKER_nohash_N). People's own recordings tell them by a folder
(WORD/SESSION/NAME) or by how names begin (alice-01, alice_yes_3). Where neither tells, files are split
singly, and the figures that come of it are too good: the same voice is on both sides.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Split = Literal["training", "validation", "testing"]

NOHASH: Final = "_nohash_"
_MOST_PER_WORD = 2**27 - 1  # of the data set's own rule
_MANY = 20  # speakers, from which on a tenth of them can be spared for testing
_FEW = 5  # speakers, under which the figures say little of others
_ALIKE = 1.25  # recordings per beginning of a name, under which it tells nothing


@dataclass(frozen=True, slots=True)
class Named:
    """One file before it is known who speaks in it: its word, the folder between (or ""), its name."""

    word: str
    session: str
    stem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Splitting:
    """How a split was made, for people and for `run.json`."""

    by: Mapping[str, int] = field(default_factory=dict)  # how speakers were told: recordings
    speakers: int = 0
    sides: Mapping[str, int] = field(default_factory=dict)  # side: recordings
    moved: int = 0  # speakers that are not where the hash rule alone puts them, so that no side lacks a word
    warning: str = ""  # to be said loudly; "" where the split is by speaker
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "by": dict(self.by),
            "speakers": self.speakers,
            "sides": dict(self.sides),
            "moved": self.moved,
            "warning": self.warning,
            "note": self.note,
        }


def percent_of(speaker: str) -> float:
    """Place of a speaker between 0 and 100, by the hash of Speech Commands (Warden 2018, arXiv:1804.03209)."""
    number = int(hashlib.sha1(speaker.encode(), usedforsecurity=False).hexdigest(), 16)
    return (number % (_MOST_PER_WORD + 1)) * (100.0 / _MOST_PER_WORD)


def split_of(speaker: str, validation_percent: float = 10.0, testing_percent: float = 10.0) -> Split:
    """Return the side of the split that a speaker is on, by the hash rule of Speech Commands."""
    percent = percent_of(speaker)
    if percent < validation_percent:
        return "validation"
    return "testing" if percent < validation_percent + testing_percent else "training"


def divide(files: Sequence[Named]) -> tuple[list[str], list[Split], Splitting]:
    """Speaker and side of each file, in their order, and how both were found."""
    speakers, how = _speakers(files)
    published = {s for s, h in zip(speakers, how, strict=True) if h == "speaker"}
    own = set(speakers) - published
    testing = 10.0 if len(own) >= _MANY else 0.0  # few recordings: none is put away for later
    sides: dict[str, Split] = {s: split_of(s) for s in published}
    sides |= {s: split_of(s, testing_percent=testing) for s in own}
    before = dict(sides)
    empty = len(sides) > 1 and not {"training", "validation"} <= set(sides.values())
    _settle([f.word for f in files], speakers, sides, movable=set(sides) if empty else own)
    split = [sides[s] for s in speakers]
    by = Counter(how)
    return (
        speakers,
        split,
        Splitting(
            by=by,
            speakers=len(sides),
            sides=Counter(split),
            moved=sum(before[s] != side for s, side in sides.items()),
            warning=_warning(
                by["file"], len(files), next((f.stem for f, h in zip(files, how, strict=True) if h == "file"), "")
            ),
            note=f"only {len(sides)} speakers: figures of a validation this small say little of other people"
            if len(sides) < _FEW and not by["file"]
            else "",
        ),
    )


def _speakers(files: Sequence[Named]) -> tuple[list[str], list[str]]:
    """Who speaks in each file, and what told it: speaker, folder, prefix, or file where nothing did."""
    names, how = [f.stem for f in files], ["file"] * len(files)
    for at, file in enumerate(files):
        if NOHASH in file.stem:
            names[at], how[at] = file.stem.split(NOHASH)[0], "speaker"
    rest = [at for at in range(len(files)) if how[at] == "file"]
    in_folders = [at for at in rest if files[at].session]
    if not _tells([files[at].word for at in in_folders], [files[at].session for at in in_folders]):
        in_folders = []
    for at in in_folders:
        names[at], how[at] = files[at].session, "folder"
    plain = [at for at in rest if how[at] == "file"]
    begins = beginnings([(files[at].word, files[at].stem) for at in plain])
    for at, name in zip(plain, begins, strict=False):
        names[at], how[at] = name, "prefix"
    if len(set(names)) == 1:  # one speaker cannot be on two sides
        names, how = [f.stem for f in files], ["file"] * len(files)
    return names, how


def _tells(words: Sequence[str], names: Sequence[str]) -> bool:
    """Whether names can be those of speakers: most words have two or more, most of them say more than one thing."""
    who: dict[str, set[str]] = defaultdict(set)
    for word, name in zip(words, names, strict=True):
        who[word].add(name)
    several = sum(len(mine) > 1 for mine in who.values())
    return "" not in names and 2 * several > len(who) and len(names) >= _ALIKE * len(set(names))


def beginnings(names: Sequence[tuple[str, str]]) -> list[str]:
    """Who speaks, as the beginnings of names tell it, given as (word, stem); nothing where they do not.

    The word itself, what all names have in common, and a number at the end do not count: alice-01,
    yes_alice_3 and rec_alice_yes are all by alice. They tell nothing where most words have one beginning
    only, or where there are about as many as recordings.
    """
    parts = [
        [t for t in re.split(r"[^0-9A-Za-z\u0080-\U0010ffff]+", stem) if t.lower() != word.lower()]
        for word, stem in names
    ]
    while parts and all(len(p) > 1 for p in parts) and len({p[0] for p in parts}) == 1:
        parts = [p[1:] for p in parts]
    begins = [p[0] if len(p) > 1 else p[0].rstrip("0123456789") if p else "" for p in parts]
    return begins if _tells([word for word, _ in names], begins) else []


def _settle(words: Sequence[str], speakers: Sequence[str], sides: dict[str, Split], movable: set[str]) -> None:
    """Move speakers until both training and validation have every word that two of them say; always the same way.

    Training comes first: a word without it cannot be learned, without validation only not judged.
    """
    said: dict[str, set[str]] = defaultdict(set)
    for word, speaker in zip(words, speakers, strict=True):
        said[speaker].add(word)
    there = Counter((word, sides[s]) for s, mine in said.items() for word in mine)

    def move(speaker: str, side: Split) -> None:
        for word in said[speaker]:
            there[word, sides[speaker]] -= 1
            there[word, side] += 1
        sides[speaker] = side

    def spared(speaker: str) -> bool:
        return sides[speaker] != "training" or all(there[word, "training"] > 1 for word in said[speaker])

    order = sorted(movable, key=percent_of)
    for word in sorted(set(words)):
        if not there[word, "training"] and (mine := _first(s for s in reversed(order) if word in said[s])):
            move(mine, "training")
    for word in sorted(set(words)):
        if not there[word, "validation"] and (mine := _first(s for s in order if word in said[s] and spared(s))):
            move(mine, "validation")


def _first(speakers: Iterable[str]) -> str | None:
    return next(iter(speakers), None)


def _warning(singly: int, of: int, example: str) -> str:
    if not singly:
        return ""
    return (
        f"WARNING: {singly} of {of} recordings are split by file, not by speaker: names such as {example!r} do not "
        "tell several speakers apart. The same voice is then on both sides of the split, and every figure is better "
        "than what other people will meet. Name the files SPEAKER-NUMBER (alice-01.wav), or put them into "
        "WORD/SPEAKER/."
    )
