"""The decoder's rules, one by one: a script of scores in, events out."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.decoder import Decoder
from spotter.errors import BadInputError
from spotter.settings import DecoderConfig

LABELS = ("_silence_", "_unknown_", "yes", "no")
PLAIN = DecoderConfig(threshold=0.7, smooth_ms=0.0, margin=0.1, rearm=0.5, refractory_ms=300.0)
HOP = 320  # 20 ms


def run(
    script: list[tuple[int, dict[str, float]]], config: DecoderConfig = PLAIN, hop: int = HOP, level_dbfs: float = -20.0
) -> list[tuple[str, int]]:
    """Play (milliseconds, scores) pieces one after the other; return (keyword, milliseconds) of what fired."""
    decoder = Decoder(LABELS, LABELS[2:], config, hop)
    heard, at = [], 0
    for length_ms, scores in script:
        row = np.array([scores.get(label, 0.0) for label in LABELS], np.float32)
        end = at + length_ms * 16
        while at + hop <= end:
            at += hop
            heard += [(f.keyword, at // 16) for f in decoder.step(row, at, level_dbfs)]
    return heard


YES, NO, NOTHING = {"yes": 0.9}, {"no": 0.9}, {"_silence_": 0.9}


@pytest.mark.parametrize(
    ("script", "heard"),
    [
        ([(200, NOTHING), (300, YES), (500, NOTHING)], ["yes"]),
        ([(300, YES), (700, NOTHING), (300, YES)], ["yes", "yes"]),
        ([(3_000, YES)], ["yes"]),  # one long word is one event
        ([(300, YES), (300, NO), (300, YES)], ["yes", "no", "yes"]),  # one keyword never blocks another
        ([(300, {"yes": 0.69})], []),
        (
            [(300, YES), (100, {"yes": 0.5}), (300, YES)],
            ["yes"],
        ),  # between re-arming and threshold: still the same word
        ([(300, YES), (100, {"yes": 0.3}), (300, YES)], ["yes", "yes"]),
        ([(300, {"yes": 0.75, "_unknown_": 0.7})], []),  # no margin over unknown
        ([(300, {"yes": 0.75, "no": 0.7})], []),  # no margin over the other keyword
        ([(300, {"yes": 0.75, "_unknown_": 0.6})], ["yes"]),
    ],
)
def test_a_script_of_scores_gives_these_events(script: list[tuple[int, dict[str, float]]], heard: list[str]) -> None:
    assert [word for word, _ in run(script)] == heard


def test_the_same_word_one_second_later_is_a_second_event() -> None:
    assert len(run([(400, YES), (600, NOTHING), (400, YES)])) == 2


def test_within_the_refractory_time_a_keyword_does_not_fire_again_but_another_does() -> None:
    heard = run([(100, YES), (60, NOTHING), (60, YES), (60, NO)])
    assert [word for word, _ in heard] == ["yes", "no"]


def test_a_keyword_held_back_by_the_refractory_time_fires_when_it_is_over() -> None:
    heard = run([(100, YES), (60, NOTHING), (400, YES)])
    assert heard == [("yes", 20), ("yes", 320)]


def test_a_quiet_window_counts_as_silence_whatever_its_scores() -> None:
    assert run([(500, YES)], level_dbfs=-80.0) == []


def test_smoothing_is_a_mean_over_time_whatever_the_hop() -> None:
    config = dataclasses.replace(PLAIN, smooth_ms=200.0)
    for hop in (320, 640, 1_600, 3_200):
        (event,) = run([(1_000, NOTHING), (1_000, YES)], config, hop)
        assert 1_160 <= event[1] <= 1_200


def test_thresholds_are_each_keywords_own() -> None:
    config = dataclasses.replace(PLAIN, thresholds={"yes": 0.95})
    assert [word for word, _ in run([(300, YES), (300, NO)], config)] == ["no"]


def test_a_gap_forgets_scores_and_arms_again_but_refractory_time_goes_on() -> None:
    decoder = Decoder(LABELS, LABELS[2:], PLAIN, HOP)
    yes = np.array([0, 0, 0.9, 0], np.float32)
    assert decoder.step(yes, 16_000, -20.0)
    decoder.gap()
    assert not decoder.smoothed.any()
    assert not decoder.step(yes, 16_000 + 3_200, -20.0)
    assert decoder.step(yes, 16_000 + 4_800, -20.0)


def test_after_reset_a_decoder_is_as_new() -> None:
    decoder = Decoder(LABELS, LABELS[2:], PLAIN, HOP)
    yes = np.array([0, 0, 0.9, 0], np.float32)
    first = decoder.step(yes, 320, -20.0)
    decoder.reset()
    assert decoder.step(yes, 320, -20.0) == first


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("gate_dbfs", 0.0),
        ("smooth_ms", 400.0),
        ("threshold", 0.95),
        ("thresholds", {"yes": 0.95}),
        ("rearm", 0.99),
        ("margin", 0.5),
        ("refractory_ms", 3_000.0),
    ],
)
def test_no_option_is_without_effect(option: str, value: Any) -> None:
    close = {"yes": 0.8, "_unknown_": 0.5}
    script = [(200, YES), (100, {"yes": 0.6}), (300, YES), (300, NOTHING), (300, close), (300, NOTHING)] * 2
    assert run(script, dataclasses.replace(PLAIN, **{option: value})) != run(script)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 20), st.floats(0, 1, width=32), st.floats(0, 1, width=32)), max_size=30))
def test_a_keyword_fires_only_at_its_threshold_and_never_twice_without_falling_below_rearming(
    script: list[tuple[int, float, float]],
) -> None:
    decoder = Decoder(LABELS, LABELS[2:], PLAIN, HOP)
    at, fallen = 0, True
    for hops, yes, no in script:
        row = np.array([0.0, 0.0, yes, no], np.float32)
        for _ in range(hops):
            at += HOP
            fired = [f for f in decoder.step(row, at, -20.0) if f.keyword == "yes"]
            fallen |= float(row[2]) < 0.35
            if fired:
                assert fallen
                assert fired[0].score >= 0.7 - 1e-6
                fallen = False


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 0.0},
        {"threshold": 1.0},
        {"threshold": float("nan")},
        {"thresholds": {"yes": 2.0}},
        {"rearm": 1.0},
        {"margin": -0.1},
        {"smooth_ms": -1.0},
        {"refractory_ms": 1e9},
    ],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInputError, match="out of range"):
        DecoderConfig(**wrong)


def test_a_threshold_for_a_word_that_is_no_keyword_is_refused() -> None:
    with pytest.raises(BadInputError, match="maybe"):
        Decoder(LABELS, LABELS[2:], DecoderConfig(thresholds={"maybe": 0.5}), HOP)


def test_scores_that_are_no_numbers_fire_nothing() -> None:
    decoder = Decoder(LABELS, LABELS[2:], PLAIN, HOP)
    assert decoder.step(np.full(4, np.nan, np.float32), HOP, -20.0) == []
