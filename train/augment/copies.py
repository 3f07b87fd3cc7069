"""An augmented copy of a recording, in samples: another speed, a room, another level, noise.

What is drawn is a `Copy`, plain numbers that a table can hold; `lay` makes the same samples of it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import soxr

from spotter.arrays import Floats
from spotter.settings import SAMPLE_RATE
from train.augment.room import draw_room, in_room

_IN_ROOM, _NOISY = 0.5, 0.6  # shares of the copies
_SPEEDS, _LEVELS_DBFS, _SNRS_DB = (0.9, 1.1), (-45.0, -15.0), (3.0, 25.0)
_TINY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """How a copy differs from the recording; number 0 is the recording itself.

    speed : above 1 faster and higher
    gain_db : of the speech
    room : seed of the generator that `draw_room` is given, or None
    noise, noise_at, snr_db : name of the recording, its first sample, speech over noise (mean squares)
    """

    number: int = 0
    speed: float = 1.0
    gain_db: float = 0.0
    room: int | None = None
    noise: str = ""
    noise_at: int = 0
    snr_db: float | None = None


def draw_copy(rng: np.random.Generator, number: int, samples: Floats, noise: Mapping[str, Floats]) -> Copy:
    """Draw a copy of `samples`; without noise recordings there is none in it.

    Values are rounded as a table shows them, so that what the table says gives the same samples.
    """
    dbfs = 10.0 * np.log10(float(np.mean(np.square(samples))) + _TINY)
    room = int(rng.integers(2**31)) if rng.random() < _IN_ROOM else None
    speed, gain_db = round(rng.uniform(*_SPEEDS), 3), round(rng.uniform(*_LEVELS_DBFS) - dbfs, 1)
    if not noise or rng.random() >= _NOISY:
        return Copy(number=number, speed=speed, gain_db=gain_db, room=room)
    name = sorted(noise)[int(rng.integers(len(noise)))]
    at, snr_db = int(rng.integers(len(noise[name]))), round(rng.uniform(*_SNRS_DB), 1)
    return Copy(number=number, speed=speed, gain_db=gain_db, room=room, noise=name, noise_at=at, snr_db=snr_db)


def lay(samples: Floats, copy: Copy, noise: Mapping[str, Floats]) -> Floats:
    """Make the copy of `samples`, shape (samples,), within -1..1; sample t of it was t * speed of the recording."""
    out = samples
    if copy.speed != 1.0:
        out = np.asarray(soxr.resample(out, SAMPLE_RATE * copy.speed, SAMPLE_RATE), np.float32)
    if copy.room is not None:
        out = in_room(out, draw_room(np.random.default_rng(copy.room)))
    out = out * np.float32(10.0 ** (copy.gain_db / 20.0))
    if copy.snr_db is not None:
        piece = np.resize(np.roll(noise[copy.noise], -copy.noise_at), len(out))
        ratio = np.mean(np.square(out)) / (np.mean(np.square(piece)) + _TINY)
        out = out + piece * np.float32(np.sqrt(ratio * 10.0 ** (-copy.snr_db / 10.0)))
    return np.asarray(np.clip(out, -1.0, 1.0), np.float32)
