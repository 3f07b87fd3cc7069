"""Rooms: impulse responses drawn for small rooms, and convolution with them."""

from __future__ import annotations

import numpy as np
from scipy.signal import fftconvolve

from spotter.arrays import Floats
from spotter.settings import SAMPLE_RATE

_TAIL_S = 0.35  # reverberation kept after the end of a recording


def draw_room(rng: np.random.Generator) -> Floats:
    """Impulse response of a small room, shape (samples,), direct sound first with gain 1.

    A few early reflections, then noise that decays exponentially (the late field of Polack's
    model), darker than the direct sound.
    """
    rt60_s = rng.uniform(0.15, 0.7)
    direct_to_reverberant_db = rng.uniform(-3.0, 12.0)
    n = int(rt60_s * SAMPLE_RATE)
    late = rng.standard_normal(n) * 10.0 ** (-3.0 * np.arange(n) / n)
    late[: rng.integers(32, 160)] = 0.0
    dark = rng.uniform(0.0, 0.6)
    late[1:] = (1 - dark) * late[1:] + dark * late[:-1]
    early = rng.integers(16, 640, rng.integers(2, 7))
    room = late / np.sqrt(np.sum(late**2))
    room[early[early < n]] += rng.uniform(-0.5, 0.5, int(np.sum(early < n)))
    room *= 10.0 ** (-direct_to_reverberant_db / 20.0) / np.sqrt(np.sum(room**2))
    room[0] = 1.0
    return np.asarray(room, np.float32)


def in_room(samples: Floats, room: Floats) -> Floats:
    """Return `samples` as heard in a room, with a tail of 0.35 s."""
    wet = fftconvolve(samples, room)[: len(samples) + int(_TAIL_S * SAMPLE_RATE)]
    return np.asarray(wet, np.float32)


def measured_room(response: Floats) -> Floats:
    """A recorded impulse response, cut at its direct sound and brought to gain 1 there, as `draw_room` gives them."""
    first = int(np.argmax(np.abs(response)))
    room = response[first : first + SAMPLE_RATE]
    return np.asarray(room / (room[0] if room.size and room[0] else 1.0), np.float32)
