"""Utterances of own words: where they lie, what is around them, and copies of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_allclose, assert_array_equal

from spotter.errors import BadInputError
from tests.own_material import RATE, tones
from train.own.clips import utterance
from train.own.copies import Variety, varied
from train.own.made_noise import draw_noise
from train.own.material import MaterialPlan, scenes
from train.own.recordings import own_recordings
from train.own.scene import Scene, grown, part, surrounded


def test_an_utterance_is_found_where_it_stands_out() -> None:
    samples = np.random.default_rng(0).normal(0, 1e-3, 32_000).astype(np.float32)
    samples[9_000:15_000] += np.sin(np.arange(6_000) / 4).astype(np.float32) * 0.2
    first, end = utterance(samples)
    assert abs(first - 9_000) < 1_000
    assert abs(end - 15_000) < 1_000


def test_a_pause_inside_a_phrase_does_not_cut_it() -> None:
    samples = np.zeros(32_000, np.float32)
    for at in (8_000, 14_000):  # 0.19 s between them
        samples[at : at + 3_000] = np.sin(np.arange(3_000) / 4) * 0.2
    first, end = utterance(samples)
    assert first < 8_100
    assert end > 16_900


def test_silence_holds_no_utterance() -> None:
    assert utterance(np.zeros(16_000, np.float32)) == (0, 0)
    assert utterance(np.zeros(10, np.float32)) == (0, 0)


def test_a_recording_that_is_all_sound_is_left_out_among_good_ones_and_a_phrase_too_long_is_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    (tmp_path / "low").mkdir()
    for n in range(3):
        soundfile.write(tmp_path / "low" / f"me_nohash_{n}.wav", tones(rng, 500), RATE)
    soundfile.write(tmp_path / "low" / "me_nohash_3.wav", tones(rng, 500, seconds=3.4), RATE)

    found = own_recordings(tmp_path, ["low"])

    assert len(found.words["low"]) == 3
    assert "me_nohash_3.wav holds 3." in found.left_out[0]
    for n in range(3):
        (tmp_path / "low" / f"me_nohash_{n}.wav").unlink()
    with pytest.raises(BadInputError, match="3 s is the longest"):
        scenes("low", own_recordings(tmp_path, ["low"]).words["low"], MaterialPlan())


def test_what_was_recorded_around_an_utterance_stays_and_the_rest_is_its_own_floor() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.01, 12_000).astype(np.float32)
    samples[4_000:8_000] += 0.3
    scene = surrounded(rng, Scene(samples, 4_000, 8_000), 30_000, 9_000)
    assert (scene.first, scene.end, len(scene.samples)) == (30_000, 34_000, 43_000)
    assert_array_equal(scene.samples[27_000:37_000], samples[1_000:11_000])
    assert_allclose(scene.samples[:25_000].std(), 0.01, rtol=0.2)


def test_a_recording_of_digital_silence_gets_a_faint_hiss() -> None:
    hiss = grown(np.random.default_rng(0), np.zeros(4_000, np.float32), 8_000)
    assert 1e-5 < hiss.std() < 1e-3


@pytest.mark.parametrize(("first", "end", "silent"), [(0.0, 0.5, slice(7_000, 8_000)), (0.5, 1.0, slice(4_000, 5_000))])
def test_a_part_of_an_utterance_leaves_floor_in_the_place_of_the_rest(first: float, end: float, silent: slice) -> None:
    samples = np.random.default_rng(0).normal(0, 1e-3, 12_000).astype(np.float32)
    samples[4_000:8_000] += 0.3
    half = part(np.random.default_rng(0), Scene(samples, 4_000, 8_000), first, end)
    assert np.abs(half.samples[silent]).max() < 0.05
    assert np.abs(half.samples[4_000:8_000]).max() > 0.25


def test_a_copy_is_drawn_again_from_the_same_seed_and_never_clips() -> None:
    scene = Scene(tones(np.random.default_rng(0), 500, 900), 4_000, 12_000)
    one, two = (varied(np.random.default_rng(3), scene) for _ in range(2))
    assert_array_equal(one.samples, two.samples)
    assert np.abs(one.samples).max() <= 1.0
    assert not np.array_equal(one.samples, varied(np.random.default_rng(4), scene).samples)


def test_noise_that_is_given_takes_the_place_of_made_up_noise() -> None:
    scene = Scene(tones(np.random.default_rng(0), 500, 900), 4_000, 12_000)
    only = Variety(
        slowest=1, fastest=1, in_room_share=0, tilted_share=0, noisy_share=1, lowest_snr_db=0, highest_snr_db=0
    )
    hum = np.sin(np.arange(40_000) * (2 * np.pi * 3_000 / RATE)).astype(np.float32)
    heard = varied(np.random.default_rng(0), scene, [hum], only).samples
    spectrum = np.abs(np.fft.rfft(heard[-6_000:]))
    assert spectrum.argmax() == pytest.approx(3_000 * 6_000 / RATE, abs=2)


def test_noise_may_begin_only_shortly_before_the_utterance_and_lasts_to_its_end() -> None:
    samples = np.zeros(30_000, np.float32)
    samples[20_000:28_000] = tones(np.random.default_rng(0), 500, 900)[:8_000]
    late = Variety(slowest=1, fastest=1, in_room_share=0, tilted_share=0, noisy_share=1, late_share=1)
    begins = []
    for seed in range(20):
        heard = varied(np.random.default_rng(seed), Scene(samples, 20_000, 28_000), (), late).samples
        begins.append(int(np.flatnonzero(np.abs(heard) > 1e-6)[0]))
        assert np.abs(heard[-2_000:]).max() > 1e-6
    assert max(begins) < 20_100
    assert np.ptp(begins) > 8_000


def test_made_up_noise_has_a_level_of_one_and_no_two_are_alike() -> None:
    rng = np.random.default_rng(0)
    many = [draw_noise(rng, 8_000) for _ in range(12)]
    assert_allclose([n.std() for n in many], 1.0, atol=0.1)
    assert len({round(float(np.abs(np.diff(n)).mean()), 3) for n in many}) == 12
