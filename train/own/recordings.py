"""Reads a folder of own words: one folder for each word, sessions by the files' names, `_negatives_` beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import soundfile

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.settings import SAMPLE_RATE
from train.bank import read
from train.data import FOREIGN, word_rows
from train.own.clips import LONGEST_S, Clip, utterance
from train.recording.reviewing import NEGATIVES
from train.recording.session import Name

FEW: Final = 200  # recordings of a word up to which a head on a backbone is fitted
_SOUNDS: Final = frozenset((".wav", ".flac", ".ogg", ".opus", ".mp3"))


@dataclass(frozen=True, slots=True, eq=False)
class OwnRecordings:
    """What a folder holds.

    words : of each word, its recordings
    left_out : sentences about files that could not be used
    """

    words: dict[str, list[Clip]]
    left_out: list[str]

    @property
    def sessions(self) -> dict[str, int]:
        """How many sessions there are of each word."""
        return {word: len({clip.session for clip in clips}) for word, clips in self.words.items()}


def word_folders(data: Path) -> list[str]:
    """Names of the word folders in a folder of recordings."""
    try:
        return sorted(p.name for p in data.iterdir() if p.is_dir() and not p.name.startswith(("_", ".")))
    except OSError as problem:
        raise BadInputError(
            f"{data} cannot be read ({problem.strerror}); give a folder with one folder per word"
        ) from None


def counts(data: Path, words: Sequence[str]) -> dict[str, int]:
    """How many sound files there are of each word."""
    return {word: sum(p.suffix.lower() in _SOUNDS for p in (data / word).rglob("*")) for word in words}


def own_recordings(data: Path, words: Sequence[str]) -> OwnRecordings:
    """Read the recordings of some words.

    Raises
    ------
    BadInputError
        There is no folder of a word, it is named twice, or there is no sound in it.
    """
    for word in words:
        if words.count(word) > 1:
            raise BadInputError(f"the word {word!r} was given twice; name it once")
        if not (data / word).is_dir():
            there = ", ".join(word_folders(data)) or "none"
            raise BadInputError(
                f"there is no folder {data / word} (found: {there}); record it: python -m train record {word}"
            )
    rows = [row for row in word_rows(data) if row.word in words]
    found = OwnRecordings({word: [] for word in words}, [])
    seconds: dict[str, float] = {}  # of sound in each recording
    for row in rows:
        try:
            samples = read(row.path)
        except (OSError, soundfile.SoundFileError) as problem:
            found.left_out.append(f"{row.path} cannot be read ({problem})")
            continue
        first, end = utterance(samples)
        if end <= first:
            found.left_out.append(f"{row.path} holds only silence")
            continue
        name = Name.of(row.path)
        session = "-".join(filter(None, (name.speaker, name.session))) if name else row.speaker
        found.words[row.word].append(Clip(samples, session, str(row.path)))
        seconds[str(row.path)] = (end - first) / SAMPLE_RATE
    for word, clips in found.words.items():
        longer = [clip for clip in clips if seconds[clip.name] > LONGEST_S]
        if 2 * len(longer) < len(clips):  # else it is the phrase that is too long, and that is refused
            found.left_out.extend(
                f"{clip.name} holds {seconds[clip.name]:.1f} s of sound without a pause, more than {LONGEST_S:g} s"
                for clip in longer
            )
            clips[:] = [clip for clip in clips if clip not in longer]
        if not clips:
            raise BadInputError(
                f"there is no recording of {word!r} with sound in {data / word}; record it again: "
                f"python -m train record {word}"
            )
    return found


def background(data: Path, given: Iterable[Path], *, from_text: bool = False) -> list[Floats]:
    """Recordings without the words: files and folders that are given, and those in `_negatives_` beside the words.

    from_text : whether synthetic voices say the words; then what they said that sounds near is left out: a head would
        draw the line where it lies for these few voices, and miss twice as many people (README)
    """
    own = data / NEGATIVES
    beside = _sound_files([own]) if own.is_dir() else []
    if from_text and beside:
        from train.say.make import read_about

        said = read_about(data).get("files", {})
        beside = [path for path in beside if path.relative_to(data).as_posix() not in said]
    return sounds([*given, *beside])


def sounds(given: Iterable[Path]) -> list[Floats]:
    """Recordings of files and of the files in folders."""
    try:
        return [read(path) for path in _sound_files(given)]
    except soundfile.SoundFileError as problem:
        raise BadInputError(f"a recording cannot be read ({problem}); convert it to WAV, or leave it out") from problem


def _sound_files(given: Iterable[Path]) -> list[Path]:
    files: list[Path] = []
    for path in given:
        if path.is_dir():
            files += sorted(p for p in path.rglob("*") if p.suffix.lower() in _SOUNDS)
        elif path.suffix.lower() in FOREIGN:
            raise BadInputError(f"{path} is of a kind that cannot be read; convert it to WAV or FLAC")
        elif path.is_file():
            files.append(path)
        else:
            raise BadInputError(f"there is no recording {path}; give a sound file or a folder of them")
    return files
