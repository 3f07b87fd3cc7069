"""A recording and what is said in it: NAME.flac (or .wav) and NAME.json beside it.

The truth file holds `seconds`, the recording's length, and `words`, each with `word`, `start` and `end` in
seconds. What `train stream` writes also says what it is (`kind`, `seed`, `recipe`) and knows its recording
again by `sha256`; a truth file made by hand needs none of that.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from spotter.errors import BadInputError
from spotter.settings import SAMPLE_RATE
from train.bank import read as read_samples
from train.data import AUDIO
from train.metrics import Word
from train.streams import Stream
from train.written import write_json

_APART_S = 0.05  # a length may be written in so few digits
_FORMATS = {".flac": "FLAC", ".wav": "WAV"}


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of a recording without its samples."""

    path: Path
    seconds: float
    words: tuple[Word, ...]
    kind: str  # recordings of the same kind are counted together
    sha256: str  # of the recording's file


def truth_path(path: Path) -> Path:
    """Where the truth file of a recording lies."""
    return path.with_suffix(".json")


def write(path: Path, stream: Stream, *, about: Mapping[str, Any] | None = None) -> None:
    """Write the samples, 16 bit, and the truth file beside them; each is there whole or not at all.

    Parameters
    ----------
    path : Path
        Ends with .flac or .wav.
    about : mapping, optional
        More for the truth file: `kind` (the file's name without it), `seed`, `recipe` ...
    """
    if path.suffix not in _FORMATS:
        raise BadInputError(f"{path} cannot be written; give a name that ends with .flac or .wav")
    part = path.with_name(f".{path.name}.part")
    try:
        soundfile.write(part, _as_int16(stream), SAMPLE_RATE, format=_FORMATS[path.suffix], subtype="PCM_16")
        digest = sha256(part)
        truth_path(path).unlink(missing_ok=True)  # never an old truth beside a new recording
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    words = [{"word": w.word, "start": round(w.start, 4), "end": round(w.end, 4)} for w in stream.words]
    values = {"kind": path.stem, **(about or {}), "seconds": round(stream.seconds, 4), "sha256": digest}
    write_json(truth_path(path), {**values, "words": words})


def read(path: Path, *, negatives: bool = False) -> Stream:
    """Read a recording with its words; with `negatives` it may have no truth file, and then holds no words."""
    known = look(path, negatives=negatives)
    return Stream(read_samples(path), known.words)


def look(path: Path, *, negatives: bool = False) -> Truth:
    """Say what is known of a recording, and whether its truth file fits it; its samples are not decoded.

    Raises
    ------
    BadInputError
        There is no recording, no truth file, or they do not belong together.
    """
    if not path.is_file():
        raise BadInputError(f"there is no recording {path}; give a sound file, or a folder of them")
    try:
        length = soundfile.info(path)
        seconds = length.frames / length.samplerate
    except (soundfile.LibsndfileError, ZeroDivisionError) as error:
        raise BadInputError(f"{path} cannot be read as sound; give WAV, FLAC, Ogg or MP3") from error
    beside = truth_path(path)
    digest = sha256(path)
    if not beside.is_file():
        if negatives:
            return Truth(path, seconds, (), path.stem, digest)
        raise BadInputError(
            f"{path} has no truth file; write its words to {beside}, or make streams with 'python -m train stream'"
        )
    values = _values(beside)
    _check_length(beside, values, seconds)
    if (known := values.get("sha256")) is not None and known != digest:
        raise BadInputError(
            f"{beside} belongs to another recording of the same length; make both again, "
            'or take "sha256" out of it if only the format of the recording was changed'
        )
    words = tuple(_word(beside, number, entry, seconds) for number, entry in enumerate(values["words"], 1))
    return Truth(path, seconds, words, str(values.get("kind") or path.stem), digest)


def recordings(given: Sequence[Path]) -> list[Path]:
    """Recordings that are named, and those in folders that are."""
    found: list[Path] = []
    for path in given:
        inside = sorted(p for p in path.iterdir() if _is_sound(p)) if path.is_dir() else [path]
        if not inside:
            raise BadInputError(f"no recordings in {path}; make streams with 'python -m train stream'")
        found += inside
    return list(dict.fromkeys(found))


def sha256(path: Path) -> str:
    """Hash of a file's bytes; a file that did not change is read once."""
    about = path.stat()
    return _sha256(path, about.st_size, about.st_mtime_ns)


@functools.lru_cache(maxsize=4_096)
def _sha256(path: Path, size: int, changed_ns: int) -> str:  # noqa: ARG001  what tells that the file is the same
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _is_sound(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in AUDIO and not path.name.startswith(".")


def _as_int16(stream: Stream) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    whole: np.ndarray[tuple[int], np.dtype[np.int16]] = np.clip(
        np.rint(stream.samples * np.float32(32_768)), -32_768, 32_767
    ).astype(np.int16)
    return whole


def _values(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise BadInputError(f"{path} is no truth file: {error}; make it again") from error
    if not isinstance(values, dict) or not isinstance(values.get("words"), list):
        raise BadInputError(f'{path} is no truth file: it has no list "words"; give one beside the recording')
    return values


def _check_length(path: Path, values: Mapping[str, Any], seconds: float) -> None:
    said = values.get("seconds")
    if not isinstance(said, int | float) or isinstance(said, bool):
        raise BadInputError(f'{path} does not say how long its recording is; add "seconds": {seconds:.2f}')
    if abs(said - seconds) > _APART_S:
        raise BadInputError(
            f"{path} is for a recording of {said:g} s, but the one beside it has {seconds:.2f} s; "
            "make both again, or put the right one there"
        )


def _word(path: Path, number: int, entry: object, seconds: float) -> Word:
    if not isinstance(entry, dict) or not (
        isinstance(entry.get("word"), str) and _is_number(entry.get("start")) and _is_number(entry.get("end"))
    ):
        raise BadInputError(f'word {number} in {path} is {entry!r}; give "word", and "start" and "end" in seconds')
    word, start, end = entry["word"], float(entry["start"]), float(entry["end"])
    if not 0 <= start < end <= seconds + _APART_S:
        raise BadInputError(
            f"word {number} in {path}, {word!r}, lies from {start:g} to {end:g} s, which is no time within the "
            f"{seconds:.2f} s of its recording; correct it, or put the right recording there"
        )
    return Word(word, start, end)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
