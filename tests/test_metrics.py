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


def test_of_a_keyword_said_twice_the_one_that_was_missed_is_told_by_the_nearer_end() -> None:
    words = [Word("yes", 1.0, 1.4), Word("yes", 1.5, 1.9), Word("no", 1.9, 2.2)]
    m = metrics.match([heard("yes", 2.0)], words, ("yes",))
    assert m.missed == (words[0],)
    np.testing.assert_allclose(m.delays, [0.1])
    # Both found, the first of them late: in their order, not each by the nearer end.
    m = metrics.match([heard("yes", 1.6), heard("yes", 2.0)], words, ("yes",))
    np.testing.assert_allclose(m.delays, [0.2, 0.1])
    # The first found, then found again while the second is said: that is the second's.
    m = metrics.match([heard("yes", 1.3), heard("yes", 1.6)], words, ("yes",))
    np.testing.assert_allclose(m.delays, [-0.1, -0.3])
    assert not m.duplicates


def test_words_need_no_order_and_the_counts_are_those_of_trying_every_pair() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        words = [Word(str(rng.choice(["yes", "no", "cat"])), float(s), float(s) + 0.4) for s in rng.uniform(0, 9, 12)]
        events = [heard(str(rng.choice(["yes", "no"])), float(t)) for t in np.sort(rng.uniform(0, 10, 9))]
        m = metrics.match(events, words, ("yes", "no"))
        taken: set[int] = set()
        duplicates = false = 0
        order = sorted(range(12), key=lambda i: words[i].start)
        for d in events:
            here = [i for i in order if words[i].word == d.keyword and words[i].start < d.time <= words[i].end + 1.0]
            free = [i for i in here if i not in taken]
            taken.update(free[:1])
            duplicates += bool(here and not free)
            false += not here
        assert (len(m.found), len(m.duplicates), len(m.false)) == (len(taken), duplicates, false)
        assert sorted(map(id, m.missed)) == sorted(
            id(w) for w in words if w.word != "cat" and w not in [f for f, _ in m.found]
        )
        assert len(m.found) + len(m.missed) == sum(w.word != "cat" for w in words)


def test_a_false_detection_is_blamed_on_the_word_that_was_said_there() -> None:
    words = [Word("cat", 1.0, 1.4), Word("no", 1.6, 2.0), Word("left", 9.0, 9.4)]
    assert metrics.blame(heard("yes", 1.5), words) == "cat"
    assert metrics.blame(heard("yes", 2.2), words) == "no"  # the last one begun
    assert metrics.blame(heard("yes", 3.0), words) == "no"  # a second after its end
    assert metrics.blame(heard("yes", 3.1), words) == ""
    false = [(heard("yes", t), words) for t in (1.5, 2.2, 2.3, 5.0)] + [(heard("go", 9.5), words)]
    assert metrics.confusions(false) == {"go": {"left": 1}, "yes": {"no": 2, "": 1, "cat": 1}}


def test_latency_is_the_median_and_the_95th_percentile() -> None:
    assert metrics.latency(np.arange(101) / 100) == (0.5, 0.95)
    assert metrics.latency(np.array([])) is None


def test_streams_count_together() -> None:
    one = metrics.match([heard("yes", 1.6)], [Word("yes", 1.0, 1.5)], ("yes",))
    two = metrics.match([heard("yes", 9.0)], [Word("yes", 1.0, 1.5)], ("yes",))
    both = metrics.together([one, two])
    assert (len(both.found), len(both.missed), len(both.false)) == (1, 1, 1)


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
