"""Finds what is said in a recording by energy, and where to cut it; pure.

A frame is loud by its power as it is, or by that of its first difference (which knows neither offset nor hum,
and hears an "s"), against the quiet frames of the seconds around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.settings import SAMPLE_RATE

ROOM_S: Final = 0.2  # kept on each side of a word
PAUSE_S: Final = 0.35  # a longer one is between two utterances; the hold of a "t" takes 0.1 s
HOP: Final = SAMPLE_RATE // 100
_FRAME: Final = 2 * HOP
_AROUND_S: Final = 3.0  # to each side, where floor and peak are looked for
_BEGINS_DB: Final = 10.0  # over the floor: what no utterance is without
_GOES_ON_DB: Final = 6.0
_DEEP_DB: Final = 36.0  # under the peak: in a quiet room breath is over the floor, too
_ENDS_DEEP_DB: Final = 42.0
_LOWEST_DB: Final = -80.0  # of a floor
NOTHING_DBFS: Final = -100.0  # a level below is digital silence, which is no floor
_GATED_DB: Final = 15.0  # under the peak: where all that is not silent is louder, no floor is left
_SHORTEST_S: Final = 0.1  # loud for less, it is a click
_CLICK_NEAR_S: Final = 0.15  # unless it is as near as the release of a "t"
_LOUD_FRAMES: Final = 3
_FEW: Final = 5  # frames
_DIFFERENCE: Final = 0.97

Span = tuple[int, int]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Utterance:
    """What is said from `first` to before `last`, and the stretch to cut out, `begin` to before `end`; samples."""

    first: int
    last: int
    begin: int
    end: int

    @property
    def seconds(self) -> float:
        """How long it is spoken."""
        return (self.last - self.first) / SAMPLE_RATE


def find(samples: Floats, *, pause_s: float = PAUSE_S, room_s: float = ROOM_S) -> list[Utterance]:
    """Utterances in 16 kHz mono samples, shape (samples,), in their order; their cuts never overlap."""
    if len(samples) < _FRAME:
        return []
    spans = _spans(*_loud(samples), pause_s)
    room = round(room_s * SAMPLE_RATE)
    words = [(first * HOP, min(len(samples), (last - 1) * HOP + _FRAME)) for first, last in spans]
    limits = [0, *((a[1] + b[0]) // 2 for a, b in pairwise(words)), len(samples)]
    return [
        Utterance(first, last, max(limits[at], first - room), min(limits[at + 1], last + room))
        for at, (first, last) in enumerate(words)
    ]


def decibels(samples: Floats) -> Floats:
    """Power of each 20 ms, 10 ms apart, in dB of full scale, shape (frames,)."""
    hops = samples[: len(samples) // HOP * HOP].reshape(-1, HOP)
    energies = np.einsum("ij,ij->i", hops, hops)
    powers = (energies[1:] + energies[:-1]) / _FRAME
    return np.asarray(10.0 * np.log10(np.maximum(powers, 1e-12)), np.float32)


def _loud(samples: Floats) -> tuple[Flags, Flags]:
    """Frames in which an utterance goes on, and those in which it is there for certain."""
    plain = samples - samples.mean(dtype=np.float64).astype(np.float32)
    bright = np.diff(samples * np.float32(_DIFFERENCE), prepend=samples[:1] * np.float32(_DIFFERENCE))
    bright += np.float32(1.0 - _DIFFERENCE) * plain
    goes_on, begins = np.zeros(0, np.bool_), np.zeros(0, np.bool_)
    for signal in (plain, bright.astype(np.float32)):
        levels = decibels(signal)
        floors, peaks = _around(levels)
        on = levels > np.maximum(floors + _GOES_ON_DB, peaks - _ENDS_DEEP_DB)
        sure = levels > np.maximum(floors + _BEGINS_DB, peaks - _DEEP_DB)
        goes_on, begins = (on | goes_on, sure | begins) if len(goes_on) else (on, sure)
    return goes_on, begins


def _around(levels: Floats) -> tuple[Floats, Floats]:
    """Floor and peak of the seconds around each frame."""
    step, reach = 50, round(_AROUND_S * SAMPLE_RATE / HOP)
    floors, peaks = np.empty_like(levels), np.empty_like(levels)
    for at in range(0, len(levels), step):
        near = levels[max(0, at - reach) : at + step + reach]
        sound = near[near > NOTHING_DBFS]
        floor = float(np.percentile(sound, 10)) if len(sound) else _LOWEST_DB
        peak = float(near.max())
        gated = len(near) - len(sound) >= _FEW and floor > peak - _GATED_DB
        floors[at : at + step] = _LOWEST_DB if gated else max(_LOWEST_DB, floor)
        peaks[at : at + step] = peak
    return floors, peaks


def _spans(goes_on: Flags, begins: Flags, pause_s: float) -> list[Span]:
    """Runs of frames that hold an utterance, what lies near together joined; clicks left out."""
    frames_per_s = SAMPLE_RATE / HOP
    runs = [(a, b) for a, b in _runs(goes_on) if np.count_nonzero(begins[a:b]) >= _LOUD_FRAMES]
    joined: list[Span] = []
    for first, last in runs:
        gap = (first - joined[-1][1]) / frames_per_s if joined else pause_s
        click = min(last - first, joined[-1][1] - joined[-1][0] if joined else last) < _SHORTEST_S * frames_per_s
        if joined and gap < (min(_CLICK_NEAR_S, pause_s) if click else pause_s):
            joined[-1] = joined[-1][0], last
        else:
            joined.append((first, last))
    return [(a, b) for a, b in joined if b - a >= _SHORTEST_S * frames_per_s]


def _runs(flags: Flags) -> list[Span]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
