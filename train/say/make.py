"""Say a phrase, and phrases near it, in many voices, into folders of words: recordings for `fit` without a microphone.

    OUT/hey_robot/pico-en_US_nohash_0.wav          the phrase, 16 kHz, 16 bits
    OUT/_negatives_/hey/pico-en_US_nohash_0.wav     what must not fire it; no step takes a folder with "_" for a word
    OUT/said.json                                  what every file is

Everything follows from phrase, voices and seed, and more of it begins with less of it, so that the same command goes
on where it stopped. Nothing is written over.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from spotter.arrays import Floats
from spotter.clip_files import wav_bytes, write_new
from spotter.errors import BadInputError
from spotter.settings import SAMPLE_RATE
from train.near_words import ENDINGS
from train.progress import track
from train.recording.session import folder_name, folder_names
from train.say.near import Near, near_phrases
from train.say.reading import Hibari, Lexicon, Reader, clean
from train.say.voices import Source, open_sources, versions
from train.splits import NOHASH
from train.synthesis import trimmed
from train.written import write_json

NEGATIVES: Final = "_negatives_"
ABOUT: Final = "said.json"
COUNT: Final = 40  # utterances of a phrase
NEAR_COUNT: Final = 80  # of phrases near it, all together
_EACH_NEAR: Final = 4  # by so many voices
_PEAK: Final = 0.5
_STEP: Final = SAMPLE_RATE // 100
_SILENT_DB: Final = -38.0  # under the loudest 10 ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How utterances differ; factors, and silence inside a phrase."""

    slowest: float = 0.8
    fastest: float = 1.3
    lowest: float = 0.85
    highest: float = 1.2
    paused_share: float = 0.25  # with a comma between words
    shortest_pause_s: float = 0.06
    longest_pause_s: float = 0.2  # a longer one would end the phrase for whoever looks for it in the recording


@dataclass(frozen=True, slots=True)
class Utterance:
    """One text said once by a voice; `number` counts the voice's utterances of it."""

    folder: str  # below OUT
    text: str
    source: Source
    voice: str
    number: int
    speed: float
    pitch: float
    pause_s: float
    seed: int

    @property
    def path(self) -> str:
        """Where it lies, below OUT."""
        return f"{self.folder}/{self.source.name}-{self.voice.replace('-', '_')}{NOHASH}{self.number}.wav"

    @property
    def about(self) -> dict[str, Any]:
        """It, as plain data."""
        rest = {name: getattr(self, name) for name in ("text", "voice", "speed", "pitch", "pause_s", "seed")}
        return {"source": self.source.name, **rest}


@dataclass(frozen=True, slots=True)
class Made:
    """What was said of a phrase."""

    phrase: str
    folder: Path  # of its recordings
    negatives: Path
    utterances: int
    near: Sequence[Near]
    near_utterances: int
    voices: Sequence[str]
    silent: Sequence[str] = field(default=())  # what no voice could say


