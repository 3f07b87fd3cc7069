"""Whether a recorded word can be used; if not, one sentence with what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.settings import SAMPLE_RATE
from train.facts import measure
from train.recording.utterances import HOP, NOTHING_DBFS, Utterance, decibels

LONGEST_PHRASE_S: Final = 4.0  # without a pause in it
_ANY_WORD_S: Final = 2.5  # as long may be said at whatever is short
_LETTER_S: Final = 0.15  # of slow speech
_LETTERS_A_SECOND: Final = 15.0  # of fast speech
_MOST_LETTERS_A_SECOND: Final = 30.0  # nobody says more
_QUIET_DBFS: Final = -50.0  # of the loudest 20 ms
_ABOVE_FLOOR_DB: Final = 12.0
_EDGE_S: Final = 0.02
_EDGE_DB: Final = 20.0  # under the word's loudest moment: louder at the edge of the recording, it goes on beyond
_FEW: Final = 5  # frames without the word that a floor can be told by
_AROUND: Final = 2 * SAMPLE_RATE  # samples to each side, where the floor is looked for
_NOISY_DBFS: Final = -45.0  # louder, a room in which no word was found is no quiet one


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """A word in its recording, measured; levels in dB of full scale."""

    seconds: float
    loudest_dbfs: float
    floor_dbfs: float
    clipped_samples: int
    problem: str = ""  # what is wrong with it, in a word: "quiet", "clipped", "cut off", "noise", "long", "short"
    sentence: str = ""  # and what to do

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as plain data."""
        return {
            "seconds": round(self.seconds, 3),
            "loudest_dbfs": round(self.loudest_dbfs, 1),
            "floor_dbfs": round(self.floor_dbfs, 1),
            "clipped_samples": self.clipped_samples,
        }


def usual_s(word: str) -> tuple[float, float]:
    """How long a word or phrase takes at least and at most, said fast and slowly."""
    longest = min(LONGEST_PHRASE_S, max(_ANY_WORD_S, 1.0 + _LETTER_S * len(word)))
    return min(len(word) / _MOST_LETTERS_A_SECOND, longest / 2.0), longest


def check_phrase(word: str) -> None:
    """Raise `BadInputError` for a phrase that nobody says within the time of a keyword."""
    if len(word) > LONGEST_PHRASE_S * _LETTERS_A_SECOND:
        raise BadInputError(
            f"the phrase {word!r} takes {len(word) / _LETTERS_A_SECOND:.0f} s to say even fast, and a keyword "
            f"{LONGEST_PHRASE_S:g} s at most; choose a shorter one"
        )


def judge(samples: Floats, word: Utterance, usual_s: tuple[float, float] = (0.0, LONGEST_PHRASE_S)) -> Quality:
    """Look at a word in 16 kHz mono samples, shape (samples,), that takes so long at least and at most."""
    begin = max(0, word.first - _AROUND) // HOP * HOP
    levels = decibels(samples[begin : word.last + _AROUND])
    first = (word.first - begin) // HOP
    last = max(first + 1, (word.last - begin) // HOP - 1)
    loudest = float(levels[first:last].max())
    floor = _floor(levels, first, last)
    clipped = measure(samples[word.first : word.last], SAMPLE_RATE).clipped_samples
    problem, sentence = _wrong(samples, word, (loudest, floor), clipped, usual_s)
    return Quality(
        seconds=word.seconds,
        loudest_dbfs=loudest,
        floor_dbfs=floor,
        clipped_samples=clipped,
        problem=problem,
        sentence=sentence,
    )


def nothing(samples: Floats) -> tuple[str, str]:
    """What is wrong, and a sentence for a recording in which no word was found."""
    if not len(samples) or float(np.abs(samples).max()) == 0.0:
        return "zeros", "nothing but zeros came: switch the microphone on, or choose another with --device"
    levels = decibels(samples) if len(samples) >= 2 * HOP else np.full(1, NOTHING_DBFS, np.float32)
    loudest, middle = float(levels.max()), float(np.median(levels))
    if middle > _NOISY_DBFS:
        return "noise", (
            f"no word stands out from the noise of {middle:.0f} dBFS: switch off what makes it, or come nearer to the "
            "microphone"
        )
    return "silence", f"no word stood out (the loudest moment has {loudest:.0f} dBFS): say it after the signal"


def _floor(levels: Floats, first: int, last: int) -> float:
    """Level of what is not the word, nor another; where there is next to nothing, of the quietest tenth of all."""
    guard = 3
    rest = np.concatenate((levels[: max(0, first - guard)], levels[last + guard :]))
    rest = rest[rest > NOTHING_DBFS]  # digital silence is no room
    if len(rest) >= _FEW:
        return float(np.percentile(rest, 25))
    heard = levels[levels > NOTHING_DBFS]
    return float(np.percentile(heard, 10)) if len(heard) and len(rest) != len(levels) else NOTHING_DBFS


def _wrong(
    samples: Floats, word: Utterance, levels: tuple[float, float], clipped: int, usual_s: tuple[float, float]
) -> tuple[str, str]:
    loudest, floor = levels
    if wrong := _wrong_length(word.seconds, *usual_s):
        return wrong
    if side := _cut_off(samples, word, loudest):
        when = "begin after the signal" if side == "beginning" else "speak on at once and do not wait"
        return "cut off", f"its {side} is cut off: {when}, and leave a moment of quiet on both sides"
    if clipped:
        return "clipped", f"clipped ({clipped} samples at full scale): go further away, or turn the microphone down"
    if loudest < _QUIET_DBFS:
        return "quiet", f"too quiet ({loudest:.0f} dBFS): come nearer, speak up, or turn the microphone up"
    if loudest - floor < _ABOVE_FLOOR_DB:
        return "noise", (
            f"noise too near (the word is {loudest - floor:.0f} dB over it, {_ABOVE_FLOOR_DB:g} are needed): "
            "switch off what makes it, or come nearer to the microphone"
        )
    return "", ""


def _wrong_length(seconds: float, shortest_s: float, longest_s: float) -> tuple[str, str] | None:
    if seconds > longest_s:
        return "long", (
            f"{seconds:.1f} s without a pause are too long for it ({longest_s:.1f} s at most): "
            "say the word alone, or choose a shorter phrase"
        )
    if seconds < shortest_s:
        return "short", (
            f"{seconds:.2f} s are too short for it ({shortest_s:.2f} s at least), as a click or a breath is: "
            "say the whole of it after the signal"
        )
    return None


def _cut_off(samples: Floats, word: Utterance, loudest: float) -> str:
    """Which side of the word goes on beyond the recording; "" where none does."""
    edge = round(_EDGE_S * SAMPLE_RATE)
    if word.first < edge and float(decibels(samples[: 2 * HOP])[0]) > loudest - _EDGE_DB:
        return "beginning"
    if word.last > len(samples) - edge and float(decibels(samples[-2 * HOP :])[0]) > loudest - _EDGE_DB:
        return "end"
    return ""
