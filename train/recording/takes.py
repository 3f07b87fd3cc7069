"""One take of a word, and in which manner the next ones are asked for; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from typing import Final

import numpy as np

from spotter.arrays import Floats
from spotter.settings import SAMPLE_RATE
from train.recording.quality import Quality, judge, nothing, usual_s
from train.recording.utterances import Utterance, find

QUIET_S: Final = 0.6  # after the word, then the take is over
_LOOK_S: Final = 0.1
_AS_LONG: Final = 0.5  # of the longest utterance: no cough any more, but a second word


@dataclass(frozen=True, slots=True)
class Manner:
    """How a word is to be said."""

    name: str
    how: str
    share: int  # of ten takes
    moves: bool = False  # to another place, so that another session begins


MANNERS: Final = (
    Manner("usual", "as you would say it every day", 3),
    Manner("near", "close to the microphone, a hand's breadth away", 1),
    Manner("quiet", "more quietly", 1),
    Manner("lively", "louder and faster, as if in a hurry", 1),
    Manner("far", "from two or three metres away, or from the other side of the room", 2),
    Manner("room", "in another room, or another corner of this one", 2, moves=True),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One take that is wanted."""

    word: str  # as it is shown
    folder: str
    manner: Manner


def manners(count: int, *, moves: bool = True) -> list[Manner]:
    """How each of so many takes is to be said, in the order of `MANNERS`, by their shares."""
    some = [manner for manner in MANNERS if moves or not manner.moves]
    total = sum(manner.share for manner in some)
    done = 0
    out: list[Manner] = []
    for manner in some:
        done += manner.share
        out += [manner] * (-(-count * done // total) - len(out))
    return out


def schedule(words: Mapping[str, str], count: int, there: Mapping[str, int], *, moves: bool = True) -> list[Step]:
    """What is still to be said: manner by manner, so that nobody walks about for each word.

    Parameters
    ----------
    words : word as it is shown, by its folder
    count : takes of each word
    there : how many there are of each folder
    """
    wanted = {folder: manners(count, moves=moves)[there.get(folder, 0) :] for folder in words}
    out: list[Step] = []
    for manner in MANNERS:
        rows = [[Step(words[f], f, m) for m in mine if m == manner] for f, mine in wanted.items()]
        out += [step for turn in zip_longest(*rows) for step in turn if step is not None]
    return out


def summary(steps: Sequence[Step]) -> str:
    """In which manners takes are wanted, for people."""
    return ", ".join(f"{len(list(group))} {name}" for name, group in groupby(steps, lambda step: step.manner.name))


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of a take: a clip, or what is wrong with it and what to do."""

    clip: Floats | None  # 16 kHz mono, shape (samples,), with room on both sides
    quality: Quality | None
    problem: str = ""
    sentence: str = ""


class Take:
    """Collects samples until a word is over, or no more are to come.

    Parameters
    ----------
    before : samples, shape (samples,), from just before the signal to begin
    longest_s : seconds after which it is over whatever was heard
    """

    def __init__(self, before: Floats, longest_s: float) -> None:
        self._parts = [before]
        self._most = len(before) + round(longest_s * SAMPLE_RATE)
        self._count = self._looked = len(before)

    def push(self, samples: Floats) -> bool:
        """Take the next samples; whether the take is over."""
        self._parts.append(samples[: self._most - self._count])
        self._count += len(self._parts[-1])
        if self._count >= self._most:
            return True
        if self._count - self._looked < _LOOK_S * SAMPLE_RATE:
            return False
        self._looked = self._count
        words = find(self.samples)
        return bool(words) and self._count - words[-1].last >= QUIET_S * SAMPLE_RATE

    @property
    def samples(self) -> Floats:
        """All of it, shape (samples,)."""
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0]

    def heard(self, word: str) -> Heard:
        """Look for the word in it, and at the word."""
        return look(self.samples, word)


def look(samples: Floats, word: str) -> Heard:
    """Find the one word in a take, and judge it."""
    words = find(samples)
    if not words:
        return Heard(None, None, *nothing(samples))
    longest = max(words, key=lambda word: word.seconds)
    more = [word for word in words if word.seconds >= _AS_LONG * longest.seconds]
    if len(more) > 1:
        return Heard(
            None, None, "several", f"{len(more)} words with a pause between were heard: say it once, without a pause"
        )
    return _judged(samples, longest, word)


def _judged(samples: Floats, said: Utterance, word: str) -> Heard:
    quality = judge(samples, said, usual_s(word))
    clip = None if quality.problem else samples[said.begin : said.end].copy()
    return Heard(clip, quality, quality.problem, quality.sentence)
