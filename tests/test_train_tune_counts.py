"""What tuning counts is what the listener's decoder says, and beyond what was heard there is a tail."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy", reason="limits come from scipy, which the extra `train` brings")
pytest.importorskip("matplotlib", reason="pictures come from the extra `train`")
from spotter.settings import DecoderConfig
from tests.tuning import HOP, KEYWORDS, LABELS, RNG, count, plain_grid, scored, scored_yes
from train.evaluate import Scored, judge
from train.metrics import Word
from train.streams import Stream
from train.tune import expected
from train.tune_tally import Grid, Part


def wandering(rng: np.random.Generator, windows: int) -> Scored:
    """Scores that rise and fall, with much that is near a threshold."""
    logits = np.cumsum(rng.normal(0, 1.2, (windows, 4)), axis=0)
    logits -= np.array([np.convolve(c, np.ones(9) / 9, mode="same") for c in logits.T]).T
    logits *= 2.0
    rows = np.exp(logits - logits.max(axis=1, keepdims=True))
    what = scored(rows / rows.sum(axis=1, keepdims=True))
    what.levels[:] = rng.uniform(-90, -20, windows)
    return what


def drawn_words(rng: np.random.Generator, seconds: float) -> tuple[Word, ...]:
    starts = np.sort(rng.uniform(0, seconds - 2, 40))
    return tuple(Word(str(rng.choice(["yes", "no", "cat"])), float(s), float(s + 0.4)) for s in starts)


@pytest.mark.parametrize("seed", range(2))
def test_every_setting_and_threshold_is_counted_as_the_listeners_decoder_counts_it(seed: int) -> None:
    rng = RNG(seed)
    parts = [Part("words", drawn_words(rng, 60.0), wandering(rng, 600)), Part("speech", (), wandering(rng, 400))]
    floors = [rng.uniform(-60, -25, len(p.scored.ends)).astype(np.float32) for p in parts]
    parts = [replace(p, scored=replace(p.scored, floors=f)) for p, f in zip(parts, floors, strict=True)]
    grid = plain_grid(
        gate_dbfs=(-75.0, -60.0),
        smooth_ms=(50.0, 250.0),
        noise_share=(0.8, 1.0),
        margin=(0.0, 0.3),
        rearm=(0.4, 0.9),
        refractory_ms=(0.0, 800.0),
    )
    found = count(*parts, grid=grid, thresholds=(0.35, 0.7))
    model: Any = SimpleNamespace(labels=LABELS, keywords=KEYWORDS)
    streams = [(Stream(np.empty(0, np.float32), p.words), p.scored) for p in parts]
    assert found.false[:, :, 0, 0].sum() > 10
    assert found.found[:, :, 0, 0].sum() > 10
    assert found.twice.sum() > 0
    for number, config in enumerate(found.configs):
        for at, threshold in enumerate((0.35, 0.7)):
            settings = replace(config, threshold=threshold)
            heard = judge(model, streams, settings, HOP)
            assert found.false[:, :, number, at].sum() == len(heard.false)
            assert found.found[:, :, number, at].sum() == len(heard.found)
            assert found.twice[:, :, number, at].sum() == len(heard.duplicates)
    assert found.said.sum() == sum(w.word != "cat" for w in parts[0].words)


def test_a_word_counts_in_the_minute_of_its_end_and_a_false_accept_in_its_own() -> None:
    values = np.zeros(1_200)
    values[[299, 899]] = 0.9  # at 30 and at 90 s
    found = count(Part("words", (Word("yes", 29.5, 29.9),), scored_yes(*values)), thresholds=(0.5, 0.95))
    assert found.names == ("words", "words")
    assert found.seconds.tolist() == [60.0, 60.0]
    assert found.said[:, 0].tolist() == [1, 0]
    assert found.found[:, 0, 0].tolist() == [[1, 0], [0, 0]]
    assert found.false[:, 0, 0].tolist() == [[0, 0], [1, 0]]


def test_settings_that_are_not_tuned_stay_as_they_are_in_the_model() -> None:
    own = DecoderConfig(gate_dbfs=-50.0, threshold=0.8)
    grid = Grid(
        base=own,
        gate_dbfs=(-50.0,),
        smooth_ms=(100.0, 200.0),
        noise_share=(1.0,),
        margin=(0.2,),
        rearm=(0.5,),
        refractory_ms=(400.0,),
    )
    assert [c.smooth_ms for c in grid.configs()] == [100.0, 200.0]
    assert {(c.gate_dbfs, c.margin, c.rearm, c.refractory_ms) for c in grid.configs()} == {(-50.0, 0.2, 0.5, 400.0)}


def test_beyond_twenty_false_accepts_their_number_falls_by_one_factor() -> None:
    false = np.array([[[40.0, 20.0, 10.0, 5.0, 0.0]]])
    factor = 15 / 35  # ten and five above, of those and the twenty
    assert expected(false)[0, 0] == pytest.approx([40, 20, 20 * factor, 20 * factor**2, 20 * factor**3])


def test_a_keywords_part_of_the_tail_is_drawn_towards_an_equal_share() -> None:
    false = np.array([[[20.0, 10.0, 0.0]], [[0.0, 0.0, 0.0]]])
    tail = 20 * (10 / 30) ** 2
    assert expected(false)[:, 0, 2] == pytest.approx([tail * 21 / 22, tail * 1 / 22])


def test_where_nothing_was_heard_nothing_is_expected() -> None:
    assert not expected(np.zeros((2, 1, 5))).any()
