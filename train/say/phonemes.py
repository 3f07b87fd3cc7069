"""Sounds of English, and how far apart two readings are: a metric, 0 for the same, towards 1 for nothing alike.

An edit distance in which a sound costs more to replace the less alike it is: consonants by place, manner and voice,
vowels by where the tongue is, at their beginning and at their end (Ladefoged and Johnson, A Course in Phonetics).
The symbols are those of misaki, which `hibari` writes: one character for each sound, diphthongs included.
"""

# ruff: noqa: RUF001  phonetic letters look like others

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Codes: TypeAlias = npt.NDArray[np.intp]
Costs: TypeAlias = npt.NDArray[np.float64]

# height and backness of the tongue at the beginning, then at the end
_VOWELS: Final = {
    "i": (1.0, 0.0, 1.0, 0.0),
    "ɪ": (0.8, 0.2, 0.8, 0.2),
    "ᵻ": (0.75, 0.35, 0.75, 0.35),
    "ɛ": (0.45, 0.15, 0.45, 0.15),
    "æ": (0.15, 0.2, 0.15, 0.2),
    "ə": (0.5, 0.5, 0.5, 0.5),
    "ɜ": (0.5, 0.55, 0.5, 0.55),
    "ʌ": (0.3, 0.65, 0.3, 0.65),
    "ɑ": (0.0, 0.85, 0.0, 0.85),
    "ɔ": (0.35, 1.0, 0.35, 1.0),
    "ʊ": (0.8, 0.85, 0.8, 0.85),
    "u": (1.0, 1.0, 1.0, 1.0),
    "A": (0.6, 0.1, 0.9, 0.1),
    "I": (0.0, 0.5, 0.85, 0.15),
    "O": (0.55, 0.9, 0.85, 0.95),
    "W": (0.0, 0.5, 0.8, 0.9),
    "Y": (0.4, 1.0, 0.85, 0.15),
}
# place, from the lips to the glottis; manner; voiced
_CONSONANTS: Final = {
    "p": (0.0, "stop", False),
    "b": (0.0, "stop", True),
    "t": (0.4, "stop", False),
    "d": (0.4, "stop", True),
    "k": (0.85, "stop", False),
    "ɡ": (0.85, "stop", True),
    "ʧ": (0.55, "affricate", False),
    "ʤ": (0.55, "affricate", True),
    "f": (0.1, "fricative", False),
    "v": (0.1, "fricative", True),
    "θ": (0.25, "fricative", False),
    "ð": (0.25, "fricative", True),
    "s": (0.4, "fricative", False),
    "z": (0.4, "fricative", True),
    "ʃ": (0.6, "fricative", False),
    "ʒ": (0.6, "fricative", True),
    "h": (1.0, "fricative", False),
    "m": (0.0, "nasal", True),
    "n": (0.4, "nasal", True),
    "ŋ": (0.85, "nasal", True),
    "l": (0.35, "liquid", True),
    "ɹ": (0.6, "liquid", True),
    "w": (0.1, "glide", True),
    "j": (0.7, "glide", True),
}
_MANNERS: Final = {
    ("affricate", "stop"): 0.3,
    ("affricate", "fricative"): 0.3,
    ("fricative", "stop"): 0.45,
    ("nasal", "stop"): 0.45,
    ("fricative", "nasal"): 0.6,
    ("liquid", "nasal"): 0.5,
    ("glide", "nasal"): 0.6,
    ("glide", "liquid"): 0.25,
    ("fricative", "liquid"): 0.6,
}
_OTHER_MANNER: Final = 0.7
_VOICE: Final = 0.2
_PLACE: Final = 0.6  # from the lips to the glottis
_TONGUE: Final = 0.8  # from one corner of the mouth to the next
_LEAST: Final = 0.15  # two different sounds
_MOST: Final = 1.0
_ACROSS: Final = 1.2  # a vowel for a consonant
_EPSILON: Final = 1e-12
_HALF_VOWELS: Final = {("j", "i"): 0.4, ("j", "ɪ"): 0.5, ("w", "u"): 0.4, ("w", "ʊ"): 0.5, ("ɹ", "ɜ"): 0.5}
_DROPPED: Final = {"ə": 0.6, "ᵻ": 0.6, "ɪ": 0.7, "h": 0.5, "j": 0.6, "w": 0.7, "ɹ": 0.6, "t": 0.7, "d": 0.7}
_DROPPED_VOWEL, _DROPPED_CONSONANT = 1.0, 0.8

_SAME: Final = {"ᵊ": "ə", "ɐ": "ə", "T": "t", "ɾ": "t", "ʔ": "t", "Q": "O", "ɒ": "ɑ", "a": "ɑ", "e": "ɛ", "g": "ɡ"}
SOUNDS: Final = (*_VOWELS, *_CONSONANTS)
VOWELS: Final = frozenset(_VOWELS)
_CODE: Final = {sound: at for at, sound in enumerate(SOUNDS)}


class _OnlySounds(dict[int, str]):
    """A table for `str.translate` that drops what is not in it."""

    def __missing__(self, _: int) -> str:
        return ""


_SOUND_OF: Final = _OnlySounds({ord(c): s for c, s in [*((s, s) for s in SOUNDS), *_SAME.items()]})
_BYTE_OF: Final = _OnlySounds({ord(sound): chr(at) for sound, at in _CODE.items()})


def sounds(reading: str) -> str:
    """Keep the sounds of a reading, without stress, length, spaces and punctuation; variants become one symbol."""
    return reading.translate(_SOUND_OF)


