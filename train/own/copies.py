"""Augmented copies of an utterance, as blocks of embeddings in which its windows lie.

A copy has another speed, room, tilt, level and noise; every draw comes from the generator that is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.fft
import soxr

from spotter.arrays import Floats
from spotter.backbone import Backbone
from spotter.settings import SAMPLE_RATE
from train.augment.room import draw_room, in_room
from train.own.made_noise import draw_noise
from train.own.scene import Scene

_TINY: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Variety:
    """How copies differ from their recording; shares are those of the copies."""

    slowest: float = 0.88  # speed, by resampling: pitch goes along
    fastest: float = 1.12
    in_room_share: float = 0.4
    tilted_share: float = 0.5
    tilt_db: float = 4.0  # standard deviation at the highest frequency; the lowest has the opposite
    quietest_dbfs: float = -42.0
    loudest_dbfs: float = -14.0
    noisy_share: float = 0.75
    late_share: float = 0.5  # of the noisy ones, in which the noise begins only shortly before the utterance
    lowest_snr_db: float = 2.0
    highest_snr_db: float = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where windows may end, around the end of the utterance, and how many embeddings a window has."""

    window: int  # embeddings
    earliest_s: float = -0.24
    latest_s: float = 0.40

    def places(self, backbone: Backbone) -> int:
        """How many windows of a block are candidates."""
        return int((self.latest_s - self.earliest_s) * SAMPLE_RATE) // backbone.step + 1

    def block(self, backbone: Backbone) -> int:
        """How many embeddings a block has."""
        return self.window + self.places(backbone) - 1


def varied(
    rng: np.random.Generator,
    scene: Scene,
    noise: Sequence[Floats] = (),
    variety: Variety | None = None,
) -> Scene:
    """Vary an utterance and its surroundings.

    noise : recordings to draw from; without them it is made up
    """
    variety = variety or Variety()
    speed = rng.uniform(variety.slowest, variety.fastest)
    samples = np.asarray(soxr.resample(scene.samples, SAMPLE_RATE * speed, SAMPLE_RATE), np.float32)
    first, end = round(scene.first / speed), min(len(samples), round(scene.end / speed))
    if rng.random() < variety.in_room_share:
        samples = in_room(samples, draw_room(rng))[: len(samples)]
    if rng.random() < variety.tilted_share:
        samples = _tilted(rng, samples, variety.tilt_db)
    wanted = 10.0 ** (rng.uniform(variety.quietest_dbfs, variety.loudest_dbfs) / 20.0)
    samples = samples * np.float32(wanted / np.sqrt(np.mean(np.square(samples[first:end])) + _TINY))
    if rng.random() < variety.noisy_share:
        snr_db = rng.uniform(variety.lowest_snr_db, variety.highest_snr_db)
        begins = round(rng.uniform(0.0, first)) if rng.random() < variety.late_share else 0
        samples = _with_noise(rng, samples, slice(first, end), noise, snr_db, begins)
    return Scene(np.asarray(np.clip(samples, -1.0, 1.0), np.float32), first, end)


def block(backbone: Backbone, scene: Scene, layout: Layout) -> Floats:
    """Embeddings of the candidate windows of an utterance.

    Returns
    -------
    float32, shape (layout.block, size)
        Window j consists of the embeddings j .. j + layout.window - 1; the first candidate ends
        `layout.earliest_s` after the end of the utterance, or up to a step later, each other one a step later.
    """
    earliest = scene.end + round(layout.earliest_s * SAMPLE_RATE)
    begin = (-(-(earliest - backbone.context) // backbone.step) - (layout.window - 1)) * backbone.step
    stop = begin + backbone.context + (layout.block(backbone) - 1) * backbone.step
    left, right = max(0, -begin), max(0, stop - len(scene.samples))
    return backbone.embed(np.pad(scene.samples[max(0, begin) : stop], (left, right)))


def _tilted(rng: np.random.Generator, samples: Floats, tilt_db: float) -> Floats:
    length = scipy.fft.next_fast_len(len(samples), real=True)
    spectrum = scipy.fft.rfft(samples, length)
    x = np.linspace(-1.0, 1.0, len(spectrum), dtype=np.float32)
    db = rng.normal(0.0, tilt_db) * x + rng.normal(0.0, tilt_db / 2) * np.cos(np.pi * (x + rng.uniform(0.0, 2.0)))
    gain = (10.0 ** (db / 20.0)).astype(np.float32)
    return np.asarray(scipy.fft.irfft(spectrum * gain, length)[: len(samples)], np.float32)


def _with_noise(
    rng: np.random.Generator, samples: Floats, said: slice, noise: Sequence[Floats], snr_db: float, begins: int
) -> Floats:
    if noise:
        whole = noise[int(rng.integers(len(noise)))]
        at = int(rng.integers(max(1, len(whole) - len(samples))))
        piece = np.resize(whole[at : at + len(samples)], len(samples))
    else:
        piece = draw_noise(rng, len(samples))
    loud, faint = np.mean(np.square(samples[said])), np.mean(np.square(piece[said]))
    if faint < _TINY:  # digital silence in a recording of noise
        return samples
    piece[:begins] = 0.0  # a window sees what was before the noise, too
    return samples + piece * np.float32(np.sqrt(loud / faint / 10.0 ** (snr_db / 10.0)))
