"""The resampler: blocks of any size give what the whole recording gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.errors import BadInputError
from spotter.resample import Resampler

RATES = (8_000, 16_000, 44_100, 48_000, 96_000)


def noise(frames: int, channels: int) -> np.ndarray:
    return np.random.default_rng(frames + channels).standard_normal((frames, channels)).astype(np.float32) * 0.2


def in_pieces(resampler: Resampler, frames: np.ndarray, sizes: list[int]) -> np.ndarray:
    out, at = [], 0
    for size in sizes:
        out.append(resampler.push(frames[at : at + size]).copy())
        at += size
    out.extend((resampler.push(frames[at:]).copy(), resampler.finish()))
    return np.concatenate(out)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("channels", [1, 2, 6])
@settings(max_examples=15)
@given(sizes=st.lists(st.integers(0, 3_000), max_size=12))
def test_any_partition_gives_the_same_bits(rate: int, channels: int, sizes: list[int]) -> None:
    frames = noise(rate // 3, channels)
    whole = in_pieces(Resampler(rate, channels), frames, [])
    assert np.array_equal(in_pieces(Resampler(rate, channels), frames, sizes), whole)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("block", [1, 160, 441])
def test_small_blocks_give_the_same_bits(rate: int, block: int) -> None:
    frames = noise(4_000, 2)
    whole = in_pieces(Resampler(rate, 2), frames, [])
    assert np.array_equal(in_pieces(Resampler(rate, 2), frames, [block] * (4_000 // block)), whole)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_it_equals_soxr_on_the_whole_recording(rate: int, channels: int) -> None:
    frames = noise(rate, channels)
    got = in_pieces(Resampler(rate, channels), frames, [1_000] * 50)
    wanted = soxr.resample(frames.astype(np.float64).mean(axis=1), rate, 16_000)
    assert len(got) == 16_000
    np.testing.assert_allclose(got, wanted, atol=2e-6)


def test_at_16_khz_samples_pass_unchanged() -> None:
    frames = noise(5_000, 1)
    assert np.array_equal(in_pieces(Resampler(16_000, 1), frames, [160] * 20), frames[:, 0])


@pytest.mark.parametrize("rate", RATES)
def test_a_click_stays_at_its_time(rate: int) -> None:
    frames = np.zeros((rate, 1), np.float32)
    frames[rate // 2] = 1.0
    got = in_pieces(Resampler(rate, 1), frames, [500] * 20)
    assert abs(int(np.argmax(got)) - 8_000) <= 1


@pytest.mark.parametrize("rate", RATES)
def test_reset_and_finish_leave_it_as_new(rate: int) -> None:
    frames = noise(rate // 2, 2)
    wanted = in_pieces(Resampler(rate, 2), frames, [])
    used = Resampler(rate, 2)
    used.push(noise(777, 2))
    used.reset()
    assert np.array_equal(in_pieces(used, frames, [100] * 30), wanted)
    assert np.array_equal(in_pieces(used, frames, []), wanted)


def test_finishing_with_nothing_gives_nothing() -> None:
    for rate in RATES:
        assert len(Resampler(rate, 1).finish()) == 0


def test_mono_may_come_flat() -> None:
    frames = noise(3_000, 1)
    a, b = Resampler(48_000, 1), Resampler(48_000, 1)
    assert np.array_equal(a.push(frames[:, 0]), b.push(frames))


@pytest.mark.parametrize(
    ("rate", "channels", "hint"),
    [
        (0, 1, "1000 to"),
        (10**6, 1, "1000 to"),
        (16_000, 0, "1 or"),
        (float("nan"), 1, "1000 to"),
        (44_100.5, 1, "whole"),
        ("16k", 1, "no number"),
        (16_000, 65, r"shape \(samples, channels\)"),
    ],
)
def test_what_no_sound_has_is_refused(rate: Any, channels: int, hint: str) -> None:
    with pytest.raises(BadInputError, match=hint):
        Resampler(rate, channels)


@pytest.mark.parametrize("rate", [48_000.0, np.int32(48_000), np.float32(48_000)])
def test_a_whole_rate_may_be_any_kind_of_number(rate: Any) -> None:
    frames = noise(3_000, 1)
    resampler = Resampler(rate, 1)
    assert type(resampler.sample_rate) is int
    assert np.array_equal(in_pieces(resampler, frames, []), in_pieces(Resampler(48_000, 1), frames, []))


def test_other_channels_than_agreed_are_refused() -> None:
    with pytest.raises(BadInputError, match="agreed"):
        Resampler(16_000, 2).push(np.zeros((5, 1), np.float32))
