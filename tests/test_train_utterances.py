"""Utterances are found and cut whole, and what is wrong with a take is said with what to do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.arrays import Floats
from tests.spoken import RATE, babble, room, said, talk
from train.recording.quality import judge
from train.recording.takes import look
from train.recording.utterances import ROOM_S, find


@settings(max_examples=30)
@given(
    pads=st.lists(st.floats(0.5, 2.5), min_size=2, max_size=5),
    lengths=st.lists(st.floats(0.15, 1.5), min_size=4, max_size=4),
    peaks=st.lists(st.floats(0.05, 0.9), min_size=4, max_size=4),
    hz=st.sampled_from((120.0, 300.0, 1_000.0, 4_000.0)),
)
def test_each_utterance_between_silences_is_found_whole_and_in_order(
    pads: list[float], lengths: list[float], peaks: list[float], hz: float
) -> None:
    parts: list[Floats] = [room(pads[0])]
    truth = []
    for at, pad in enumerate(pads[1:]):
        begin = sum(map(len, parts))
        parts += [said(lengths[at], peaks[at], hz), room(pad, seed=at + 1)]
        truth.append((begin, begin + round(lengths[at] * RATE)))
    samples = np.concatenate(parts)
    found = find(samples)
    assert len(found) == len(truth)
    for utterance, (begin, end) in zip(found, truth, strict=True):
        assert abs(utterance.first - begin) < 0.05 * RATE
        assert abs(utterance.last - end) < 0.05 * RATE
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    kept = np.zeros(len(samples), np.bool_)
    for utterance in found:
        assert not kept[utterance.begin : utterance.end].any()  # cuts never overlap
        kept[utterance.begin : utterance.end] = True
        assert utterance.begin <= utterance.first < utterance.last <= utterance.end
    assert kept[loud].all()


@given(st.floats(0.0, 1.0), st.integers(0, 3))
@settings(max_examples=20)
def test_an_offset_and_hum_change_nothing(offset: float, seed: int) -> None:
    clean = talk(1.0, said(), 0.8)
    times = np.arange(len(clean)) / RATE
    dirty = clean + np.float32(offset * 0.2) + (0.004 * np.sin(2 * np.pi * 50 * times)).astype(np.float32)
    dirty += room(len(clean) / RATE, 1e-4, seed)[: len(clean)]
    assert len(find(dirty)) == 1


def test_room_is_kept_on_both_sides_where_there_is_any() -> None:
    (one,) = find(talk(1.0, said(), 1.0))
    assert (one.first - one.begin) / RATE == pytest.approx(ROOM_S, abs=0.001)
    assert (one.end - one.last) / RATE == pytest.approx(ROOM_S, abs=0.001)
    (tight,) = find(talk(0.05, said(), 0.1))
    assert tight.begin == 0


def test_neighbours_share_the_pause_between_them_and_the_pause_decides_what_is_one() -> None:
    samples = talk(1.0, said(), 0.3, said(), 1.0)
    assert len(find(samples, pause_s=0.4)) == 1
    first, second = find(samples, pause_s=0.2)
    assert first.end == second.begin


@pytest.mark.parametrize(
    "samples", [np.zeros(0, np.float32), np.zeros(9, np.float32), np.zeros(RATE, np.float32), room(2.0), room(2.0, 0.1)]
)
def test_silence_and_steady_noise_hold_nothing(samples: Floats) -> None:
    assert find(samples) == []


def test_a_click_is_no_word_but_the_release_of_a_t_belongs_to_one() -> None:
    click = said(0.03, 0.5, 3_000.0)
    assert find(talk(1.0, click, 1.0)) == []
    (one,) = find(talk(1.0, said(), 0.09, click, 1.0))
    assert one.seconds > 0.6


def test_digital_silence_around_a_noisy_recording_is_not_its_floor() -> None:
    zeros = np.zeros(RATE, np.float32)
    (one,) = find(np.concatenate((zeros, room(1.0, 3e-3), said(), room(1.0, 3e-3), zeros)))
    assert one.seconds == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    ("samples", "problem", "advice"),
    [
        (talk(0.6, said(), 0.6), "", ""),
        (talk(0.6, said(), 0.6) * np.float32(0.008), "quiet", "come nearer"),
        (np.clip(talk(0.6, said(peak=3.0), 0.6), -1, 1), "clipped", "go further away"),
        (np.concatenate((said()[2_000:], room(0.6))), "cut off", "begin after the signal"),
        (np.concatenate((room(0.6), said()[:-2_000])), "cut off", "speak on at once"),
        (room(1.7, 0.05) + talk(0.6, said(peak=0.25), 0.6), "noise", "switch off what makes it"),
        (room(2.0, 0.05), "noise", "switch off what makes it"),
        (room(2.0), "silence", "say it after the signal"),
        (np.zeros(RATE, np.float32), "zeros", "switch the microphone on"),
        (talk(0.6, said(), 0.6, said(), 0.6), "several", "say it once"),
        (talk(0.6, babble(9.9), 0.6), "long", "choose a shorter phrase"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_with_a_take_is_said_with_what_to_do(samples: Floats, problem: str, advice: str) -> None:
    heard = look(samples, "hey robot")
    assert heard.problem == problem
    assert advice in heard.sentence
    assert (heard.clip is None) == bool(problem)


def test_a_long_phrase_may_take_longer_than_a_word() -> None:
    samples = talk(0.6, babble(3.0), 0.6)
    assert look(samples, "go").problem == "long"
    assert look(samples, "good morning little robot").problem == ""


def test_a_click_or_a_breath_is_too_short_for_a_phrase_and_not_for_a_word_of_two_letters() -> None:
    samples = talk(0.6, said(0.2), 0.6)
    heard = look(samples, "smart mirror")
    assert (heard.problem, heard.clip) == ("short", None)
    assert "0.40 s at least" in heard.sentence
    assert look(samples, "go").problem == ""


def test_a_cough_beside_the_word_is_left_out_of_the_cut() -> None:
    samples = talk(0.6, said(0.15), 0.8, said(0.6), 0.8)
    heard = look(samples, "lamp")
    assert heard.clip is not None
    assert len(heard.clip) / RATE == pytest.approx(0.6 + 2 * ROOM_S, abs=0.06)


def test_levels_are_those_of_the_word_and_of_the_room() -> None:
    samples = talk(1.0, said(peak=0.5), 1.0)
    quality = judge(samples, find(samples)[0])
    assert quality.loudest_dbfs == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.5)
    assert quality.floor_dbfs == pytest.approx(-60.0, abs=1.0)
