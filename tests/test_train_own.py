"""Own words from few recordings: heads and their figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_array_equal

from spotter.arrays import Floats
from spotter.errors import BadInputError
from tests.own_material import BANDS, QUICK, RATE, bank_of, clips, speech_like, tones
from train.own.bank import FOLDS, Bank
from train.own.calibrate import Heard, Tail, more_recordings
from train.own.clips import Clip
from train.own.fit_words import Fitted, fit_words
from train.own.made_noise import draw_noise
from train.own.recordings import background
from train.own.word import folds


@pytest.fixture(scope="module")
def bank() -> Bank:
    return bank_of(np.random.default_rng(0))


@pytest.fixture(scope="module")
def fitted(bank: Bank) -> Fitted:
    rng = np.random.default_rng(1)
    recordings = {"low high": clips(rng, 10, 500, 2_000), "high low": clips(rng, 10, 2_000, 500)}
    return fit_words(recordings, BANDS, bank, settings=QUICK)


def best_scores(fitted: Fitted, samples: Floats) -> Floats:
    """The highest score of each label over a recording, as a listener computes it."""
    head = fitted.head
    found = BANDS.embed(np.concatenate((np.random.default_rng(9).normal(0, 1e-3, 40_000), samples)).astype(np.float32))
    ends = np.arange(head.window - 1, len(found))
    windows = found[ends[:, None] + np.arange(1 - head.window, 1)].reshape(len(ends), -1)
    logits = (windows - head.mean) / head.scale @ head.weights + head.bias
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray((shares / shares.sum(axis=1, keepdims=True)).max(axis=0), np.float32)


def test_background_in_which_the_word_is_said_teaches_nothing_about_it(bank: Bank) -> None:
    rng = np.random.default_rng(4)
    pause = rng.normal(0, 1e-3, 2 * RATE).astype(np.float32)
    there = np.concatenate([part for _ in range(8) for part in (pause, tones(rng, 500, 2_000))])
    held = [BANDS.embed(there) for _ in range(FOLDS)]
    unmarked = replace(
        bank,
        embeddings=np.concatenate((bank.embeddings, *held)),
        length=np.append(bank.length, [len(h) for h in held]),
        kind=np.append(bank.kind, [0] * FOLDS),
        fold=np.append(bank.fold, range(FOLDS)),
    )
    said = (*[frozenset[str]()] * len(bank.length), *[frozenset({"low", "high"})] * FOLDS)
    recordings = {"low_high": clips(rng, 10, 500, 2_000)}

    knowing = fit_words(recordings, BANDS, replace(unmarked, said=said), settings=QUICK).words["low_high"]
    unknowing = fit_words(recordings, BANDS, unmarked, settings=QUICK).words["low_high"]

    assert knowing["said_in_background"] == FOLDS
    assert knowing["recall"]["quiet"]["recall"] > unknowing["recall"]["quiet"]["recall"]


def test_a_tail_tells_rarer_events_than_were_counted() -> None:
    rng = np.random.default_rng(0)
    found = [Tail(-np.sort(-rng.exponential(1.0, 2_000)).astype(np.float32), 4.0).threshold(0.5) for _ in range(20)]
    assert np.mean(found) == pytest.approx(np.log(2_000 / 4.0 / 0.5), abs=0.4)
    tail = Tail(np.array([5, 4, 3, 2, 1, 0, -1], np.float32), 2.0)
    assert tail.promise(3.5)["counted"] == 2
    assert tail.per_hour(tail.threshold(0.25)) == pytest.approx(0.25)


def test_a_stricter_target_gives_a_higher_threshold() -> None:
    tail = Tail(np.linspace(5, -5, 100, dtype=np.float32), 3.0)
    assert tail.threshold(0.1) > tail.threshold(0.5) > tail.threshold(2.0)


def test_recall_and_what_more_recordings_bring() -> None:
    heard = Heard(np.array([1, 2, 3, -1], np.float32))
    told = heard.recall(0.0)
    assert (told["found"], told["of"]) == (3, 4)
    assert told["low"] < 0.75 < told["high"]
    halved = more_recordings(0.2, 0.1, 10)  # half as much with twice the recordings, and the usual tells a little less
    assert halved == {"20": pytest.approx(0.1 * 2**-0.85), "40": pytest.approx(0.1 * 4**-0.85)}
    assert 0.05 < more_recordings(0.1, 0.1, 10)["40"] < 0.1  # half said nothing; the usual still does
    assert more_recordings(0.05, 0.1, 10)["40"] == pytest.approx(0.1, rel=0.2)  # fewer missed with half: no promise


def test_whole_sessions_are_left_out_where_there_are_enough() -> None:
    sessions = ["a"] * 5 + ["b"] * 3 + ["c"] * 2
    parts, by = folds(sessions, np.random.default_rng(0))
    assert by == "session"
    assert all(len({p for p, s in zip(parts.tolist(), sessions, strict=True) if s == name}) == 1 for name in "abc")
    parts, by = folds(["me"] * 10, np.random.default_rng(0))
    assert by == "recording"
    assert max(np.bincount(parts)) == 3


def test_each_word_is_heard_in_new_recordings_and_not_the_other(fitted: Fitted) -> None:
    rng = np.random.default_rng(7)
    for _ in range(4):
        low_high, high_low = best_scores(fitted, tones(rng, 500, 2_000)), best_scores(fitted, tones(rng, 2_000, 500))
        assert low_high[1] > fitted.thresholds["low high"] > low_high[2]
        assert high_low[2] > fitted.thresholds["high low"] > high_low[1]


def test_short_recordings_of_what_sounds_near_teach_to_leave_it_alone(bank: Bank) -> None:
    given = {"low_high": clips(np.random.default_rng(2), 10, 500, 2_000)}
    quick = replace(QUICK, curve=False)
    near = [tones(np.random.default_rng(seed), 500, 1_500)[:12_800] for seed in range(20)]
    without = fit_words(given, BANDS, bank, settings=quick)
    taught = fit_words(given, BANDS, bank, settings=quick, negatives=near)
    new = [tones(np.random.default_rng(100 + seed), 500, 1_500) for seed in range(8)]
    before, now = (np.mean([best_scores(f, samples)[1] for samples in new]) for f in (without, taught))
    assert now < 0.5 * before
    assert taught.words["low_high"]["false_accepts"]["hours"] == without.words["low_high"]["false_accepts"]["hours"]


def test_parts_of_a_phrase_alone_are_not_heard(fitted: Fitted) -> None:
    rng = np.random.default_rng(8)
    heard = [best_scores(fitted, tones(rng, hz))[1:].max() > 0.5 for hz in (500, 2_000) for _ in range(4)]
    assert sum(heard) <= 1


def test_other_sounds_are_seldom_heard(fitted: Fitted) -> None:
    assert best_scores(fitted, speech_like(np.random.default_rng(11), 60))[1:].max() < 0.9


def test_a_fit_says_what_it_is_worth(fitted: Fitted) -> None:
    told = fitted.words["low high"]
    assert told["recordings"] == 10
    assert told["left_out_by"] == "session"
    assert told["recall"]["quiet"]["found"] >= 8
    assert told["false_accepts"]["expected_per_hour"] <= told["target_fa_per_hour"] * 1.01
    assert set(told["missed_with_more_recordings"]["quiet"]) == {"20", "40"}
    assert fitted.head.labels == ("_unknown_", "low high", "high low")
    assert fitted.head.weights.shape == (fitted.head.window * 12, 3)


def test_the_same_seed_gives_the_same_head(bank: Bank) -> None:
    given = {"low high": clips(np.random.default_rng(2), 5, 500, 2_000)}
    quick = replace(QUICK, curve=False)
    one, two = (fit_words(given, BANDS, bank, settings=quick) for _ in range(2))
    assert_array_equal(one.head.weights, two.head.weights)


def test_the_users_own_room_and_noise_go_into_the_background(bank: Bank) -> None:
    rng = np.random.default_rng(3)
    given = {"low high": clips(rng, 5, 500, 2_000)}
    room = [np.concatenate([tones(rng, 600, 1_900) for _ in range(30)])]
    quick = replace(QUICK, curve=False)
    seen: list[tuple[str, int, int]] = []
    without = fit_words(given, BANDS, bank, settings=quick)
    knowing = fit_words(
        given,
        BANDS,
        bank,
        settings=quick,
        negatives=room,
        noise=[draw_noise(rng, 60_000)],
        progress=lambda what, done, of: seen.append((what, done, of)),
    )
    assert best_scores(knowing, room[0])[1] < best_scores(without, room[0])[1]
    assert seen[4] == ("recordings embedded", 5, 5)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({}, "no recordings"),
        ({"a": 4}, "4 recordings of 'a' are too few; record at least 5"),
        ({"a": "silence"}, "holds only silence"),
        ({"a": "long"}, "s long"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(given: dict[str, Any], what: str, bank: Bank) -> None:
    made = {
        4: clips(np.random.default_rng(0), 4, 500, 900),
        "silence": [Clip(np.zeros(16_000, np.float32), "me", "a.wav")] * 5,
        "long": [Clip(tones(np.random.default_rng(0), 500, 900, seconds=2.5), "me", "a.wav")] * 5,
    }
    with pytest.raises(BadInputError, match=what):
        fit_words({word: made[key] for word, key in given.items()}, BANDS, bank, settings=QUICK)


def test_a_bank_of_another_backbone_is_refused_before_any_work(bank: Bank) -> None:
    given = {"a": clips(np.random.default_rng(0), 5, 500, 900)}
    with pytest.raises(BadInputError, match="bank was made with student"):
        fit_words(given, BANDS, replace(bank, backbone="student"), settings=QUICK)


def test_where_voices_say_the_words_what_they_said_that_sounds_near_is_no_background(tmp_path: Path) -> None:
    for name in ("near/pico_nohash_0.wav", "room.wav"):
        path = tmp_path / "_negatives_" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tones(np.random.default_rng(0), 500), RATE)
    (tmp_path / "said.json").write_text(json.dumps({"files": {"_negatives_/near/pico_nohash_0.wav": {}}}), "utf-8")
    assert len(background(tmp_path, [])) == 2
    assert len(background(tmp_path, [], from_text=True)) == 1
