"""Counting, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from spotter.events import Detection

pytest.importorskip("scipy", reason="the limits come from scipy, which the extra `train` brings")
from train import metrics
from train.metrics import Word


def heard(keyword: str, time: float) -> Detection:
    sample = round(time * 16_000)
    return Detection(keyword=keyword, score=0.9, time_sample=sample, start_sample=sample, end_sample=sample)


def test_each_word_gets_its_first_detection_and_the_rest_are_duplicates_or_false() -> None:
    words = [Word("yes", 1.0, 1.5), Word("no", 3.0, 3.4), Word("cat", 5.0, 5.5), Word("yes", 7.0, 7.5)]
    events = [heard("yes", 1.7), heard("yes", 2.1), heard("yes", 3.6), heard("yes", 5.7), heard("yes", 8.6)]
    m = metrics.match(events, words, ("yes", "no"))
    assert [(w.word, d.time) for w, d in m.found] == [("yes", 1.7)]
    assert [w.word for w in m.missed] == ["no", "yes"]
    assert [d.time for d in m.duplicates] == [2.1]
    assert [d.time for d in m.false] == [3.6, 5.7, 8.6]
    np.testing.assert_allclose(m.delays, [0.2])


def test_a_detection_before_the_word_begins_or_long_after_it_does_not_count() -> None:
    m = metrics.match([heard("yes", 0.9)], [Word("yes", 1.0, 1.5)], ("yes",))
    assert not m.found
    assert len(m.false) == 1
    m = metrics.match([heard("yes", 2.6)], [Word("yes", 1.0, 1.5)], ("yes",))
    assert not m.found
    assert len(m.false) == 1


def test_no_false_accept_in_three_hours_is_less_than_one_an_hour() -> None:
    low, high = metrics.rate_limits(0, 3.2)
    assert low == 0.0
    assert high == pytest.approx(0.936, abs=0.001)  # "0 in 3.2 h" is "< 0.94/h at 95%"


def test_poisson_limits_equal_the_published_table() -> None:
    low, high = metrics.rate_limits(10, 1.0)  # Garwood: 4.795 to 18.39
    assert low == pytest.approx(4.795, abs=0.001)
    assert high == pytest.approx(18.39, abs=0.01)


def test_binomial_limits_equal_the_published_table() -> None:
    for hits, limits in ((0, (0.0, 0.3085)), (10, (0.6915, 1.0)), (5, (0.1871, 0.8129))):
        np.testing.assert_allclose(metrics.share_limits(hits, 10), limits, atol=1e-4)
    assert metrics.share_limits(0, 0) == (0.0, 1.0)


def test_confusion_counts_pairs_and_precision_recall_f1_follow_from_it() -> None:
    table = metrics.confusion(["a", "a", "b", "b"], ["a", "b", "b", "b"], ["a", "b"])
    assert table.tolist() == [[1, 1], [0, 2]]
    np.testing.assert_allclose(metrics.precision_recall_f1(table), [[1.0, 0.5, 2 / 3], [2 / 3, 1.0, 0.8]])
