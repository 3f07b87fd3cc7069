"""Scores of streams are kept, decoded as a listener would, and drawn as curves."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes import ScriptedModel, recording

pytest.importorskip("scipy", reason="the extra `train` brings it")
from spotter.errors import BadInputError
from spotter.recorded import spot
from spotter.settings import SAMPLE_RATE, DecoderConfig
from tests.stream_parts import HOP, model_of
from train import cached
from train.det import at_threshold, curves, picture
from train.evaluate import Scored, decode, score, worth_a_look
from train.metrics import Word


class Scripted(ScriptedModel):
    """A scripted model that a cache can tell from others."""

    network, backend = "scripted", "numpy"

    def __init__(self, manifest: str = "one") -> None:
        super().__init__()
        self.manifest = {"files": manifest}


def test_scores_come_from_the_cache_until_recording_model_or_hop_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = 0

    def counted(*args: Any, **kwargs: Any) -> Scored:
        nonlocal ran
        ran += 1
        return score(*args, **kwargs)

    monkeypatch.setattr(cached, "score", counted)
    samples, cache = recording((1.0, "yes"), seconds=3.0), tmp_path / "scores"
    fake = model_of(Scripted())
    first = cached.scored(fake, samples, cache=cache)
    again = cached.scored(fake, samples.copy(), cache=cache)
    assert ran == 1
    for name in ("ends", "levels", "scores", "seconds"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    cached.scored(fake, samples, hop_ms=20.0, cache=cache)
    cached.scored(fake, samples + np.float32(1e-3), cache=cache)
    cached.scored(model_of(Scripted("another")), samples, cache=cache)
    cached.scored(fake, samples, cache=None)
    assert ran == 5
    for path in cache.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    np.testing.assert_array_equal(cached.scored(fake, samples, cache=cache).scores, first.scores)
    assert ran == 6
    cached.scored(fake, samples, cache=cache)
    assert ran == 6


def test_a_stream_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"0\.50 s, less than the 1 s .*give a longer one"):
        cached.scored(model_of(Scripted()), np.zeros(8_000, np.float32), cache=None)


def test_decoding_kept_scores_gives_the_events_of_the_listener() -> None:
    samples = recording((1.0, "yes"), (2.5, "no"), (4.0, "yes"), seconds=6.0)
    fake = ScriptedModel()
    heard = spot(samples, SAMPLE_RATE, fake, hop_ms=100.0)
    kept = decode(model_of(fake), score(model_of(fake), samples, hop_ms=100.0), fake.decoder, HOP)
    assert [(d.keyword, d.time_sample, d.score) for d in kept] == [(d.keyword, d.time_sample, d.score) for d in heard]
    assert len(heard) == 3


def bursts(seed: int, windows: int = 3_000) -> Scored:
    """Scores that rise now and then, and sometimes hover between re-arming and firing."""
    rng = np.random.default_rng(seed)
    scores = np.full((windows, 4), 0.01, np.float32)
    for at in rng.integers(0, windows, 120):
        scores[at : at + rng.integers(1, 9), rng.integers(0, 3)] = rng.uniform(0.1, 1.0)
    ends = (np.arange(windows) + 10) * HOP
    return Scored(
        ends,
        np.full(windows, -20.0, np.float32),
        np.full(windows, -90.0, np.float32),
        scores,
        windows * HOP / SAMPLE_RATE,
    )


@pytest.mark.parametrize("smooth_ms", [0.0, 100.0, 250.0, 1_000.0])
def test_leaving_out_quiet_stretches_changes_no_detection(smooth_ms: float) -> None:
    model = model_of(ScriptedModel())
    config = DecoderConfig(smooth_ms=smooth_ms, refractory_ms=700.0)
    fired = 0
    for seed in range(4):
        scored = bursts(seed, windows=1_200)
        for threshold in (0.2, 0.5, 0.8):
            moved = dataclasses.replace(config, threshold=threshold)
            some = worth_a_look(model, scored, moved)
            assert smooth_ms > 500.0 or len(some.ends) < len(scored.ends)
            whole = decode(model, scored, moved, HOP)
            assert decode(model, some, moved, HOP) == whole
            fired += len(whole)
    assert fired


def test_a_curve_has_fewer_false_accepts_and_more_misses_as_the_threshold_rises(tmp_path: Path) -> None:
    model = model_of(ScriptedModel())
    said = Word("yes", 1.0, 1.5)
    points = curves(model, {"words": [((said,), bursts(1))]}, [((), bursts(2))], DecoderConfig(), HOP, (0.2, 0.5, 0.9))
    false = [p["false"] for p in points]
    assert false == sorted(false, reverse=True)
    assert false[0] > false[-1]
    missed = [p["missed"]["words"] for p in points]
    assert missed == sorted(missed)
    assert points[1]["false_per_hour"] == pytest.approx(false[1] / (3_000 * 0.1 / 3_600))
    assert false[1] == len(at_threshold(model, [((), bursts(2))], DecoderConfig(), HOP, 0.5).false)
    picture(points, points[1], 0.1, "speech", tmp_path / "det.png")
    assert (tmp_path / "det.png").read_bytes().startswith(b"\x89PNG")
