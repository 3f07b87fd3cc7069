"""Clips that a listener saved, marked right or wrong, and put where `fit` finds them.

right, or another word that the model or the data know    DATA/WORD/heard-DAY_nohash_N.wav, cut to the word
wrong                                                     DATA/_negatives_/CLIP.wav, whole
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from spotter.arrays import Floats
from spotter.clip_files import wav_bytes, write_new, write_over
from spotter.errors import BadInputError
from spotter.saving import AFTER_S
from spotter.settings import SAMPLE_RATE
from train.recording.session import Session, folder_name, plain
from train.recording.utterances import decibels, find

NEGATIVES: Final = "_negatives_"
TABLE: Final = "reviewed.tsv"
_COLUMNS: Final = ("clip", "answer", "word", "put")
_HEARD: Final = "heard"  # the speaker of what a listener saved: nobody knows who it was
_WORD_S: Final = (1.4, 0.1)  # before and after the decision, where no word can be told from the rest
_CELLS: Final = 60
_BARS: Final = "▁▂▃▄▅▆▇█"

Answer: TypeAlias = Literal["right", "wrong", "word", "skip", "end"]


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip and what is known of it."""

    path: Path
    about: Mapping[str, Any]

    @property
    def keyword(self) -> str:
        """What was heard; "" where nobody wrote it down."""
        return str(self.about.get("keyword", ""))

    @property
    def mark(self) -> Literal["right", "wrong"] | None:
        """What was said of it on the live page, if anything."""
        mark = self.about.get("mark")
        return mark if mark in ("right", "wrong") else None

    @property
    def known(self) -> frozenset[str]:
        """Folders of the words that the model knows."""
        words = self.about.get("model", {}).get("keywords", [])
        return frozenset(folder_name(str(word)) for word in words)

    @property
    def decided_s(self) -> float | None:
        """Where in the clip it was decided."""
        if "time" not in self.about or "clip_start" not in self.about:
            return None
        return float(self.about["time"]) - float(self.about["clip_start"])

    def __str__(self) -> str:
        """Return what people are told."""
        if not self.keyword:
            return self.path.name
        return f"{self.keyword} {self.about.get('score', '')} {self.about.get('wall', '')}".strip()


def clips(folder: Path) -> list[Clip]:
    """Clips of a folder, in the order of their names."""
    if not folder.is_dir():
        raise BadInputError(f"{folder} is no folder; give the one that `spotter listen --save` wrote")
    out = []
    for path in sorted(folder.glob("*.wav")):
        if path.name.startswith("."):
            continue
        try:
            about = json.loads(path.with_suffix(".json").read_bytes())
        except (OSError, ValueError):
            about = {}
        out.append(Clip(path, about if isinstance(about, dict) else {}))
    if not out:
        raise BadInputError(f"{folder} holds no clips; `spotter listen --save {folder}` writes some")
    return out


def read(clip: Clip) -> Floats:
    """Samples of a clip at 16 kHz, shape (samples,)."""
    from train.recording.collecting import read as read_file

    return read_file(clip.path)[1]


def understand(text: str, clip: Clip, data: Path) -> tuple[Answer, str]:
    """Take what was typed: the answer, and the word where one was given.

    "yes" and "no" are words where the model or the data know them, else answers.
    """
    typed = text.strip().lower()
    short: dict[str, Answer] = {"y": "right", "n": "wrong", "s": "skip", "q": "end", "": "skip"}
    if typed in short:
        return short[typed], ""
    folder = folder_name(typed)
    if typed in ("yes", "no") and not _is_word(folder, clip, data):
        return short[typed[0]], ""
    return "word", folder


def _is_word(folder: str, clip: Clip, data: Path) -> bool:
    return not clip.keyword or folder in clip.known or (data / folder).is_dir()


@dataclass
class Review:
    """What was answered about a folder's clips, kept in reviewed.tsv beside them.

    Parameters
    ----------
    folder : of clips
    data : folder of words
    """

    folder: Path
    data: Path
    answered: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            text = (self.folder / TABLE).read_text("utf-8")
        except FileNotFoundError:
            return
        rows = csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
        self.answered = {row["clip"]: {c: row.get(c) or "" for c in _COLUMNS} for row in rows if row.get("clip")}

    def answer(self, clip: Clip, samples: Floats, answer: Answer, word: str = "") -> Path:
        """Put a clip where it belongs, and remember it; return the path that was written."""
        if answer == "right":
            if not clip.keyword:
                raise BadInputError(f"nobody wrote down which word {clip.path.name} holds; type the word")
            word = folder_name(clip.keyword)
        if answer == "right" or (answer == "word" and _is_word(word, clip, self.data)):
            put = self._keep(clip, samples, word)
        else:
            put = self._reject(clip, samples)
        self.answered[clip.path.name] = {"clip": clip.path.name, "answer": answer, "word": word, "put": str(put)}
        self._write()
        return put

    def _keep(self, clip: Clip, samples: Floats, word: str) -> Path:
        day = re.sub(r"T.*|-", "", str(clip.about.get("wall", "")))
        session = Session(self.data, _HEARD, plain(day or Path(str(clip.about.get("source", "clips"))).stem, "session"))
        begin, end = word_in(samples, clip.decided_s)
        about = {"source": str(clip.path), "heard": dict(clip.about), "start": round(begin / SAMPLE_RATE, 3)}
        return session.keep(word, samples[begin:end], about, once=True)

    def _reject(self, clip: Clip, samples: Floats) -> Path:
        data = wav_bytes(samples)
        folder = self.data / NEGATIVES
        folder.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            path = folder / (clip.path.name if number == 1 else f"{clip.path.stem}-{number}.wav")
            try:
                write_new(path, data)
            except FileExistsError:
                if path.read_bytes() == data:  # put there before, and not written down
                    return path
                number += 1
                continue
            return path

    def _write(self) -> None:
        rows = [
            "\t".join(row[c].translate({9: 32, 10: 32, 13: 32}) for c in _COLUMNS) for row in self.answered.values()
        ]
        write_over(self.folder / TABLE, ("\n".join(["\t".join(_COLUMNS), *rows]) + "\n").encode())


def word_in(samples: Floats, decided_s: float | None) -> tuple[int, int]:
    """Where in a clip the word is that was heard: the last one that begins before the decision, with room."""
    at = len(samples) - round(AFTER_S * SAMPLE_RATE) if decided_s is None else round(decided_s * SAMPLE_RATE)
    said = [word for word in find(samples) if word.first < at]
    before, after = (round(s * SAMPLE_RATE) for s in _WORD_S)
    if not said or at - said[-1].last > before:
        return max(0, at - before), min(len(samples), at + after)
    word = said[-1]
    begin = word.begin if word.last - word.first <= 2 * before else max(word.begin, at - 2 * before)
    return begin, word.end


def waveform(samples: Floats, *, plain_text: bool = False) -> str:
    """Draw samples as a row of bars: the level of each stretch, 60 dB high."""
    levels = decibels(samples)
    if not len(levels):
        return ""
    top = float(levels.max())
    marks = " .:-=+*#" if plain_text else _BARS
    parts = np.array_split(levels, min(_CELLS, len(levels)))
    heights = [(float(part.max()) - top + 60.0) / 60.0 for part in parts]
    return "".join(marks[min(len(marks) - 1, max(0, int(h * len(marks))))] for h in heights)
