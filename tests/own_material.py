"""A backbone of a few lines, and tones as words, for the tests of own words."""

from __future__ import annotations

from typing import cast

import numpy as np

from spotter.arrays import Floats
from spotter.backbone import Backbone
from train.own.bank import FOLDS, Bank
from train.own.clips import Clip
from train.own.fit_words import OwnWords
from train.own.head import HeadFit
from train.own.made_noise import draw_noise
from train.own.material import MaterialPlan
from train.own.word import WordFit

RATE = 16_000
QUICK = OwnWords(
    material=MaterialPlan(copies=40, fewest=3, most=4),
    word=WordFit(head=HeadFit(first=600, hard=200, rounds=1, iterations=25)),
)


class Bands:
    """A backbone of a few lines: log power in twelve bands, 80 ms long, every 80 ms."""

    name, sha256, size, step, context = "bands", "0" * 64, 12, 1_280, 2_560

    def embed(self, samples: Floats) -> Floats:
        if len(samples) < self.context:
            return np.empty((0, self.size), np.float32)
        cut = np.lib.stride_tricks.sliding_window_view(samples, self.context)[:: self.step]
        power = np.square(np.abs(np.fft.rfft(cut * np.hanning(self.context), axis=1)[:, 1:601]))
        bands = power.reshape(len(cut), self.size, -1).mean(axis=2)
        return np.asarray(np.log10(bands + 1e-4), np.float32)


BANDS = cast("Backbone", Bands())


def tones(rng: np.random.Generator, *hz: float, seconds: float = 0.25) -> Floats:
    """Tones one after another, in a room with a little hiss, the whole 1.4 s long."""
    t = np.arange(round(seconds * RATE)) / RATE
    said = np.concatenate([np.sin(2 * np.pi * f * rng.uniform(0.97, 1.03) * t) for f in hz]) * rng.uniform(0.1, 0.3)
    out = rng.normal(0, 1e-3, round(0.9 * RATE) + len(said))
    at = int(rng.integers(2_000, 10_000))
    out[at : at + len(said)] += said
    return out.astype(np.float32)


def clips(rng: np.random.Generator, count: int, *hz: float) -> list[Clip]:
    return [Clip(tones(rng, *hz), f"session{i % 5}", f"clip{i}") for i in range(count)]


def speech_like(rng: np.random.Generator, tones_of: int) -> Floats:
    """Tones of any height, without the pairs that are words."""
    return np.concatenate([tones(rng, rng.uniform(200, 3_000), seconds=rng.uniform(0.1, 0.4)) for _ in range(tones_of)])


def bank_of(rng: np.random.Generator, segments: int = 16) -> Bank:
    found = [BANDS.embed(speech_like(rng, 30)) for _ in range(segments)]
    found += [BANDS.embed(draw_noise(rng, 10 * RATE) * np.float32(0.05)) for _ in range(8)]
    kind = np.array([0] * segments + [2] * 8)
    length = np.array([len(f) for f in found])
    return Bank(np.concatenate(found), length, kind, np.arange(len(found)) % FOLDS, 1_280, "bands", "0" * 64)
