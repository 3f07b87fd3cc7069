"""Recordings of own words, and where in a recording the utterance is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from spotter.arrays import Floats
from spotter.settings import SAMPLE_RATE

LONGEST_S: Final = 3.0  # of an utterance; longer ones are no keyword
_HOP: Final = SAMPLE_RATE // 100
_FRAME: Final = SAMPLE_RATE // 40
_LONGEST_PAUSE_S: Final = 0.3  # inside a phrase
_MARGIN_S: Final = 0.02
_DOWN_TO_DB: Final = -30.0  # of the loudest 30 ms
_ABOVE_FLOOR_DB: Final = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One recording of a word or phrase.

    samples : float32, shape (samples,), 16 kHz, full scale -1..1
    session : who spoke, or when; recordings of one session never judge a head that was fitted to that session
    name : to speak of it, such as the file's path
    """

    samples: Floats
    session: str
    name: str = ""


def utterance(samples: Floats) -> tuple[int, int]:
    """First sample of the utterance and first one after it; (0, 0) where there is only silence.

    It grows from the loudest moment over pauses of up to 0.3 s, down to 30 dB below that moment or 10 dB
    above the quietest tenth of the recording, whichever is higher.
    """
    if len(samples) < _FRAME:
        samples = np.pad(samples, (0, _FRAME - len(samples)))
    edges = np.diff(samples, prepend=samples[:1])  # without the lowest frequencies: hum is no word
    cut = np.lib.stride_tricks.sliding_window_view(edges, _FRAME)[::_HOP]
    power = np.convolve(np.mean(np.square(cut), axis=1, dtype=np.float64), np.full(3, 1 / 3), mode="same")
    if not power.max() > 0:
        return 0, 0
    peak = int(power.argmax())
    floor = float(np.percentile(power[power > 0], 10)) * 10.0 ** (_ABOVE_FLOOR_DB / 10.0)
    enough = max(power[peak] * 10.0 ** (_DOWN_TO_DB / 10.0), min(floor, power[peak] / 4))
    loud = np.flatnonzero(power >= enough)
    pause = round(_LONGEST_PAUSE_S * SAMPLE_RATE / _HOP)
    breaks = np.flatnonzero(np.diff(loud) > pause)
    at = int(np.searchsorted(loud, peak))
    before, after = breaks[breaks < at], breaks[breaks >= at]
    first = int(loud[before[-1] + 1] if before.size else loud[0])
    last = int(loud[after[0]] if after.size else loud[-1])
    margin = round(_MARGIN_S * SAMPLE_RATE)
    return max(0, first * _HOP - margin), min(len(samples), last * _HOP + _FRAME + margin)
