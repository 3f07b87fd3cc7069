"""Kinds of streams to measure with, each drawn by a seed of its own: the same seed gives the same samples.

words-quiet, words-10db ...  keywords and other words with pauses between them, in noise (`train.streams`)
speech-english, -other       hours of running speech without keywords
speech-10db ...              the English part of it in noise, each recording's ratio that of its whole
noise                        noise, music, a quiet room, digital silence
running                      keywords inside running speech, no pause before or after them
together                     keywords right after one another, groups of them with pauses between
tensorflow, mlperf           as two public tests build theirs (`train.foreign_streams`)
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError
from train.augment.room import draw_room, in_room
from train.data import Row
from train.foreign_streams import mlperf, tensorflow
from train.stream_layouts import in_groups, in_running_speech, noises
from train.stream_names import KINDS
from train.streams import Stream, draw_words, in_noise, speech, words_in_noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Recordings of one side of the split, and how much to make of them.

    snrs_db : of the word streams, beside the one in a quiet room
    rooms : whether words are heard in drawn small rooms, or in `responses` where there are some
    """

    keywords: tuple[str, ...]
    words: Sequence[Row] = ()
    speech: Sequence[Row] = ()
    noise: Sequence[Row] = ()
    responses: Sequence[Floats] = ()
    snrs_db: tuple[float, ...] = (10.0, 0.0)
    per_word: int = 40
    rooms: bool = False


def rng_of(seed: int, name: str) -> np.random.Generator:
    """Chance of one kind, whichever others are made with it."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def lacking(kind: str, material: Material) -> str:
    """Name the option without which a kind cannot be made; "" where nothing is lacking."""
    if kind in ("speech-english", "speech-other", "running", "mlperf") and not material.speech:
        return "--speech"
    if kind == "speech-noise" and not (material.speech and material.noise):
        return "--noise" if material.speech else "--speech"
    if kind in ("noise", "tensorflow", "mlperf") and not material.noise:
        return "--noise"
    return ""


def make(kind: str, material: Material, seed: int) -> Iterator[tuple[str, str, Stream]]:
    """Streams of a kind: file name without suffix, the kind that goes into the truth file, stream."""
    rng = rng_of(seed, kind)
    english = [r for r in material.speech if not _other_language(r)]
    if kind == "words":
        yield from _word_streams(material, seed)
    elif kind.startswith("speech-"):
        yield from _speech_streams(kind, material, english, rng)
    elif kind == "noise":
        yield kind, kind, noises(material.noise, rng)
    elif kind == "running":
        yield kind, kind, in_running_speech(_drawn(material, rng), english or material.speech, rng)
    elif kind == "together":
        yield kind, kind, in_groups(_drawn(material, rng), rng)
    elif kind == "tensorflow":
        yield kind, kind, tensorflow(material.words, material.keywords, material.noise, rng)
    elif kind == "mlperf":
        clips = [r for r in material.words if r.word in material.keywords]
        yield kind, kind, mlperf(clips, english or material.speech, material.noise, rng)
    else:
        raise BadInputError(f"there is no kind of stream {kind!r}; there are {', '.join(KINDS)}")


def word_stream_name(snr_db: float | None, *, rooms: bool) -> str:
    """Name of a word stream, which is its kind in the truth file, too."""
    level = "quiet" if snr_db is None else f"{snr_db:g}db"
    return f"words-{level}" + ("-room" if rooms else "")


def is_of(name: str, kind: str, material: Material) -> bool:
    """Whether a file of that name, without suffix, is one that `make` gives for this kind."""
    if kind == "words":
        return name in {word_stream_name(snr_db, rooms=material.rooms) for snr_db in (None, *material.snrs_db)}
    if kind == "speech-noise":
        kinds = [f"speech-{snr_db:g}db" for snr_db in material.snrs_db]
        return any(is_of(name, one, material) for one in kinds)
    return name == kind or (name.startswith(f"{kind}-") and name[len(kind) + 1 :].isdigit())


def listed(rows: Sequence[Row]) -> dict[str, Any]:
    """How many recordings, and a hash of their names and sizes."""
    names = "".join(f"{r.path.parent.name}/{r.path.name}:{r.path.stat().st_size}\n" for r in rows)
    return {"count": len(rows), "sha256": hashlib.sha256(names.encode()).hexdigest()}


def _word_streams(material: Material, seed: int) -> Iterator[tuple[str, str, Stream]]:
    def room(clip: Floats, rng: np.random.Generator) -> Floats:
        responses = material.responses
        return in_room(clip, responses[int(rng.integers(len(responses)))] if responses else draw_room(rng))

    for snr_db in (None, *(material.snrs_db if material.noise else ())):
        name = word_stream_name(snr_db, rooms=material.rooms)
        rng = rng_of(seed, name)
        some = draw_words(material.words, material.keywords, material.per_word, rng)
        heard = words_in_noise(some, material.noise, rng, snr_db=snr_db, room=room if material.rooms else None)
        yield name, name, heard


def _speech_streams(
    kind: str, material: Material, english: Sequence[Row], rng: np.random.Generator
) -> Iterator[tuple[str, str, Stream]]:
    if kind == "speech-noise":
        for snr_db in material.snrs_db:
            for number, stream in enumerate(speech(english), 1):
                name = f"speech-{snr_db:g}db"
                yield f"{name}-{number}", name, in_noise(stream, material.noise, rng, snr_db)
        return
    rows = english if kind == "speech-english" else [r for r in material.speech if _other_language(r)]
    for number, stream in enumerate(speech(rows), 1):
        yield f"{kind}-{number}", kind, stream


def _drawn(material: Material, rng: np.random.Generator) -> list[Row]:
    """Keywords in drawn order, half as many of each as in the word streams."""
    some = draw_words(material.words, material.keywords, max(1, material.per_word // 2), rng)
    keywords = [r for r in some if r.word in material.keywords]
    return [keywords[i] for i in rng.permutation(len(keywords))]


def _other_language(row: Row) -> bool:
    return row.speaker.startswith("cv-")
