"""The search for thresholds and settings is right by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy", reason="limits come from scipy, which the extra `train` brings")
pytest.importorskip("matplotlib", reason="pictures come from the extra `train`")
from spotter.errors import BadInputError
from spotter.settings import DecoderConfig
from tests.tuning import AIM, KEYWORDS, PRESENT, RNG, G, count, curves_of, empty_tally, scored_yes
from train.tune import LOGITS, THRESHOLDS, Aim, choose, config_of, curves, for_recall, halves, nearest
from train.tune_choice import Wanted, find, ladder
from train.tune_tally import Part, Tally


def step(height: float, index: int) -> np.ndarray[Any, Any]:
    """So much up to a threshold's index, nothing above."""
    return np.where(np.arange(G) <= index, height, 0.0)


def test_the_budget_goes_where_most_is_found_for_it() -> None:
    # One false accept is affordable. It buys 0.3 with "yes" or 0.2 with "no"; 0.1 of each is free below index 60.
    gain = [[step(0.3, 30) + step(0.1, 60)], [step(0.2, 30) + step(0.1, 60)]]
    some = curves_of(gain, [[step(1.0, 30)], [step(1.0, 30)]])
    found = choose(some, empty_tally(PRESENT), AIM, 1.0, PRESENT, single=False)
    assert found is not None
    assert found.at == (30, 60)
    assert found.gain == pytest.approx(0.5)
    assert found.false == 1.0
    config = config_of(empty_tally(PRESENT), found)
    assert config.threshold_of("yes") == THRESHOLDS[30]
    assert config.threshold_of("no") == THRESHOLDS[60]


def test_one_threshold_for_all_is_the_highest_that_finds_as_much() -> None:
    gain = [[step(0.3, 30) + step(0.1, 60)], [step(0.2, 30) + step(0.1, 60)]]
    some = curves_of(gain, [[step(1.0, 30)], [step(1.0, 30)]])
    for budget, at in ((1.0, 60), (2.0, 30)):
        found = choose(some, empty_tally(PRESENT), AIM, budget, PRESENT, single=True)
        assert found is not None
        assert found.at == (at, at)


def test_a_keywords_threshold_stays_near_the_common_one() -> None:
    gain = [[step(0.3, 10) + step(0.1, 60)], [step(0.1, 60)]]
    some = curves_of(gain, [[step(1.0, 10)], [step(2.0, 60)]])
    near = Aim(weights={}, counted=(), spread=1.0)
    found = choose(some, empty_tally(PRESENT), near, 2.0, PRESENT, single=False)
    assert found is not None
    assert max(abs(LOGITS[i] - LOGITS[found.at[0]]) for i in found.at) <= 2.0 + 1e-9
    assert found.at[0] == 60  # 10 would be too far from it


def test_no_choice_keeps_a_budget_that_every_setting_exceeds_and_the_nearest_is_named() -> None:
    false = [[step(9.0, 40) + 3.0], [np.zeros(G)]]
    some = curves_of([[step(0.5, 50)], [step(0.5, 50)]], false, hours=2.0)
    assert choose(some, empty_tally(PRESENT), AIM, 1.0, PRESENT, single=False) is None
    near = nearest(some)
    assert (near.false, near.at) == (3.0, (41, 41))
    with pytest.raises(BadInputError, match=r"keeps 1 false accepts an hour: the nearest is 1\.5 \(3 heard in 2 h"):
        find(empty_tally(PRESENT), some, AIM, Wanted(false_per_hour=1.0), PRESENT, RNG(0))


def test_other_settings_are_taken_only_for_more_than_half_a_standard_error() -> None:
    other = DecoderConfig(margin=0.3)
    gain = [[step(0.40, 30), step(0.41, 30)], [step(0.4, 30), step(0.4, 30)]]
    for error, margin in ((0.03, PRESENT.margin), (0.01, 0.3)):
        some = curves_of(gain, np.zeros((2, 2, G)), error=error)
        found = choose(some, empty_tally(PRESENT, other), AIM, 1.0, PRESENT, single=True)
        assert found is not None
        assert empty_tally(PRESENT, other).configs[found.setting].margin == margin


def test_for_a_recall_as_few_false_accepts_are_let_through_as_it_takes() -> None:
    gain = [[step(0.2, 20) + step(0.2, 40)], [step(0.2, 20) + step(0.2, 40)]]
    some = curves_of(gain, [[step(9.0, 20) + step(1.0, 40)], [step(1.0, 40)]])
    found = for_recall(some, empty_tally(PRESENT), AIM, 0.4, PRESENT, single=True)
    assert found is not None
    assert found[1].at == (40, 40)
    assert 2.0 <= found[0] < 2.5
    with pytest.raises(BadInputError, match=r"finds 90\.0%: the nearest is 80\.0% at 11 false accepts"):
        find(empty_tally(PRESENT), some, AIM, Wanted(recall=0.9), PRESENT, RNG(0))


