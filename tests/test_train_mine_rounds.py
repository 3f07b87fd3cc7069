"""Mining within training: what a network in the making takes for keywords."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("scipy", reason="rooms come from scipy, which the extra `train` brings")
from spotter.arrays import Floats
from train.mine import mine, mine_round
from train.pools import Pools
from train.recipe import Recipe

RECIPE = Recipe(keywords=("yes", "no"), outputs=10)


class Ears:
    """Stands for a Keras network: scores "yes" where band 20 stands out at the end of the context."""

    def __init__(self, context: int, stride: int) -> None:
        self.context, self.stride = context, stride
        self.heard: list[Floats] = []

    def predict_on_batch(self, frames: Floats) -> Floats:
        self.heard.append(frames[0].copy())
        tone = frames[0, :, 17:24].max(axis=1) - np.median(frames[0], axis=1)
        last = np.arange(self.context - 1, len(tone), self.stride)
        logits = np.full((1, len(last), 4), -9.0, np.float32)
        logits[0, :, 1] = 0.0
        logits[0, :, 2] = np.where(tone[last] > 6.0, 9.0, -9.0)
        return logits


def speech_pools() -> Pools:
    """Two stretches of faint hiss, tones in it: two strong ones, and three that are just too faint."""
    frames = np.random.default_rng(0).uniform(0.5, 1.5, (9_000, 40)).astype(np.float32)
    for place in (2_000, 6_000):
        frames[place : place + 4, 20] = 3_000.0
    for place in (1_000, 3_000, 7_500):
        frames[place : place + 2, 20] = 320.0
    speech = np.array([[0, 4_000], [4_000, 5_000]], np.intp)
    values: dict[str, Any] = {f.name: np.zeros(0, np.intp) for f in dataclasses.fields(Pools)}
    return Pools(**{**values, "frames": frames, "speech": speech})


def mined(copies: int, seed: int = 0) -> tuple[npt.NDArray[np.intp], Ears]:
    ears = Ears(149, 2)
    options = {"context": 149, "stride": 2, "length": 167, "copies": copies, "seed": seed}
    return mine(ears, speech_pools(), [2, 3], **options), ears


def test_plain_mining_finds_the_places_that_score_high() -> None:
    found, _ = mined(0)
    ends = found + (167 - 149) // 2 + 149
    assert len(found) == 2
    assert all(abs(end - place) <= 3 for end, place in zip(ends.tolist(), (2_000, 6_000), strict=True))


def test_copies_add_places_and_keep_the_plain_ones_and_are_the_same_for_a_seed() -> None:
    plain, _ = mined(0)
    more, ears = mined(6)
    assert set(plain.tolist()) < set(more.tolist())
    assert np.array_equal(more, mined(6)[0])
    assert len(ears.heard) >= 7 * 4
    assert not np.array_equal(ears.heard[-1], mined(6, seed=1)[1].heard[-1])
    assert np.diff(more).min() >= 50  # the same tones at other speeds are the same places
    ends = more + (167 - 149) // 2 + 149
    assert all(min(abs(end - p) for p in (1_000, 2_000, 3_000, 6_000, 7_500)) < 12 for end in ends.tolist())


def test_a_round_is_read_again_only_when_it_was_mined_with_as_many_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The network's sizes without Keras, which takes long to load.
    sizes = SimpleNamespace(context_frames=149, step_frames=2)
    monkeypatch.setattr("train.mine.network", lambda *_: sizes)
    path = tmp_path / "hard1.npz"
    ears = Ears(149, 2)
    found = mine_round(ears, RECIPE, speech_pools(), path)
    count = len(ears.heard)
    assert np.array_equal(mine_round(ears, RECIPE, speech_pools(), path), found)
    assert len(ears.heard) == count
    mine_round(ears, RECIPE, speech_pools(), path, copies=1)
    assert len(ears.heard) > 2 * count
    np.savez(path, found=found, frames=9_000)  # as older versions wrote it
    assert np.array_equal(mine_round(ears, RECIPE, speech_pools(), path), found)
