"""Windows as a listener meets them, for whole-number networks: they set the ranges, and others check the result.

Clips, running speech and noise at any place in the window, faint and too loud, clean and over noise,
and the digital silence around files.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.frontend import Frontend
from spotter.settings import SAMPLE_RATE, FrontendConfig
from train.bank import read
from train.data import Row
from train.facts import all_facts
from train.progress import track

COUNT = 200
_LOUDER_DB = (-25.0, 6.0)
_NOISE_DB = (-40.0, 0.0)
_NOISY, _ONLY_NOISE, _EMPTY = 0.5, 0.1, 0.02  # shares of the windows
_LATE_S = 0.6  # a window may end so long after its sound


def windows(
    sounds: Sequence[Row],
    noise: Sequence[Row],
    frontend: FrontendConfig,
    context_frames: int,
    rng: np.random.Generator,
    count: int = COUNT,
) -> Floats:
    """Draw windows of recordings.

    Parameters
    ----------
    sounds, noise : sequence of Row
        Clips and speech; what is laid under them.

    Returns
    -------
    float32, shape (count, context_frames, bins)
    """
    if not sounds:
        raise BadInputError("there are no recordings to draw windows from; give a folder of recordings per word")
    compute, length = Frontend(frontend), frontend.samples_for(context_frames)
    background = [x for x in (read(r.path) for r in noise) if len(x)]
    out = np.empty((count, context_frames, frontend.bins), np.float32)
    for at in track(range(count), total=count, what="windows"):
        kind = rng.random()
        window = np.zeros(length, np.float32)
        if kind > _ONLY_NOISE or (not background and kind > _EMPTY):
            sound = read(sounds[int(rng.integers(len(sounds)))].path)
            _place(window, sound, rng)
        if background and kind > _EMPTY and (kind < _ONLY_NOISE or rng.random() < _NOISY):
            piece = background[int(rng.integers(len(background)))]
            first = int(rng.integers(0, max(1, len(piece) - length)))
            window += np.resize(_gained(piece[first : first + length], rng, _NOISE_DB), length)
        out[at] = compute(np.clip(window, -1.0, 1.0))
    return out


def usable(rows: Sequence[Row], longest_s: float, rng: np.random.Generator, most: int) -> list[Row]:
    """At most so many rows, drawn; without those whose files cannot be used."""
    some = [rows[i] for i in sorted(rng.permutation(len(rows))[:most])]
    facts = all_facts([r.path for r in some], longest_s=longest_s) if some else []
    return [r for r, f in zip(some, facts, strict=True) if not f.trouble]


def _place(window: Floats, sound: Floats, rng: np.random.Generator) -> None:
    """Lay a sound so that the window ends within it, or a little later; its beginning may be missing."""
    end = int(rng.integers(len(sound) // 3, len(sound) + round(_LATE_S * SAMPLE_RATE)))  # in samples of the sound
    first = end - len(window)
    part = sound[max(0, first) : end]
    at = max(0, -first)
    window[at : at + len(part)] += _gained(part, rng, _LOUDER_DB)


def _gained(samples: Floats, rng: np.random.Generator, span_db: tuple[float, float]) -> Floats:
    return samples * np.float32(10.0 ** (rng.uniform(*span_db) / 20.0))
