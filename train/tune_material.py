"""What a tuning looks at: streams with truth files, streams mixed in memory, a user's own recordings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.settings import SAMPLE_RATE, DecoderConfig
from train.evaluate import Scored
from train.metrics import LATE_S
from train.mine_recordings import peaks
from train.progress import track
from train.truth import look, recordings
from train.tune_tally import Part

if TYPE_CHECKING:
    from train.stream_kinds import Material

NEGATIVES = "negatives"
_NOISE = "noise"
_MIXED = ("words", "speech-english", "speech-other", "speech-noise", _NOISE)


@dataclass(frozen=True, slots=True)
class Heard:
    """A part, the file that it is from, and what a manifest says of it."""

    part: Part
    path: Path | None
    about: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something in a recording without keywords sounds like one."""

    recording: str
    time: float  # seconds of the recording, end of the window
    keyword: str
    score: float  # of one window


def from_files(
    streams: Sequence[Path], negatives: Sequence[Path], score: Callable[[Sequence[Path]], Sequence[Scored]]
) -> list[Heard]:
    """Recordings, or folders of them; negatives need no truth file and are counted as one part."""
    known = [(t.kind, t) for t in map(look, recordings(streams))]
    known += [(NEGATIVES, look(path, negatives=True)) for path in recordings(negatives)]
    out = []
    for (name, truth), scored in zip(known, score([t.path for _, t in known]), strict=True):
        about = {
            "name": truth.path.name,
            "counted_as": name,
            "seconds": round(truth.seconds, 2),
            "sha256": truth.sha256,
        }
        out.append(Heard(Part(name, truth.words, scored), truth.path, about))
    return out


def mixed(material: Material, seed: int, score: Callable[[Floats], Scored]) -> list[Heard]:
    """Streams as `python -m train stream` makes them, without writing them."""
    from train.stream_kinds import lacking, make

    out = []
    kinds = [k for k in _MIXED if not lacking(k, material)]
    for kind in track(kinds, total=len(kinds), what="kinds of streams"):
        for name, counted_as, stream in make(kind, material, seed):
            digest = hashlib.sha256(np.ascontiguousarray(stream.samples).data).hexdigest()
            about = {"name": name, "counted_as": counted_as, "seconds": round(stream.seconds, 2), "samples": digest}
            out.append(Heard(Part(counted_as, stream.words, score(stream.samples)), None, about))
    return out


def weights(parts: Sequence[Part], keywords: Sequence[str], given: Sequence[str]) -> dict[str, float]:
    """Weights of the parts whose recall counts: those of words said on their own, one each, unless others are given."""
    holding = _in_order(p.name for p in parts if any(w.word in keywords for w in p.words))
    usual = [n for n in holding if n.startswith("words")] or [n for n in holding if n != NEGATIVES]
    out = dict.fromkeys(usual, 1.0)
    for text in given:
        name, _, value = text.partition("=")
        if name not in holding:
            raise BadInputError(f"--weights {text}: no stream with keywords is called {name!r}; {_there(holding)}")
        try:
            out[name] = float(value)
        except ValueError:
            out[name] = -1.0
        if not 0.0 <= out[name] < np.inf:
            raise BadInputError(f"--weights {text!r} is no NAME=NUMBER; give one such as {name}=0.5")
    if out and not any(out.values()):
        raise BadInputError("every weight is 0; give one of them more")
    return out


def counted(parts: Sequence[Part], keywords: Sequence[str], given: Sequence[str]) -> tuple[str, ...]:
    """Names of the parts whose false accepts count: speech without keywords and negatives, unless others are given."""
    names = _in_order(p.name for p in parts)
    if given:
        if strangers := [n for n in given if n not in names]:
            raise BadInputError(f"--count {strangers[0]}: no stream is called so; {_there(names)}")
        return tuple(dict.fromkeys(given))
    holding = {p.name for p in parts if any(w.word in keywords for w in p.words)} - {NEGATIVES}
    free = [n for n in names if n not in holding]
    usual = tuple(n for n in free if n != _NOISE) or tuple(free)
    if not usual:
        raise BadInputError(
            "nothing without keywords was given, so false accepts cannot be counted; add streams of speech, "
            "--negatives RECORDING, or say with --count which streams to count them in"
        )
    return usual


def noisy_seconds(parts: Sequence[Part], decoder: DecoderConfig) -> float:
    """Seconds in which the loudest moment is less over the floor than half-way from noise to quiet."""
    middle_db = (decoder.noise_db + decoder.quiet_db) / 2
    return sum(p.scored.seconds * float(np.mean(p.scored.levels - p.scored.floors < middle_db)) for p in parts)


def suspicious(
    heard: Iterable[Heard], counted: Sequence[str], labels: Sequence[str], keywords: Sequence[str], least: float
) -> list[Place]:
    """Where recordings that count score a keyword `least` or more that no truth file names, the highest first."""
    columns = {k: labels.index(k) for k in keywords}
    found = []
    for one in heard:
        if one.part.name not in counted:
            continue
        for end, keyword, value in peaks(one.part.scored, columns, least):
            time = end / SAMPLE_RATE
            if not any(w.word == keyword and w.start < time <= w.end + LATE_S for w in one.part.words):
                found.append(Place(str(one.path or one.about["name"]), time, keyword, value))
    return sorted(found, key=lambda p: -p.score)


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _there(names: Sequence[str]) -> str:
    return f"there are {', '.join(names)}" if names else "there are none"
