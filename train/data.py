"""Folders of recordings to rows: path, word, speaker, split.

A speaker is on one side of the split only. Words follow the layout and the hash rule of Speech
Commands (Warden 2018, arXiv:1804.03209): WORD/SPEAKER_nohash_N.ext, or what `train.splits` makes of
other names; other recordings are split by the same rule on the name of their speaker's folder or, for
noise, of the file.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spotter.errors import BadInputError
from train.splits import Named, Split, Splitting, divide, split_of

__all__ = ["AUDIO", "FOREIGN", "Row", "Split", "Words", "foreign_files", "noise_rows", "phrase_rows", "split_of"]
__all__ += ["speech_rows", "spoken_words", "vocabulary", "word_rows", "words"]

AUDIO = frozenset(
    (
        ".wav",
        ".wave",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".mp3",
        ".aiff",
        ".aif",
        ".aifc",
        ".au",
        ".caf",
        ".w64",
        ".rf64",
    )
)
FOREIGN = frozenset((".m4a", ".aac", ".wma", ".amr", ".webm", ".mp4", ".3gp"))  # sound that libsndfile cannot read


@dataclass(frozen=True, slots=True)
class Row:
    """One recording."""

    path: Path
    word: str  # "" where it is speech or noise
    speaker: str
    split: Split


@dataclass(frozen=True, slots=True)
class Words:
    """Recordings of words and how they were split."""

    rows: list[Row]
    splitting: Splitting


def words(folder: Path) -> Words:
    """Rows of WORD/NAME and WORD/SESSION/NAME files, in the order of their names, and how they were split."""
    paths, names = [], []
    for word in _word_folders(folder):
        for path in _audio(word):
            paths.append(path)
            names.append(Named(word.name, "", path.stem))
        for session in _word_folders(word):
            for path in sorted(p for p in session.rglob("*") if _is_audio(p)):
                paths.append(path)
                names.append(Named(word.name, session.name, path.stem))
    if not paths:
        raise BadInputError(f"no recordings in {folder}; give a folder with one folder of recordings per word")
    speakers, sides, splitting = divide(names)
    rows = [Row(p, n.word, s, side) for p, n, s, side in zip(paths, names, speakers, sides, strict=True)]
    return Words(rows, splitting)


def word_rows(folder: Path) -> list[Row]:
    """Rows of recordings of words; `words` also says how they were split."""
    return words(folder).rows


def foreign_files(folder: Path) -> list[Path]:
    """Files of sound in a folder of words whose formats cannot be read."""
    return sorted(p for word in _word_folders(folder) for p in word.rglob("*") if p.suffix.lower() in FOREIGN)


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


def vocabulary(folder: Path) -> dict[Path, frozenset[str]]:
    """What is said in each recording of a folder of speech, by the transcripts of FOLDER.tsv; nothing where none is."""
    table = folder.with_suffix(".tsv")
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {folder.parent / row["path"]: spoken_words(row.get("transcript") or "") for row in rows}


def spoken_words(text: str) -> frozenset[str]:
    """The words of a text or of a folder's name, in small letters: "Hey, robot" and "hey_robot" are the same."""
    return frozenset(re.findall(r"[^\W_]+(?:['\u2019][^\W_]+)?", text.casefold()))


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


def _word_folders(folder: Path) -> list[Path]:
    return sorted(p for p in _listed(folder) if p.is_dir() and not p.name.startswith(("_", ".")))


def _listed(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise BadInputError(f"{folder} is no folder; give the folder that holds the recordings")
    return list(folder.iterdir())


def _audio(folder: Path) -> list[Path]:
    return sorted(p for p in _listed(folder) if _is_audio(p))


def _is_audio(path: Path) -> bool:
    return path.suffix.lower() in AUDIO and not path.name.startswith(".")  # "._name.wav" is no sound
