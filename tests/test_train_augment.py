"""What is drawn and what is done with it: each idea of augmentation alone, and switched off."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("scipy", reason="rooms come from scipy, which the extra `train` brings")
from spotter.arrays import Floats
from train.augment import colour, masks, mixup
from train.augment.copies import Copy, draw_copy, lay
from train.augment.level import draw_levels
from train.augment.shift import draw_ends


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def sine(hz: float, seconds: float = 1.0, amplitude: float = 0.1) -> Floats:
    t = np.arange(round(seconds * 16_000)) / 16_000
    return (amplitude * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def rms_db(samples: Floats) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64))))


def pitch_hz(samples: Floats) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax()) * 16_000 / len(samples)


# -- colour, masks, level, shift -------------------------------------------------------------


def test_a_flat_microphone_changes_nothing() -> None:
    flat = colour.draw_gains(rng(), 50, 40, tilt_db=0.0, ripple_db=0.0, band_limit=0.0)
    assert flat.shape == (50, 1, 40)
    assert (flat == 1.0).all()


def test_tilt_alone_is_a_line_over_the_bands_and_ripples_are_none() -> None:
    def bend(**options: float) -> float:
        gains = colour.draw_gains(rng(), 50, 40, **{"tilt_db": 0.0, "ripple_db": 0.0, "band_limit": 0.0, **options})
        return float(np.abs(np.diff(10 * np.log10(gains), n=2)).max())

    assert bend(tilt_db=4.0) < 1e-4
    assert bend(ripple_db=2.0) > 1e-2


def test_band_limits_take_away_edges_in_the_drawn_share_of_recordings() -> None:
    gains = 10 * np.log10(colour.draw_gains(rng(), 2_000, 40, tilt_db=0.0, ripple_db=0.0, band_limit=0.25))[:, 0]
    assert (gains <= 1e-6).all()
    assert np.mean(gains[:, 0] < -3.0) == pytest.approx(0.25, abs=0.04)
    assert np.mean(gains[:, -1] < -3.0) == pytest.approx(0.23, abs=0.04)  # now and then just the last band stays
    assert (gains[:, 15:25] == 0.0).all()


def test_masks_blank_just_what_was_drawn_for_them() -> None:
    boxes = masks.draw_masks(rng(), 40, 100, 40, share=0.5)
    rows = set(boxes[:, 0].tolist())
    assert 10 < len(rows) < 30
    frames = np.ones((40, 100, 40), np.float32)
    masks.blank(frames, boxes, -5.0)
    assert {int(row) for row in np.flatnonzero((frames == -5.0).any(axis=(1, 2)))} == rows
    bands_lost = (frames == -5.0).all(axis=1).sum(axis=1)
    assert bands_lost.max() <= 5
    assert (frames == -5.0).mean() < 0.2
    assert not len(masks.draw_masks(rng(), 40, 100, 40, share=0.0))


def test_levels_are_drawn_between_60_and_12_db_under_full_scale_or_left_as_they_are() -> None:
    own = np.full(3_000, 0.5, np.float32)
    db = 10 * np.log10(draw_levels(rng(), own))
    assert db.min() > -60.0
    assert db.max() < -12.0
    assert np.mean(db < -45.0) == pytest.approx(0.15, abs=0.02)
    assert (draw_levels(rng(), own, share=0.0) == own).all()
    assert np.mean(draw_levels(rng(), own, share=0.5) == 0.5) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize(("share", "low", "high"), [(1.0, 100, 240), (0.5, 135, 205), (0.0, 170, 171)])
def test_words_end_in_the_share_of_the_range_that_is_asked_for(share: float, low: int, high: int) -> None:
    ends = draw_ends(rng(), 5_000, 100, 240, share=share)
    assert (ends.min(), ends.max() + 1) == (low, high)


# -- mixup -----------------------------------------------------------------------------------


def plan(below_db: float, *, partners_labels: bool = False) -> mixup.Plan:
    return mixup.Plan(np.array([0]), np.array([1]), np.array([below_db]), np.array([partners_labels]))


def sequences() -> tuple[Floats, npt.NDArray[np.intp]]:
    power = np.stack([np.full((10, 4), 2.0), np.full((10, 4), 8.0), np.zeros((10, 4))]).astype(np.float32)
    return power, np.array([[7, 7], [9, 5], [1, 1]])


@pytest.mark.parametrize(("below_db", "added"), [(0.0, 2.0), (10.0, 0.2)])
def test_a_partner_is_laid_under_a_sequence_so_far_below_it(below_db: float, added: float) -> None:
    power, codes = sequences()
    before = power.copy()
    mixup.blend(power, codes, plan(below_db))
    np.testing.assert_allclose(power[0], before[0] + added, rtol=1e-5)
    assert np.array_equal(power[1:], before[1:])


def test_a_sequence_keeps_its_labels_or_takes_all_of_its_partners() -> None:
    for taken, wanted in ((False, [7, 7]), (True, [9, 5])):
        power, codes = sequences()
        mixup.blend(power, codes, plan(0.0, partners_labels=taken))
        assert codes.tolist() == [wanted, [9, 5], [1, 1]]


def test_two_that_are_mixed_with_each_other_each_get_the_other_as_it_was() -> None:
    power, codes = sequences()
    both = mixup.Plan(np.array([0, 1]), np.array([1, 0]), np.zeros(2), np.array([True, True]))
    mixup.blend(power, codes, both)
    np.testing.assert_allclose(power[:2, 0, 0], [4.0, 16.0], rtol=1e-5)
    assert codes.tolist() == [[9, 5], [7, 7], [1, 1]]


def test_silence_as_a_partner_adds_nothing_and_no_value_is_lost() -> None:
    power, codes = sequences()
    mixup.blend(power, codes, mixup.Plan(np.array([0, 2]), np.array([2, 0]), np.zeros(2), np.zeros(2, bool)))
    assert np.isfinite(power).all()
    assert (power[0] == 2.0).all()


def test_labels_are_taken_from_the_partner_by_its_share_of_the_power_and_never_when_it_is_10_db_below() -> None:
    db = np.array([0.0, 5.0, 9.99, 10.0, 20.0])
    np.testing.assert_allclose(mixup.share_of_partner(db), [0.5, 0.2403, 0.0911, 0.0, 0.0], atol=1e-4)
    drawn = mixup.draw_mixup(rng(), 20_000, share=1.0)
    clear = drawn.below_db >= mixup.CLEAR_DB
    assert not drawn.partners_labels[clear].any()
    assert drawn.partners_labels[drawn.below_db < 1.0].mean() == pytest.approx(0.47, abs=0.04)


def test_mixup_takes_its_share_of_a_batch_and_nobody_is_mixed_with_himself() -> None:
    drawn = mixup.draw_mixup(rng(), 1_000, share=0.2)
    assert len(drawn.rows) == pytest.approx(200, abs=40)
    assert (drawn.rows != drawn.partners).all()
    assert drawn.partners.max() < 1_000
    assert not len(mixup.draw_mixup(rng(), 1_000, share=0.0).rows)
    assert not len(mixup.draw_mixup(rng(), 1, share=1.0).rows)


# -- copies in samples -----------------------------------------------------------------------

NOISE = {"noise/a.wav": sine(3_000.0, 0.3), "noise/b.wav": np.full(50, 0.2, np.float32)}


def test_a_copy_that_differs_in_nothing_is_the_recording() -> None:
    assert np.array_equal(lay(sine(440.0), Copy(), {}), sine(440.0))


def test_a_faster_copy_is_shorter_and_higher() -> None:
    fast = lay(sine(1_000.0), Copy(number=1, speed=1.1), {})
    assert len(fast) == pytest.approx(16_000 / 1.1, abs=2)
    assert pitch_hz(fast) == pytest.approx(1_100.0, abs=3.0)


def test_gain_and_noise_of_a_copy_are_in_decibels_and_noise_that_is_too_short_goes_on() -> None:
    plain = sine(440.0)
    louder = lay(plain, Copy(number=1, gain_db=6.0), {})
    assert rms_db(louder) - rms_db(plain) == pytest.approx(6.0, abs=0.01)
    noisy = lay(plain, Copy(number=1, noise="noise/a.wav", noise_at=100, snr_db=10.0), NOISE)
    assert rms_db(noisy - plain) - rms_db(plain) == pytest.approx(-10.0, abs=0.1)
    assert pitch_hz((noisy - plain)[12_000:]) == pytest.approx(3_000.0, abs=10.0)


def test_a_copy_in_a_room_rings_on_and_never_goes_beyond_full_scale() -> None:
    wet = lay(sine(440.0), Copy(number=1, room=7), {})
    assert len(wet) > 16_000
    assert np.abs(wet[16_100:]).max() > 1e-4
    assert np.abs(lay(sine(440.0), Copy(number=1, gain_db=60.0), {})).max() <= 1.0


def test_what_is_drawn_for_a_copy_makes_the_same_samples_again() -> None:
    speech = sine(440.0)
    drawn = [draw_copy(rng(seed), 1, speech, NOISE) for seed in range(60)]
    assert drawn == [draw_copy(rng(seed), 1, speech, NOISE) for seed in range(60)]
    assert 10 < sum(c.room is not None for c in drawn) < 50
    assert 20 < sum(c.snr_db is not None for c in drawn) < 50
    assert all(0.9 <= c.speed <= 1.1 for c in drawn)
    assert all(-45.1 <= rms_db(speech) + c.gain_db <= -14.9 for c in drawn)
    full = next(c for c in drawn if c.room is not None and c.snr_db is not None)
    assert np.array_equal(lay(speech, full, NOISE), lay(speech, dataclasses.replace(full), NOISE))
    assert all(c.snr_db is None for c in (draw_copy(rng(seed), 1, speech, {}) for seed in range(20)))