def test_recall_is_the_weighted_mean_of_the_parts_and_a_word_reported_twice_costs_one() -> None:
    found = np.zeros((3, 2, 1, 2), np.int32)
    found[0, 0, 0], found[1, 1, 0] = [8, 4], [2, 1]
    false, twice = np.zeros_like(found), np.zeros_like(found)
    false[2, 0, 0], twice[0, 0, 0, 0] = [3, 0], 1
    said = np.array([[10, 0], [0, 4], [0, 0]], np.int32)
    names = ("quiet", "noisy", "speech")
    some = Tally(names, np.array([60.0, 60.0, 1_800.0]), said, found, false, twice, KEYWORDS, (PRESENT,), LOGITS[:2])
    seen = curves(some, Aim(weights={"quiet": 1.0, "noisy": 0.5}, counted=("speech",)))
    assert seen.found.sum(axis=0)[0] == pytest.approx([(0.8 + 0.5 * 0.5) / 1.5, (0.4 + 0.5 * 0.25) / 1.5])
    assert seen.gain.sum(axis=0)[0, 0] == pytest.approx((0.7 + 0.5 * 0.5) / 1.5)
    assert (seen.hours, seen.false.sum()) == (0.5, 3.0)


def spoken_tally(rng: np.random.Generator, offset: float) -> Tally:
    """Blocks with words and with false accepts; those of "no" score lower by `offset`."""
    blocks = 40
    found, false = (np.zeros((2 * blocks, 2, 1, G), np.int32) for _ in range(2))
    said = np.zeros((2 * blocks, 2), np.int32)
    for block in range(blocks):
        for k in range(2):
            said[block, k] = 10
            peaks = rng.logistic(4.0 - (offset if k else 0.0), 1.0, 10)
            found[block, k, 0] = (peaks[:, None] >= LOGITS).sum(axis=0)
            events = rng.exponential(1.0, rng.poisson(6)) - (offset if k else 0.0)
            false[blocks + block, k, 0] = (events[:, None] >= LOGITS).sum(axis=0)
    names = ("words",) * blocks + ("speech",) * blocks
    seconds = np.full(2 * blocks, 60.0)
    return Tally(names, seconds, said, found, false, np.zeros_like(found), KEYWORDS, (PRESENT,), THRESHOLDS)


def test_thresholds_by_keyword_pay_where_keywords_differ_and_not_where_they_are_alike() -> None:
    aim = Aim(weights={"words": 1.0}, counted=("speech",), spread=2.0)
    unlike, same = spoken_tally(RNG(1), 3.0), spoken_tally(RNG(1), 0.0)
    assert halves(unlike, aim, 60.0, 0, RNG(0)).pays
    assert not halves(same, aim, 60.0, 0, RNG(0)).pays
    wanted = Wanted(false_per_hour=60.0)
    by_keyword = find(unlike, curves(unlike, aim), aim, wanted, PRESENT, RNG(0))
    assert by_keyword.choice.at[1] < by_keyword.choice.at[0]
    together = find(same, curves(same, aim), aim, wanted, PRESENT, RNG(0))
    assert together.choice.at[0] == together.choice.at[1]
    assert "not surely better" in together.reason


def test_a_wider_target_never_finds_less() -> None:
    aim = Aim(weights={"words": 1.0}, counted=("speech",))
    some = spoken_tally(RNG(1), 1.0)
    seen = curves(some, aim)
    found = find(some, seen, aim, Wanted(false_per_hour=3.0, by_keyword="never"), PRESENT, RNG(0))
    steps = ladder(some, seen, aim, PRESENT, found)
    assert [target for target, _ in steps] == [0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0]
    gains = [choice.gain for _, choice in steps if choice]
    assert gains == sorted(gains)


def test_without_words_only_the_keyword_that_was_heard_is_raised_and_no_further_than_needed() -> None:
    values = np.zeros(600)
    values[100], values[300] = 0.95, 0.75
    some = count(Part("negatives", (), scored_yes(*values)), thresholds=THRESHOLDS)
    aim = Aim(weights={}, counted=("negatives",), floor=np.array([0.7, 0.7]))
    found = choose(curves(some, aim), some, aim, 60.0, PRESENT, single=False)  # one in this minute
    assert found is not None
    config = config_of(some, found, aim.floor)
    assert config.threshold_of("no") == 0.7
    assert 0.75 < config.threshold_of("yes") < 0.95