def say_phrase(
    phrase: str,
    out: Path,
    sources: Sequence[Source],
    *,
    count: int = COUNT,
    near_count: int = NEAR_COUNT,
    seed: int = 0,
    reader: Reader | None = None,
    apart_from: Sequence[str] = (),
    manner: Manner | None = None,
) -> Made:
    """Say a phrase and what is near it.

    Parameters
    ----------
    phrase : str
    out : Path
        Folder of words; files that are there stay.
    sources : sequence of Source
        `voices.open_sources()`.
    count, near_count : int
        Recordings of the phrase, and of phrases near it, all together.
    seed : int
        Of who says what, how fast, how high.
    reader : Reader, optional
        How text is spoken; hibari's where there is none.
    apart_from : sequence of str
        Further phrases of the same model: none of them becomes a negative.
    manner : Manner, optional
        How utterances differ.

    Raises
    ------
    BadInputError
        Odd characters, no voice that says anything, or a folder made with other voices or another seed.
    """
    phrase = clean(phrase)
    others = [other for other in map(clean, apart_from) if folder_name(other) != folder_name(phrase)]
    if count < 1 or near_count < 0:
        raise BadInputError(f"--count {count} and --near-count {near_count}: give at least 1, and 0")
    reader, manner = reader or Hibari(), manner or Manner()
    voices = [(source, voice) for source in sources for voice in source.names()]
    if not voices:
        raise BadInputError("there is no voice to say anything")
    names = [f"{source.name}-{voice}" for source, voice in voices]
    _refuse_others(out, seed, names)
    near = near_phrases(
        phrase, reader, count=-(-near_count // _EACH_NEAR), apart_from=others, lexicon=Lexicon(reader.lexicon())
    )
    wanted = list(plan(phrase, folder_name(phrase), voices, count, seed, manner))
    for at, its in enumerate(near):
        times = min(_EACH_NEAR, near_count - at * _EACH_NEAR)
        wanted += plan(its.text, f"{NEGATIVES}/{folder_name(its.text)}", voices, times, seed, manner)
    out.mkdir(parents=True, exist_ok=True)
    silent = [
        u.path for u in track(wanted, total=len(wanted), what=f"saying {phrase!r}") if not say_one(u, out, manner)
    ]
    kept = [u for u in wanted if u.path not in silent]
    said = [u for u in kept if not u.folder.startswith(NEGATIVES)]
    if not said:
        raise BadInputError(f"no voice made a sound of {phrase!r}; write it as it is spoken")
    _note(out, phrase, seed, names, sources, kept, near)
    return Made(
        phrase,
        out / folder_name(phrase),
        out / NEGATIVES,
        len(said),
        near,
        len(kept) - len(said),
        names,
        silent,
    )


def say_phrases(
    phrases: Sequence[str],
    out: Path,
    sources: Sequence[Source],
    *,
    count: int = COUNT,
    near_count: int = NEAR_COUNT,
    seed: int = 0,
    reader: Reader | None = None,
) -> list[Made]:
    """Say several phrases of one model; see `say_phrase`."""
    phrases = [clean(phrase) for phrase in phrases]
    folder_names(phrases)  # each there once
    reader = reader or Hibari()
    how: dict[str, Any] = {"count": count, "near_count": near_count, "seed": seed, "reader": reader}
    return [say_phrase(phrase, out, sources, apart_from=phrases, **how) for phrase in phrases]


def say_for_fit(phrases: Sequence[str], data: Path, *, voices: Path | None = None, seed: int = 0) -> list[str]:
    """Say phrases with all voices that are installed, as `fit --say` does; return their folders' names in `data`."""
    cleaned = [clean(phrase) for phrase in phrases]
    names = folder_names(cleaned)  # before anything is loaded
    reader = Hibari()
    sources = open_sources(voices, reader=reader)
    count = max(COUNT, sum(len(source.names()) for source in sources))  # each voice says it once at least
    say_phrases(cleaned, data, sources, count=count, seed=seed, reader=reader)
    return names


def plan(
    text: str, folder: str, voices: Sequence[tuple[Source, str]], count: int, seed: int, manner: Manner
) -> Iterator[Utterance]:
    """Who says a text, how: the voices take turns."""
    rng = np.random.default_rng([seed, zlib.crc32(text.encode())])
    turn = rng.permutation(len(voices))
    for i in range(count):
        source, voice = voices[turn[i % len(voices)]]
        ending = ENDINGS[rng.integers(len(ENDINGS))]
        speed = round(float(rng.uniform(manner.slowest, manner.fastest)), 2)
        pitch = round(float(rng.uniform(manner.lowest, manner.highest)), 2)
        pause = round(float(rng.uniform(manner.shortest_pause_s, manner.longest_pause_s)), 3)
        spoken = text.replace(" ", ", ") if rng.random() < manner.paused_share else text
        own = int(rng.integers(2**31))
        yield Utterance(folder, spoken + ending, source, voice, i // len(voices), speed, pitch, pause, own)


def say_one(utterance: Utterance, out: Path, manner: Manner) -> bool:
    """Make one utterance's file unless it is there; False where the voice made no sound."""
    path = out / utterance.path
    if path.exists():
        return True
    u = utterance
    samples = u.source.say(u.text, u.voice, speed=u.speed, pitch=u.pitch, seed=u.seed)
    if len(samples) < _STEP or not np.abs(samples).max() > 0:
        return False
    samples = trimmed(paused(samples, min(u.pause_s, manner.longest_pause_s)))
    samples = samples * np.float32(_PEAK / np.abs(samples).max())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_new(path, wav_bytes(np.asarray(samples, np.float32)))
    return True


def paused(samples: Floats, longest_s: float) -> Floats:
    """Samples with every silence between sounds cut to a length."""
    levels = np.square(samples[: len(samples) // _STEP * _STEP], dtype=np.float64).reshape(-1, _STEP).mean(1)
    loud = np.flatnonzero(levels >= levels.max() * 10.0 ** (_SILENT_DB / 10.0))
    longest = round(longest_s * SAMPLE_RATE / _STEP)
    keep = np.ones(len(samples), bool)
    for before, after in itertools.pairwise(loud):
        if after - before - 1 > longest:
            head = longest // 2
            keep[(before + 1 + head) * _STEP : (after - (longest - head)) * _STEP] = False
    return samples[keep]


def _refuse_others(out: Path, seed: int, voices: Sequence[str]) -> None:
    """Refuse a folder in which the same names stand for other utterances."""
    before = read_about(out)
    if before and (before.get("seed"), before.get("voices")) != (seed, list(voices)):
        raise BadInputError(f"{out} was made with another seed or other voices; give another folder")


def read_about(out: Path) -> dict[str, Any]:
    """What is written down of a folder; nothing where it has nothing said."""
    try:
        values = json.loads((out / ABOUT).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as problem:
        raise BadInputError(f"{out / ABOUT} cannot be read ({problem}); give another folder") from problem
    return values if isinstance(values, dict) else {}


def _note(
    out: Path,
    phrase: str,
    seed: int,
    names: Sequence[str],
    sources: Sequence[Source],
    kept: Sequence[Utterance],
    near: Sequence[Near],
) -> None:
    before = read_about(out)
    files = dict(before.get("files", {}))
    for utterance in kept:
        digest = hashlib.sha256((out / utterance.path).read_bytes()).hexdigest()
        files[utterance.path] = {**utterance.about, "sha256": digest}
    phrases = dict(before.get("phrases", {}))
    phrases[phrase] = {
        "folder": folder_name(phrase),
        "near": [{"text": n.text, "kind": n.kind, "distance": n.distance} for n in near],
    }
    write_json(
        out / ABOUT,
        {
            "synthetic": True,  # no human voice is in it
            "seed": seed,
            "voices": list(names),
            "versions": {**before.get("versions", {}), **versions(sources)},
            "phrases": phrases,
            "files": files,
        },
    )
