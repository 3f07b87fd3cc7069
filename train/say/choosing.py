"""Is a word a good one to listen for? From how it is spoken: its length, what is near it, what has it inside.

Thresholds of `phonemes.distance`: under 0.12 are a sound's voice or place ("hey" and "he" 0.15), 0.2 is one sound in
four ("stop" and "start"), two unlike words are 0.5 and more apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal

from train.say.known import ASSISTANTS, SHIPPED
from train.say.phonemes import differ, distance
from train.say.reading import Reading

Level = Literal["good", "risky", "poor"]
Kind = Literal["wanted", "shipped", "everyday"]

POOR_UNDER, RISKY_UNDER = 0.13, 0.22  # distance
_FEWEST_SOUNDS, _FEW_SOUNDS = 4, 5
_MANY_SYLLABLES: Final = 7
_LISTED: Final = 5
_HELD: Final = 0.05  # of a sound; nearer, and a word is inside another
_LEVELS: Final[tuple[Level, ...]] = ("good", "risky", "poor")


@dataclass(frozen=True, slots=True)
class Concern:
    """What speaks against a word, and what to do."""

    level: Level
    why: str
    fix: str


@dataclass(frozen=True, slots=True)
class Other:
    """A word that one is compared with."""

    text: str
    kind: Kind
    distance: float


@dataclass(frozen=True, slots=True)
class Choice:
    """What was found of a word."""

    word: str
    sounds: str
    syllables: int
    guessed: bool
    nearest: tuple[Other, ...]
    inside: tuple[str, ...]  # everyday words and phrases that have it in them
    concerns: tuple[Concern, ...]
    notes: tuple[str, ...] = ()
    heard: tuple[Any, ...] = field(default=())  # hearing.Apart

    @property
    def verdict(self) -> Level:
        """The gravest of its concerns."""
        return max((c.level for c in self.concerns), key=_LEVELS.index, default="good")

    def with_concerns(self, concerns: Sequence[Concern]) -> Choice:
        """Return it with further ones."""
        return replace(self, concerns=(*self.concerns, *concerns))

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"word": self.word, "verdict": self.verdict, **asdict(self)}


def judge(reading: Reading, *, wanted: Sequence[Reading], everyday: Sequence[Reading]) -> Choice:
    """Judge a word by its sounds.

    Parameters
    ----------
    reading : Reading
        The word.
    wanted : readings
        Other words of the same model.
    everyday : readings
        What people say; the eight shipped words are told from the rest by their names.
    """
    word = reading.text.lower()
    others = [Other(w.text, "wanted", distance(reading.sounds, w.sounds)) for w in wanted]
    others += [
        Other(e.text, "shipped" if e.text in SHIPPED else "everyday", distance(reading.sounds, e.sounds))
        for e in everyday
        if e.text.lower() != word
    ]
    others.sort(key=lambda other: (other.distance, other.text))
    said = any(word in (e.text.lower(), *e.text.lower().split()) for e in everyday)
    holding = [
        e
        for e in everyday
        if len(e.sounds) > len(reading.sounds)
        and word not in e.text.lower().split()
        and differ(reading.sounds, e.sounds)[1] < _HELD
    ]
    concerns = [
        *_length(reading),
        *_everyday(reading, [e.text for e in holding], said=said),
        *_near([o for o in others if not part_of(o.text, word)]),
        *_parts(reading, wanted),
    ]
    return Choice(
        word=reading.text,
        sounds=" ".join(reading.words),
        syllables=reading.syllables,
        guessed=reading.guessed,
        nearest=tuple(replace(o, distance=round(o.distance, 3)) for o in others[:_LISTED]),
        inside=tuple(e.text for e in holding),
        concerns=tuple(concerns),
        notes=tuple(_notes(reading)),
    )


def part_of(text: str, phrase: str) -> bool:
    """Whether a text is one of the words, or some words together, of a longer phrase."""
    return f" {text.lower()} " in f" {phrase.lower()} " and len(text) < len(phrase)


def _length(reading: Reading) -> list[Concern]:
    count, syllables, word = len(reading.sounds), reading.syllables, reading.text
    what = f"{count} sounds in {syllables} syllable{'s' * (syllables != 1)}"
    if syllables < 2 or count < _FEWEST_SOUNDS:
        return [
            Concern("poor", f"it is too short: {what}", f'add a word, as in "hey {_end(word)}", or take a longer one')
        ]
    if count < _FEW_SOUNDS:
        return [Concern("risky", f"it is short: {what}", f'add a word, as in "hey {_end(word)}", or take a longer one')]
    if syllables > _MANY_SYLLABLES:
        return [Concern("risky", f"it is long: {what}; people swallow parts of it", "take a shorter one")]
    return []


def _end(word: str) -> str:
    return "you" if word.lower() == "hey" else word


def _everyday(reading: Reading, holding: Sequence[str], *, said: bool) -> list[Concern]:
    out = []
    if said:
        fix = f'add a word, as in "hey {_end(reading.text)}", or take one that is rare in talk'
        out.append(Concern("risky", "people say it without meaning the listener", fix))
    if holding:
        shown = ", ".join(f'"{text}"' for text in holding[:4])
        fix = "add a word, or take another: who says these has said it"
        out.append(Concern("risky" if len(reading.sounds) > _FEW_SOUNDS else "poor", f"it is inside {shown}", fix))
    return out


def _near(others: Sequence[Other]) -> list[Concern]:
    out = []
    by_kind: dict[Kind, str] = {
        "wanted": "which is to be heard too",
        "shipped": "one of the eight shipped words",
        "everyday": "which people say all day",
    }
    for kind, what in by_kind.items():
        near = [o for o in others if o.kind == kind and o.distance < RISKY_UNDER]
        if not near:
            continue
        level: Level = "poor" if near[0].distance < POOR_UNDER else "risky"
        if kind == "shipped":
            level = "risky"  # only where both are in one model
        if near[0].distance == 0.0:
            why = f'it sounds just like "{near[0].text}", {what}'
        else:
            why = f'it sounds much like "{near[0].text}" ({near[0].distance:.2f}), {what}'
        fix = "take another, or add a word to one of them" if kind == "wanted" else "take another, or add a word"
        if kind == "everyday" and near[0].distance > 0.0:
            fix += f'; else record "{near[0].text}" as well, as what it is not'
        out.append(Concern(level, why, fix))
    return out


def _parts(reading: Reading, wanted: Sequence[Reading]) -> list[Concern]:
    return [
        Concern("poor", f'it is inside "{w.text}", which is to be heard too', "take another for one of them")
        for w in wanted
        if len(w.sounds) > len(reading.sounds) and differ(reading.sounds, w.sounds)[1] < _HELD
    ]


def _notes(reading: Reading) -> list[str]:
    word, out = reading.text.lower(), []
    if reading.guessed:
        out.append("its pronunciation is guessed: the lexicon does not know it; if it is wrong, so is what follows")
    if word in SHIPPED:
        out.append("models/commands hears it already")
    if word in ASSISTANTS:
        out.append(f"{ASSISTANTS[word]} answer to it as well")
    return out
