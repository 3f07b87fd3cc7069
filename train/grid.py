"""The same clips under every condition: ways of hearing crossed with levels of noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from spotter.arrays import Floats
from train.answers import Answers, accuracy
from train.bank import read
from train.conditions import SNRS_DB, Way, in_noise, piece_of_noise
from train.data import Row
from train.hearing import Hearing
from train.progress import track


def grid(hearing: Hearing, rows: Sequence[Row], ways: Sequence[Way], noise: Sequence[Floats], seed: int) -> list[Any]:
    """Accuracy under each way of hearing and each ratio of speech to noise, as plain data.

    A clip gets the same noise in all conditions, so that two of them differ by what their names say.

    Parameters
    ----------
    rows : sequence of Row
        Clips that can be read, `word` being the label that is right.
    noise : sequence of float32, shape (samples,)
        Recordings to draw from; without any, pink noise.
    """
    cells = [(way, snr) for way in ways for snr in SNRS_DB]
    model, heard = hearing.model, np.empty((len(cells), len(rows), len(hearing.model.labels)), np.float32)
    for at, row in enumerate(track(rows, total=len(rows), what=f"clips under {len(cells)} conditions")):
        for cell, samples in enumerate(_under_all(read(row.path), ways, noise, [seed, at])):
            heard[cell, at] = hearing.scores(samples)
    true, speakers = tuple(r.word for r in rows), tuple(r.speaker for r in rows)
    return [
        {
            "way": way.name,
            "snr_db": snr,
            **accuracy(Answers(model.labels, model.keywords, true, speakers, heard[cell])),
        }
        for cell, (way, snr) in enumerate(cells)
    ]


def _under_all(clip: Floats, ways: Sequence[Way], noise: Sequence[Floats], seed: Sequence[int]) -> Iterator[Floats]:
    """Yield a clip under every way and, within it, every level of noise."""
    for way in ways:
        speech = way.speech(clip)
        under = piece_of_noise(noise, len(speech), np.random.default_rng(seed))
        for snr in SNRS_DB:
            yield way.both(speech if snr is None else in_noise(speech, under, snr))
