"""The front-end: scipy is its oracle, and blocks do not matter."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.errors import ModelError
from spotter.frontend import Frontend, StreamingFrontend, hann, mel_matrix
from spotter.settings import TUTORIAL, FrontendConfig, as_dict

DEFAULT = FrontendConfig()
PINNED = [6.8044, 7.2925, 7.2408, -10.9977]
PINNED_BANDS = [3, 19, 27]
NOISE = np.random.default_rng(7).standard_normal(16_000).astype(np.float32) * 0.1


@pytest.mark.parametrize(("config", "shape"), [(DEFAULT, (98, 40)), (TUTORIAL, (124, 129))])
def test_one_second_has_the_documented_shape(config: FrontendConfig, shape: tuple[int, int]) -> None:
    frames = Frontend(config)(NOISE)
    assert frames.shape == shape
    assert frames.dtype == np.float32


def test_log_mel_equals_scipys_spectrogram_through_the_mel_matrix() -> None:
    _, _, spectrum = scipy.signal.stft(
        NOISE.astype(np.float64),
        window=scipy.signal.get_window("hann", 400),
        nperseg=400,
        noverlap=240,
        nfft=512,
        boundary=None,
        padded=False,
        scaling="spectrum",
    )
    power = np.abs(spectrum.T * scipy.signal.get_window("hann", 400).sum()) ** 2
    wanted = np.log(power @ mel_matrix(DEFAULT).T.astype(np.float64) + 1e-6)
    np.testing.assert_allclose(Frontend(DEFAULT)(NOISE), wanted, atol=2e-4)


def test_the_tutorials_spectrogram_equals_scipys() -> None:
    # tf.signal.hann_window(255, periodic=True) is symmetric: its length is odd.
    window = scipy.signal.get_window("hann", 255, fftbins=False)
    _, _, spectrum = scipy.signal.stft(
        NOISE.astype(np.float64), window=window, nperseg=255, noverlap=127, nfft=256, boundary=None, padded=False
    )
    np.testing.assert_allclose(Frontend(TUTORIAL)(NOISE), np.abs(spectrum.T) * window.sum(), atol=1e-4)


def test_hann_windows_equal_scipys() -> None:
    np.testing.assert_allclose(hann(DEFAULT), scipy.signal.get_window("hann", 400), atol=1e-7)
    np.testing.assert_allclose(hann(TUTORIAL), scipy.signal.get_window("hann", 255, fftbins=False), atol=1e-7)


def test_neighbouring_mel_triangles_add_up_to_one_between_their_peaks() -> None:
    matrix = mel_matrix(DEFAULT)
    hz = np.arange(257) * 31.25
    inside = (hz > 120) & (hz < 7_000)
    np.testing.assert_allclose(matrix.sum(axis=0)[inside], 1.0, atol=1e-5)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 4_000), min_size=1, max_size=40), st.sampled_from([DEFAULT, TUTORIAL]))
def test_blocks_of_any_sizes_give_the_same_frames_to_the_bit(sizes: list[int], config: FrontendConfig) -> None:
    streaming = StreamingFrontend(config)
    parts, at = [], 0
    for size in sizes:
        parts.append(streaming.push(NOISE[at : at + size]))
        at += size
    heard = NOISE[: min(at, len(NOISE))]
    assert np.array_equal(np.concatenate(parts), Frontend(config)(heard))


@settings(max_examples=20)
@given(st.lists(st.integers(1, 9_000), min_size=1, max_size=20), st.integers(1, 120), st.integers(1, 30))
def test_frames_come_in_whole_steps_and_are_the_same(sizes: list[int], first: int, step: int) -> None:
    streaming = StreamingFrontend(DEFAULT, first, step, at_once_s=0.3)
    frames, at = np.empty((0, 40), np.float32), 0
    for size in sizes:
        frames = np.concatenate((frames, streaming.push(NOISE[at : at + size])))
        at = min(at + size, len(NOISE))
        there = DEFAULT.frames_in(at)
        assert len(frames) == (first + (there - first) // step * step if there >= first else 0)
    assert np.array_equal(frames, Frontend(DEFAULT)(NOISE)[: len(frames)])


def test_after_reset_the_front_end_is_as_new() -> None:
    streaming = StreamingFrontend(DEFAULT)
    streaming.push(NOISE[:777])
    streaming.reset()
    assert np.array_equal(streaming.push(NOISE), Frontend(DEFAULT)(NOISE))


def test_fewer_samples_than_a_frame_give_no_frame() -> None:
    assert Frontend(DEFAULT)(NOISE[:399]).shape == (0, 40)


def test_silence_is_the_floor_and_nothing_is_infinite() -> None:
    frames = Frontend(DEFAULT)(np.zeros(16_000, np.float32))
    np.testing.assert_allclose(frames, np.log(1e-6), rtol=1e-6)


def test_the_output_on_fixed_input_is_pinned() -> None:
    t = np.arange(16_000) / 16_000
    chirp = (0.3 * np.sin(2 * np.pi * (200 + 1_500 * t) * t)).astype(np.float32)
    frames = Frontend(DEFAULT)(chirp)
    np.testing.assert_allclose(
        [frames[0].max(), frames[50].max(), frames[97].max(), frames.mean()],
        PINNED,
        atol=1e-3,
    )
    assert [int(frames[i].argmax()) for i in (0, 50, 97)] == PINNED_BANDS


def test_the_configuration_survives_the_manifest() -> None:
    assert FrontendConfig.from_dict(as_dict(TUTORIAL)) == TUTORIAL


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"pcen": True}, "pcen"),
        ({"kind": "mfcc"}, "mfcc"),
        ({"window": "blackman"}, "blackman"),
        ({"sample_rate": 8_000}, "8000"),
        ({"hop_samples": 0}, "hop"),
        ({"fft_size": 256}, "256"),
        ({"high_hz": 9_000.0}, "9000"),
        ({"mel_bands": "forty"}, "mel_bands"),
    ],
)
def test_a_front_end_that_cannot_be_computed_is_refused(change: dict[str, object], named: str) -> None:
    with pytest.raises(ModelError, match=named):
        FrontendConfig.from_dict({**as_dict(DEFAULT), **change})
