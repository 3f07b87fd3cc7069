"""Folders of recordings to rows: path, word, speaker, split.

A speaker is on one side of the split only. Words follow the layout and the hash rule of Speech
Commands (Warden 2018, arXiv:1804.03209): WORD/SPEAKER_nohash_N.ext; other recordings are split by
the same rule on the name of their speaker's folder or, for noise, of the file.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spotter.errors import BadInputError

AUDIO = frozenset((".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif"))
Split = Literal["training", "validation", "testing"]
_MOST_PER_WORD = 2**27 - 1  # of the data set's own rule


@dataclass(frozen=True, slots=True)
class Row:
    """One recording."""

    path: Path
    word: str  # "" where it is speech or noise
    speaker: str
    split: Split


def split_of(speaker: str, validation_percent: float = 10.0, testing_percent: float = 10.0) -> Split:
    """Return the side of the split that a speaker is on, by the hash rule of Speech Commands."""
    number = int(hashlib.sha1(speaker.encode(), usedforsecurity=False).hexdigest(), 16)
    percent = (number % (_MOST_PER_WORD + 1)) * (100.0 / _MOST_PER_WORD)
    if percent < validation_percent:
        return "validation"
    return "testing" if percent < validation_percent + testing_percent else "training"


def word_rows(folder: Path) -> list[Row]:
    """Rows of WORD/SPEAKER_nohash_N files, in the order of their names."""
    rows = []
    for word in sorted(p for p in _listed(folder) if p.is_dir() and not p.name.startswith(("_", "."))):
        for path in _audio(word):
            speaker = path.stem.split("_nohash_")[0]
            rows.append(Row(path, word.name, speaker, split_of(speaker)))
    if not rows:
        raise BadInputError(f"no recordings in {folder}; give a folder with one folder of recordings per word")
    return rows


def phrase_rows(folder: Path) -> list[Row]:
    """Rows of PHRASE/NAME files whose speakers are not known: each file counts as its own speaker."""
    return [
        Row(path, phrase.name, path.stem, _two_ways(f"{phrase.name}/{path.stem}"))
        for phrase in sorted(p for p in _listed(folder) if p.is_dir())
        for path in _audio(phrase)
    ]


def speech_rows(folder: Path, keywords: Sequence[str]) -> list[Row]:
    """Rows of SPEAKER/NAME files of continuous speech that has none of the keywords.

    A table FOLDER.tsv beside the folder, with columns path, language and keywords, says which
    recordings hold which keywords; "?" means that nobody knows, which is a risk in English only.
    """
    held = _keywords_in_speech(folder)
    wanted = frozenset(keywords)
    rows = []
    for speaker in sorted(p for p in _listed(folder) if p.is_dir()):
        for path in _audio(speaker):
            has, language = held.get(f"{folder.name}/{speaker.name}/{path.name}", ("", ""))
            words = frozenset(has.replace(",", " ").split())
            if words & wanted or (words == {"?"} and language in ("en", "")):
                continue
            rows.append(Row(path, "", speaker.name, _two_ways(speaker.name)))
    return rows


def noise_rows(folders: Iterable[Path]) -> list[Row]:
    """Rows of noise or music, each file for itself."""
    return [Row(path, "", path.stem, _two_ways(path.stem)) for folder in folders for path in _audio(folder)]


def _two_ways(name: str) -> Split:
    return "validation" if split_of(name, 15.0, 0.0) == "validation" else "training"


def _keywords_in_speech(folder: Path) -> dict[str, tuple[str, str]]:
    table = folder.with_suffix(".tsv")
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["path"]: (row["keywords"] or "", row["language"] or "") for row in rows}


def _listed(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise BadInputError(f"{folder} is no folder; give the folder that holds the recordings")
    return list(folder.iterdir())


def _audio(folder: Path) -> list[Path]:
    return sorted(p for p in _listed(folder) if p.suffix.lower() in AUDIO)
