"""Phrases that are easily taken for one: parts of it, its words in another order, words that sound near put in.

They are said by the same voices as the phrase and kept from firing it. None of them holds the phrase itself: "stopped"
is no negative of "stop", for who hears the first half of it has heard "stop".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, Literal

from train.near_words import read_words
from train.say.known import common
from train.say.phonemes import differ, distance
from train.say.reading import Lexicon, Reader, Reading, clean

Kind = Literal["part", "order", "other", "sound"]

_SAME: Final = 0.35  # of a sound; nearer is the same phrase in another accent
_HELD: Final = 0.2  # nearer, and it has the phrase in it
_NEAR_WORD: Final = 0.5
_SHARES: Final[Mapping[Kind, float]] = {"part": 0.3, "order": 0.1, "other": 0.2}
_FIRST: Final = ("the", "my", "a", "hello", "okay", "hi")  # in the place of a first word, and of a last one
_LAST: Final = ("you", "there", "guys", "man", "everybody", "computer")
_COMMON_IS_NEARER: Final = 0.06


@dataclass(frozen=True, slots=True)
class Near:
    """A phrase near another, why it is, and how far it is (`phonemes.distance`)."""

    text: str
    kind: Kind
    distance: float


def near_phrases(
    phrase: str, reader: Reader, *, count: int, apart_from: Sequence[str] = (), lexicon: Lexicon | None = None
) -> list[Near]:
    """Find up to `count` phrases near one, the more telling first; a longer list begins with a shorter one's.

    Parameters
    ----------
    phrase : str
    reader : Reader
    count : int
    apart_from : phrases
        Further ones that are to be heard: nothing that is, or holds, one of them comes back.
    lexicon : Lexicon, optional
        Of the reader, where it was made before.
    """
    lexicon = lexicon or Lexicon(reader.lexicon())
    reading = reader.read(clean(phrase))
    heard = [reading, *(reader.read(clean(other)) for other in apart_from)]
    words = reading.text.lower().split()
    found: dict[Kind, Iterator[Near]] = {
        "part": _kept("part", _parts(words, reading, lexicon), heard, reader),
        "order": _kept("order", _orders(words), heard, reader),
        "other": _kept("other", _others(words), heard, reader),
        "sound": _kept("sound", _sounds(words, reader, lexicon), heard, reader),
    }
    out: list[Near] = []
    seen: set[str] = set()
    owed = dict.fromkeys(_SHARES, 0.0)

    def take(kind: Kind) -> bool:
        for near in found[kind]:
            sounds = reader.read(near.text).sounds
            if sounds not in seen:
                seen.add(sounds)
                out.append(near)
                return True
        return False

    while len(out) < count:
        before = len(out)
        for kind, share in _SHARES.items():
            owed[kind] += share
            if owed[kind] >= 1.0 and len(out) < count and take(kind):
                owed[kind] -= 1.0
        if len(out) < count and not take("sound") and len(out) == before and not any(take(k) for k in _SHARES):
            break
    return out


def _kept(kind: Kind, texts: Iterable[str], heard: Sequence[Reading], reader: Reader) -> Iterator[Near]:
    for text in texts:
        its = reader.read(text).sounds
        if all(whole >= _SAME and part >= _HELD for whole, part in (differ(h.sounds, its) for h in heard)):
            yield Near(text, kind, round(distance(heard[0].sounds, its), 4))


def _parts(words: Sequence[str], reading: Reading, lexicon: Lexicon) -> Iterator[str]:
    if len(words) == 1:
        yield from lexicon.parts(reading.sounds)
        return
    yield from dict.fromkeys(words)
    for length in range(len(words) - 1, 1, -1):
        for at in range(len(words) - length + 1):
            yield " ".join(words[at : at + length])
    for word, its in zip(words, reading.words, strict=False):
        yield f"{word} {word}"
        yield from lexicon.parts(its)


def _orders(words: Sequence[str]) -> Iterator[str]:
    if len(words) > 1:
        yield " ".join(reversed(words))
        yield " ".join([*words[1:], words[0]])


def _others(words: Sequence[str]) -> Iterator[str]:
    if len(words) > 1:
        for first, last in zip(_FIRST, _LAST, strict=True):
            yield " ".join([*words[:-1], last])
            yield " ".join([first, *words[1:]])


def _sounds(words: Sequence[str], reader: Reader, lexicon: Lexicon) -> Iterator[str]:
    listed, everyday = read_words().near, frozenset(common())
    if len(words) == 1:
        yield from (word for word in listed.get(words[0], ()))
    by_place = []
    for at, word in enumerate(words):
        its = reader.read(word).sounds
        near = [(far - _COMMON_IS_NEARER * (w in everyday), w) for w, far in lexicon.near(its, within=_NEAR_WORD)]
        by_place.append([" ".join([*words[:at], w, *words[at + 1 :]]) for _, w in sorted(near) if w != word])
    for together in zip_longest(*by_place):
        yield from (text for text in together if text is not None)
