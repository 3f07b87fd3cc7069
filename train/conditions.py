"""How a clip may reach a microphone: in noise, in a room, faint or too loud, over a telephone; on samples.

A measurement crosses the ways of hearing (room, gain, band) with the levels of noise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.signal import butter, sosfilt

from spotter.arrays import Floats
from spotter.settings import SAMPLE_RATE
from train.augment.room import in_room
from train.demo import pink
from train.streams import span

Change: TypeAlias = Callable[[Floats], Floats]

SNRS_DB: tuple[float | None, ...] = (None, 20.0, 10.0, 5.0, 0.0)
GAINS_DB = (-40.0, -20.0, 20.0)
TELEPHONE_HZ = (300.0, 3_400.0)
# Reverberation time and the direct sound's level over the reverberation.
ROOMS: dict[str, tuple[float, float]] = {
    "short room": (0.2, 6.0),
    "medium room": (0.5, 2.0),
    "long room": (1.0, -2.0),
}
_FRAME = 320  # samples that `span` looks at


@dataclass(frozen=True, slots=True)
class Way:
    """One way of hearing: what becomes of the speech before noise is added, and what of both after that."""

    name: str
    speech: Change
    both: Change


def ways(rooms: Sequence[tuple[str, Floats]]) -> list[Way]:
    """As recorded, in each room, at each gain, over the telephone."""
    out = [Way("as recorded", _same, _same)]
    out += [Way(name, _in(response), _same) for name, response in rooms]
    out += [Way(f"{gain:+.0f} dB", _same, _louder(gain)) for gain in GAINS_DB]
    return [*out, Way("telephone", _same, telephone)]


def simulated_rooms(rng: np.random.Generator) -> list[tuple[str, Floats]]:
    """One response each of `ROOMS`: the direct sound, then noise that decays exponentially (Polack 1988)."""
    return [(f"{name} ({rt60:g} s)", _response(rng, rt60, db)) for name, (rt60, db) in ROOMS.items()]


def _response(rng: np.random.Generator, rt60_s: float, direct_db: float) -> Floats:
    n = round(rt60_s * SAMPLE_RATE)
    late = rng.standard_normal(n) * 10.0 ** (-3.0 * np.arange(n) / n)
    late[:40] = 0.0  # 2.5 ms
    late *= 10.0 ** (-direct_db / 20.0) / np.sqrt(np.sum(late**2))
    late[0] = 1.0
    return np.asarray(late, np.float32)


def telephone(samples: Floats) -> Floats:
    """What is left between 300 and 3400 Hz (Butterworth, order 8)."""
    sos = butter(4, TELEPHONE_HZ, "bandpass", fs=SAMPLE_RATE, output="sos")
    return np.asarray(np.clip(sosfilt(sos, samples), -1.0, 1.0), np.float32)


def in_noise(clip: Floats, noise: Floats, snr_db: float) -> Floats:
    """Lay a piece of noise as long as the clip under it.

    The ratio is that of the root mean squares, over the span where the clip is within 30 dB of its
    loudest. Both are made fainter together where the sum would clip.
    """
    first, last = span(clip) if len(clip) >= _FRAME else (0, len(clip))
    word, under = (float(np.sqrt(np.mean(np.square(x[first:last])))) for x in (clip, noise))
    mixed = clip + noise * np.float32(word / max(under, 1e-9) * 10.0 ** (-snr_db / 20.0))
    return np.asarray(mixed / max(1.0, float(np.abs(mixed).max())), np.float32)


def piece_of_noise(recordings: Sequence[Floats], length: int, rng: np.random.Generator) -> Floats:
    """A drawn piece of a drawn recording, shape (length,); pink noise where there are no recordings."""
    if not recordings:
        return pink(length, rng)
    recording = recordings[int(rng.integers(len(recordings)))]
    at = int(rng.integers(0, max(1, len(recording) - length)))
    return np.resize(recording[at : at + length], length)


def _same(samples: Floats) -> Floats:
    return samples


def _in(response: Floats) -> Change:
    def change(samples: Floats) -> Floats:
        wet = in_room(samples, response)
        # As loud as it was: what is measured is the room, not the level.
        return np.asarray(wet * (np.abs(samples).max() / max(1e-9, float(np.abs(wet).max()))), np.float32)

    return change


def _louder(gain_db: float) -> Change:
    def change(samples: Floats) -> Floats:
        return np.asarray(np.clip(samples * 10.0 ** (gain_db / 20.0), -1.0, 1.0), np.float32)

    return change
