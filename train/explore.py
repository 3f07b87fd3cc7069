"""What there is to know of a folder of words before anything is trained: counts, levels, and what is wrong."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from train.data import Row
from train.facts import Facts
from train.listening import Heard
from train.problems import FEWEST
from train.splits import Splitting

SILENT_DBFS: Final = -50.0  # loudest 20 ms under this: there is hardly a word left to hear
BURIED_DB: Final = 6.0  # loudest 20 ms less than so far above the floor: no word stands out
CLIPPED: Final = 20  # samples at full scale, in runs
LONG_S: Final = 3.0  # of which only the loudest sound is taken for the word


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording, what was measured of it, and what a model heard in it, if one was asked."""

    row: Row
    facts: Facts
    heard: Heard | None = None

    @property
    def name(self) -> str:
        """Path from the data's folder on, for people."""
        parts = self.row.path.parts
        at = len(parts) - 1 - parts[::-1].index(self.row.word) if self.row.word in parts else -2
        return "/".join(parts[at:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A whole folder: the clips that can be used, those that cannot, and lists of those to look at, worst first."""

    clips: Sequence[Clip]
    unusable: Sequence[Clip]
    splitting: Splitting
    suspicious: Sequence[Clip] = ()
    silent: Sequence[Clip] = ()
    buried: Sequence[Clip] = ()
    clipped: Sequence[Clip] = ()
    long: Sequence[Clip] = ()
    twice: Sequence[Sequence[Clip]] = ()  # the same sound more than once under one word
    two_words: Sequence[Sequence[Clip]] = ()  # the same sound under several words
    per_word: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def survey(rows: Sequence[Row], facts: Sequence[Facts], heard: Sequence[Heard] | None, splitting: Splitting) -> Survey:
    """Sort clips into lists; `heard` is of the usable ones, in their order."""
    every = [Clip(row, f) for row, f in zip(rows, facts, strict=True)]
    clips = [c for c in every if not c.facts.trouble]
    if heard is not None:
        clips = [Clip(c.row, c.facts, h) for c, h in zip(clips, heard, strict=True)]
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[clip.facts.sha256].append(clip)
    same = [group for group in groups.values() if len(group) > 1]
    wrong = [c for c in clips if c.heard is not None and c.heard.wrong]
    return Survey(
        clips=clips,
        unusable=[c for c in every if c.facts.trouble],
        splitting=splitting,
        suspicious=sorted(wrong, key=lambda c: (-c.heard.loss, -c.heard.score) if c.heard else (0.0, 0.0)),
        silent=_worst(clips, lambda c: c.facts.loudest_dbfs, below=SILENT_DBFS),
        buried=_worst(
            [c for c in clips if c.facts.loudest_dbfs >= SILENT_DBFS], lambda c: c.facts.stands_out_db, below=BURIED_DB
        ),
        clipped=_worst(clips, lambda c: -c.facts.clipped_samples, below=0.5 - CLIPPED),
        long=_worst(clips, lambda c: -c.facts.seconds, below=-LONG_S),
        twice=[g for g in same if len({c.row.word for c in g}) == 1],
        two_words=[g for g in same if len({c.row.word for c in g}) > 1],
        per_word=_per_word(clips),
    )


def _worst(clips: Sequence[Clip], figure: Callable[[Clip], float], *, below: float) -> list[Clip]:
    return sorted((c for c in clips if figure(c) < below), key=figure)


def _per_word(clips: Sequence[Clip]) -> dict[str, dict[str, Any]]:
    mine: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        mine[clip.row.word].append(clip)
    copies = Counter(c.facts.sha256 for c in clips)
    return {word: _figures(mine[word], copies) for word in sorted(mine)}


def _figures(clips: Sequence[Clip], copies: Mapping[str, int]) -> dict[str, Any]:
    sides = Counter(c.row.split for c in clips)
    seconds = np.array([c.facts.seconds for c in clips])
    level = np.array([c.facts.loudest_dbfs for c in clips])
    out: dict[str, Any] = {
        "recordings": len(clips),
        **{side: sides[side] for side in ("training", "validation", "testing")},
        "speakers": len({c.row.speaker for c in clips}),
        "minutes": round(float(seconds.sum()) / 60, 2),
        "seconds_shortest": round(float(seconds.min()), 3),
        "seconds_median": round(float(np.median(seconds)), 3),
        "seconds_longest": round(float(seconds.max()), 3),
        "loudest_dbfs_median": round(float(np.median(level)), 1),
        "silent": int((level < SILENT_DBFS).sum()),
        "clipped": sum(c.facts.clipped_samples >= CLIPPED for c in clips),
        "copies": sum(copies[c.facts.sha256] > 1 for c in clips),
    }
    if all(c.heard for c in clips):
        out["heard_right"] = sum(not c.heard.wrong for c in clips if c.heard)
    return out


def summary(found: Survey) -> dict[str, Any]:
    """Everything but the pictures, as plain data."""
    clips = found.clips
    digest = hashlib.sha256("".join(sorted(f"{c.name}:{c.facts.sha256}\n" for c in clips)).encode()).hexdigest()
    return {
        "recordings": len(clips),
        "words": len(found.per_word),
        "speakers": len({c.row.speaker for c in clips}),
        "hours": round(sum(c.facts.seconds for c in clips) / 3_600, 3),
        "sha256": digest,
        "split": found.splitting.as_dict(),
        "sample_rates": _counted(c.facts.sample_rate for c in clips),
        "channels": _counted(c.facts.channels for c in clips),
        "per_word": found.per_word,
        "unusable": [{"path": c.name, "why": c.facts.trouble} for c in found.unusable],
        "suspicious": [
            {"path": c.name, "loss": round(c.heard.loss, 3), "heard": c.heard.label, "score": round(c.heard.score, 3)}
            for c in found.suspicious
            if c.heard
        ],
        "silent": [{"path": c.name, "loudest_dbfs": round(c.facts.loudest_dbfs, 1)} for c in found.silent],
        "buried": [{"path": c.name, "stands_out_db": round(c.facts.stands_out_db, 1)} for c in found.buried],
        "clipped": [{"path": c.name, "samples": c.facts.clipped_samples} for c in found.clipped],
        "long": [{"path": c.name, "seconds": round(c.facts.seconds, 2)} for c in found.long],
        "twice": [[c.name for c in group] for group in found.twice],
        "two_words": [[c.name for c in group] for group in found.two_words],
    }


def _counted(values: Any) -> dict[str, int]:
    return {str(value): count for value, count in sorted(Counter(values).items())}


def remarks(found: Survey) -> list[tuple[str, str]]:
    """What a person should know first, as (the section that shows it, sentence)."""
    few = [w for w, figures in found.per_word.items() if figures["training"] < FEWEST]
    unheard = [w for w, figures in found.per_word.items() if not figures["validation"]]
    rates = {c.facts.sample_rate for c in found.clips}
    told = (
        (bool(found.splitting.warning), "split", found.splitting.warning.removeprefix("WARNING: ")),
        (bool(found.splitting.note), "split", found.splitting.note),
        (len(found.per_word) == 1, "words", "There is one word only: a model needs something else to tell it from."),
        (bool(few), "words", f"Fewer than {FEWEST} training recordings, too few for a keyword: {_some(few)}."),
        (bool(unheard), "words", f"No validation recordings: {_some(unheard)}."),
        (bool(found.unusable), "unusable", f"{_files(found.unusable)} cannot be used and will be passed over."),
        (
            bool(found.two_words),
            "two-words",
            f"The same sound lies under more than one word: {len(found.two_words):,} times.",
        ),
        (
            bool(found.twice),
            "twice",
            f"The same sound is there more than once under its word: {len(found.twice):,} times.",
        ),
        (bool(found.suspicious), "suspicious", f"The model hears something else in {_files(found.suspicious)}."),
        (bool(found.silent), "silent", f"{_files(found.silent)} nearly silent (under {SILENT_DBFS:.0f} dBFS)."),
        (
            bool(found.buried),
            "buried",
            f"In {_files(found.buried)} nothing stands out of the noise by {BURIED_DB:.0f} dB.",
        ),
        (bool(found.clipped), "clipped", f"{_files(found.clipped)} clipped ({CLIPPED} samples or more)."),
        (
            bool(found.long),
            "long",
            f"{_files(found.long)} longer than {LONG_S:.0f} s: the loudest sound counts as the word.",
        ),
        (
            bool(rates - {16_000}),
            "formats",
            f"Sample rates: {_some([str(r) for r in sorted(rates)])} Hz; all become 16000.",
        ),
    )
    return [(section, sentence) for holds, section, sentence in told if holds]


def _files(clips: Sequence[Clip]) -> str:
    return f"{len(clips):,} recording{'s' if len(clips) != 1 else ''}"


def _some(words: Sequence[str], most: int = 12) -> str:
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
