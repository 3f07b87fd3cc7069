"""How English text is spoken: `hibari`'s lexicon and rules (misaki's; Apache-2.0), and its guesses for other words."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np

from spotter.errors import BadInputError, SpotterError
from train.say.phonemes import codes, distances, sounds, syllables, together

INSTALL: Final = "pip install 'spotter-kws[say]'"
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_MOST_WORDS, _MOST_LETTERS = 6, 60
_GUESS: Final = 2  # hibari's rating of what its lexicon and rules do not know
_SHORTEST: Final = 2  # letters of a word that can stand for itself


@dataclass(frozen=True, slots=True)
class Reading:
    """A text and its sounds, one string for each word; `guessed` where the lexicon does not know a word."""

    text: str
    words: tuple[str, ...]
    guessed: bool = False

    @property
    def sounds(self) -> str:
        """All sounds, one after another."""
        return "".join(self.words)

    @property
    def syllables(self) -> int:
        """How many vowels it has."""
        return syllables(self.sounds)


class Reader(Protocol):
    """What reads text: hibari, or a test's own table."""

    def read(self, text: str) -> Reading:
        """Sounds of a text."""

    def lexicon(self) -> Mapping[str, str]:
        """Words that are known, and their sounds."""


def clean(phrase: str) -> str:
    """Return a phrase as words between single spaces; refuse what nobody speaks."""
    words = phrase.replace("\u2019", "'").split()
    if not words:
        raise BadInputError(f"the phrase {phrase!r} is empty; give a word or a phrase as it is spoken")
    for word in words:
        if not _WORD.fullmatch(word):
            odd = next((c for c in word if not c.isalpha()), word)
            raise BadInputError(
                f"the phrase {phrase!r} holds {odd!r}; write it in letters as it is spoken, numbers as words"
            )
    if len(words) > _MOST_WORDS or len(phrase) > _MOST_LETTERS:
        raise BadInputError(
            f"the phrase {phrase[:40]!r} has {len(words)} words and {len(phrase)} letters, more than {_MOST_WORDS} or "
            f"{_MOST_LETTERS}; a listener's phrase lasts a second or two: give a shorter one"
        )
    return " ".join(words)


class Hibari:
    """hibari's reading of American English; only its text side is loaded."""

    def __init__(self) -> None:
        try:
            g2p = importlib.import_module("hibari.g2p")
        except ImportError as problem:
            raise SpotterError(f"how words are spoken is read by hibari-tts, which is missing; {INSTALL}") from problem
        self._g2p: Any = g2p.G2P()

    def read(self, text: str) -> Reading:
        """Sounds of a text."""
        tokens = self._g2p.phonemize_tokens(self._g2p.tokenize(clean(text).lower()))
        said = [(sounds(t.phonemes or ""), t.rating == _GUESS) for t in tokens]
        words = tuple(word for word, _ in said if word)
        if not words:
            raise BadInputError(f"{text!r} cannot be read as English; write it as it is spoken")
        return Reading(text, words, any(guessed for _, guessed in said))

    def lexicon(self) -> Mapping[str, str]:
        """Words of the checked part of the lexicon, some 70,000, and their sounds."""
        return self._lexicon

    @cached_property
    def _lexicon(self) -> dict[str, str]:
        out: dict[str, str] = {}
        for word, entry in self._g2p.lexicon.golds.d.items():
            reading = entry if isinstance(entry, str) else entry.get("DEFAULT")
            if reading and len(word) >= _SHORTEST and word.isascii() and word.isalpha() and word.islower():
                out[word] = sounds(reading)
        return out


class Lexicon:
    """Words by their sounds, for finding the near ones of thousands at once."""

    def __init__(self, words: Mapping[str, str]) -> None:
        self.words = list(words)
        self.readings = list(words.values())
        self._together = together(self.readings)

    def near(self, reading: str, *, within: float, inside: bool = False, slack: int = 3) -> list[tuple[str, float]]:
        """Words within a distance of a reading, the nearest first; `inside`: that have something like it in them."""
        one, found = codes(reading), []
        for length, (places, others) in self._together.items():
            if length == 0 or length < len(one) - slack or (not inside and length > len(one) + slack):
                continue
            far = distances(one, others, inside=inside)
            found += [(float(far[i]), self.words[places[i]]) for i in np.flatnonzero(far <= within)]
        return [(word, far) for far, word in sorted(found)]

    def parts(self, reading: str, *, least: float = 0.3, most: float = 0.8) -> list[str]:
        """Words that a reading begins or ends with, as "snow" and "boy" for "snowboy", the longest first."""
        return [
            word
            for length in sorted(self._together, reverse=True)
            if max(2, least * len(reading)) <= length <= most * len(reading)
            for word in (self.words[i] for i in self._together[length][0] if self._ends(i, reading))
        ]

    def _ends(self, at: int, reading: str) -> bool:
        its = self.readings[at]
        return syllables(its) > 0 and (reading.startswith(its) or reading.endswith(its))