def codes(reading: str) -> Codes:
    """Numbers of the sounds of a reading, shape (sounds,)."""
    return np.frombuffer(sounds(reading).translate(_BYTE_OF).encode("latin-1"), np.uint8).astype(np.intp)


def syllables(reading: str) -> int:
    """How many vowels a reading has."""
    return sum(s in VOWELS for s in sounds(reading))


def _consonants(one: str, other: str) -> float:
    (place, manner, voiced), (its_place, its_manner, its_voiced) = _CONSONANTS[one], _CONSONANTS[other]
    low, high = sorted((manner, its_manner))
    cost = 0.0 if low == high else _MANNERS.get((low, high), _OTHER_MANNER)
    return cost + _VOICE * (voiced != its_voiced) + _PLACE * abs(place - its_place)


def _vowels(one: str, other: str) -> float:
    a, b = np.array(_VOWELS[one]), np.array(_VOWELS[other])
    return _TONGUE * float(np.hypot(*(a - b)[:2]) + np.hypot(*(a - b)[2:])) / 2.0


def _replace(one: str, other: str) -> float:
    if one == other:
        return 0.0
    if (one in VOWELS) != (other in VOWELS):
        return _HALF_VOWELS.get((one, other), _HALF_VOWELS.get((other, one), _ACROSS))
    return min(_MOST, max(_LEAST, _vowels(one, other) if one in VOWELS else _consonants(one, other)))


def _drop(sound: str) -> float:
    return _DROPPED.get(sound, _DROPPED_VOWEL if sound in VOWELS else _DROPPED_CONSONANT)


def _costs() -> Costs:
    """Costs of replacing each sound by each, "no sound" the last of them: the shortest way, so it is a metric."""
    table = np.zeros((len(SOUNDS) + 1, len(SOUNDS) + 1))
    for i, one in enumerate(SOUNDS):
        table[i, :-1] = [_replace(one, other) for other in SOUNDS]
        table[i, -1] = table[-1, i] = _drop(one)
    for by in range(len(table)):  # Floyd and Warshall
        table = np.minimum(table, table[:, by : by + 1] + table[by])
    return table


COSTS: Final = _costs()
DROP: Final = COSTS[-1, :-1]


def edits(one: Codes, others: Codes) -> Costs:
    """Costs of turning a reading into each of others of one length.

    Parameters
    ----------
    one : shape (sounds,)
    others : shape (readings, length)

    Returns
    -------
    float64, shape (readings,)
    """
    added = np.concatenate([np.zeros((len(others), 1)), np.cumsum(DROP[others], axis=1)], axis=1)
    row = added.copy()
    for sound in one:
        last, row = row, row + DROP[sound]
        np.minimum(row[:, 1:], last[:, :-1] + COSTS[sound][others], out=row[:, 1:])
        row = np.minimum.accumulate(row - added, axis=1) + added  # what only the other has, put in
    return row[:, -1]


def edits_inside(one: Codes, others: Codes) -> tuple[Costs, Costs]:
    """Costs of turning a reading into the part of each other that is most like it, and what that part weighs."""
    weights = DROP[others]
    row = np.zeros((len(others), others.shape[1] + 1))
    weight = row.copy()
    for sound in one:
        last, last_weight = row, weight
        row, weight = last + DROP[sound], last_weight.copy()
        for at in range(1, row.shape[1]):
            for cost, its_weight in (
                (last[:, at - 1] + COSTS[sound, others[:, at - 1]], last_weight[:, at - 1] + weights[:, at - 1]),
                (row[:, at - 1] + weights[:, at - 1], weight[:, at - 1] + weights[:, at - 1]),
            ):
                better = cost < row[:, at] - _EPSILON
                row[better, at], weight[better, at] = cost[better], its_weight[better]
    ends = row.argmin(axis=1)
    rows = np.arange(len(others))
    return row[rows, ends], weight[rows, ends]


def distances(one: Codes, others: Codes, *, inside: bool = False) -> Costs:
    """Distances of a reading from others of one length, 0..1, or from the part of each that is most like it."""
    cost, weight = edits_inside(one, others) if inside else (edits(one, others), DROP[others].sum(axis=1))
    whole = float(DROP[one].sum()) + weight + cost
    return np.minimum(1.0, 2.0 * cost / np.where(whole > 0.0, whole, 1.0))


def distance(one: str, other: str) -> float:
    """How far two readings are apart, 0..1: a metric.

    Costs are set against how much there is to say, by Steinhaus' transform: 2 d / (a + b + d), where a and b are the
    costs of saying nothing (Yujian and Bo 2007, IEEE PAMI 29(6), show it for edit distances). 2/3 is as if every sound
    were another one.
    """
    return float(distances(codes(one), codes(other)[None])[0])


def inside(one: str, other: str) -> float:
    """How far a reading is from the part of another that is most like it, 0..1."""
    return float(distances(codes(one), codes(other)[None], inside=True)[0])


def differ(one: str, other: str) -> tuple[float, float]:
    """Costs of turning one reading into another, and into the part of it that is most like it; a sound is about 1."""
    a, b = codes(one), codes(other)[None]
    return float(edits(a, b)[0]), float(edits_inside(a, b)[0][0])


def together(readings: Sequence[str]) -> dict[int, tuple[Codes, Codes]]:
    """Put readings of one length together: length to their places and their sounds, shape (readings, length)."""
    lengths = np.array([len(reading) for reading in readings], np.intp)
    out = {}
    for length in np.unique(lengths):
        places = np.flatnonzero(lengths == length)
        out[int(length)] = places, codes("".join(readings[int(i)] for i in places)).reshape(len(places), -1)
    return out
