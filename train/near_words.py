"""Which words are said by synthetic voices, and the plan of it: who says what, how fast.

Keywords are said by the same voices as the words near them; else a network learns that a synthetic
voice never says a keyword. The plan follows from words, voices and seed alone, and a longer one
begins with the shorter one, so that saying goes on where it stopped.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from spotter.errors import BadInputError

if sys.version_info >= (3, 11):
    import tomllib
else:  # the standard library's own since 3.11
    import tomli as tomllib

OWN_WORDS: Final = Path(__file__).with_name("near_words.toml")
ENDINGS: Final = ("", ",", ".", "!", "?")  # a voice says each with another melody
SLOWEST, FASTEST = 0.8, 1.4
SOFTEST_DB, HARDEST_DB = -40.0, -10.0  # of a final p's release


@dataclass(frozen=True, slots=True)
class Words:
    """Words near each keyword, words that sound just like it, and everyday words."""

    near: Mapping[str, tuple[str, ...]]
    same: Mapping[str, tuple[str, ...]]
    everyday: tuple[str, ...]

    def others(self, keywords: Sequence[str]) -> tuple[list[str], list[str]]:
        """Near words of `keywords` and everyday words, each once, none that is or sounds like a keyword."""
        barred = {*keywords, *(word for k in keywords for word in self.same.get(k, ()))}
        near = dict.fromkeys(word for k in keywords for word in self.near.get(k, ()) if word not in barred)
        everyday = [word for word in self.everyday if word not in barred and word not in near]
        return list(near), everyday


@dataclass(frozen=True, slots=True)
class Speaker:
    """A voice, or the mean of two, `weight` of the first: a speaker of its own."""

    one: str
    other: str = ""
    weight: float = 1.0

    @property
    def name(self) -> str:
        """The name in file names."""
        return f"{self.one}-{self.other}-{round(100 * self.weight)}" if self.other else self.one


@dataclass(frozen=True, slots=True)
class Utterance:
    """One word said once; `number` counts a speaker's utterances of the word, `release_db` is for a final p."""

    word: str
    speaker: Speaker
    number: int
    text: str
    speed: float
    release_db: float

    @property
    def path(self) -> str:
        """Where it lies, in the layout of Speech Commands."""
        return f"{self.word.replace(' ', '_')}/{self.speaker.name}_nohash_{self.number}.flac"


def read_words(path: Path = OWN_WORDS) -> Words:
    """Read a file of near words; `train/near_words.toml` shows the form."""
    try:
        found: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        near, same = ({str(k): _strings(v) for k, v in found.get(name, {}).items()} for name in ("near", "same"))
        return Words(near, same, _strings(found.get("everyday", {}).get("words", [])))
    except OSError as error:
        raise BadInputError(f"{path} cannot be read ({error.strerror}); give a file like {OWN_WORDS.name}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, AttributeError, TypeError) as error:
        raise BadInputError(f"{path} is no file of near words ({error}); {OWN_WORDS.name} shows the form") from error


def _strings(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(v, str) and v.strip() for v in value):
        raise TypeError(f"{value!r} is no list of words")
    return tuple(value)


def speakers(voices: Sequence[str], count: int, rng: np.random.Generator) -> list[Speaker]:
    """All of `voices`, then blends of two, drawn, until there are `count`."""
    out = [Speaker(voice) for voice in voices][:count]
    while len(out) < count and len(voices) > 1:
        one, other = rng.choice(len(voices), 2, replace=False)
        blend = Speaker(voices[one], voices[other], float(rng.integers(30, 71)) / 100.0)
        if blend not in out:
            out.append(blend)
    return out


def plan(counts: Mapping[str, int], by: Sequence[Speaker], seed: int) -> list[Utterance]:
    """Who says what: `counts[word]` utterances of each word, spread over the speakers.

    The order lets all words grow alike, so that what there is when it is stopped is of use.
    """
    ordered = []
    for at, (word, count) in enumerate(counts.items()):
        rng = np.random.default_rng([seed, zlib.crc32(word.encode())])
        turn = rng.permutation(len(by))
        for i in range(count):
            text = word.replace("_", " ") + ENDINGS[rng.integers(len(ENDINGS))]
            speed = round(float(rng.uniform(SLOWEST, FASTEST)), 2)
            release_db = round(float(rng.uniform(SOFTEST_DB, HARDEST_DB)), 1)
            utterance = Utterance(word, by[turn[i % len(by)]], i // len(by), text, speed, release_db)
            ordered.append(((i + 1) / count, at, utterance))
    return [utterance for _, _, utterance in sorted(ordered, key=lambda item: item[:2])]
