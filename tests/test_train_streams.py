"""Streams with known words: how they are mixed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import tone

pytest.importorskip("scipy", reason="the extra `train` brings it")
from spotter.arrays import Floats
from spotter.settings import SAMPLE_RATE
from tests.stream_parts import clip_of, rms, rows_of
from train.stream_kinds import Material, is_of, lacking, make
from train.stream_layouts import in_groups, in_running_speech
from train.streams import span, words_in_noise


def test_a_words_span_is_where_20_ms_frames_are_within_30_db_of_its_loudest() -> None:
    clip = np.zeros(16_000, np.float32)
    clip[3_200:9_600] = 0.5  # 0.2 to 0.6 s
    clip[9_600:11_200] = 0.5 * 10 ** (-29 / 20)  # still within
    clip[11_200:12_800] = 0.5 * 10 ** (-31 / 20)  # no more
    assert span(clip) == (3_200, 11_200)


def test_each_word_is_as_far_above_the_noise_under_it_as_was_asked(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, {"yes1": clip_of("yes"), "yes2": 0.1 * clip_of("yes"), "no1": clip_of("no")})
    noise = rows_of(tmp_path, {"hiss": np.random.default_rng(1).standard_normal(40 * 16_000).astype(np.float32) * 0.1})
    stream = words_in_noise(rows, noise, np.random.default_rng(5), snr_db=10.0)
    assert len(stream.words) == 3
    for w in stream.words:
        first, last = round(w.start * SAMPLE_RATE), round(w.end * SAMPLE_RATE)
        assert last - first == 6_400
        # Power adds: 10 dB of word over noise is 11 times the noise's power.
        around = np.concatenate((stream.samples[first - 8_000 : first], stream.samples[last : last + 8_000]))
        assert (rms(stream.samples[first:last]) / rms(around)) ** 2 == pytest.approx(11.0, rel=0.1)


def test_words_in_noise_are_those_that_earlier_figures_were_measured_on(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, {f"yes{n}": clip_of("yes", 0.1 * n) for n in range(4)})
    stream = words_in_noise(rows, [], np.random.default_rng(0), snr_db=None)
    assert [round(w.start, 4) for w in stream.words] == [2.3639, 4.23, 9.5831, 15.4341]
    assert len(stream.samples) == 344_970


def test_a_room_leaves_the_span_of_a_word_as_it_was_said(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, {"yes1": clip_of("yes"), "no1": clip_of("no")})

    def echo(clip: Floats, _: np.random.Generator) -> Floats:
        return np.concatenate((clip, 0.5 * clip[-12_000:])).astype(np.float32)

    dry = words_in_noise(rows, [], np.random.default_rng(2), snr_db=None)
    wet = words_in_noise(rows, [], np.random.default_rng(2), snr_db=None, room=echo)
    assert dry.words == wet.words
    assert not np.array_equal(dry.samples, wet.samples)


def test_words_in_running_speech_have_no_pause_around_them(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, {f"yes{n}": clip_of("yes") for n in range(4)})
    talk = (0.05 * np.random.default_rng(0).standard_normal(60 * 16_000)).astype(np.float32)
    spoken = rows_of(tmp_path, {"talk": talk})
    stream = in_running_speech(rows, spoken, np.random.default_rng(0))
    assert len(stream.words) == 4
    for w in stream.words:
        first, last = round(w.start * SAMPLE_RATE), round(w.end * SAMPLE_RATE)
        for edge in (stream.samples[first - 1_600 : first - 160], stream.samples[last + 160 : last + 1_600]):
            assert rms(edge) > 0.02
        assert rms(stream.samples[first:last]) == pytest.approx(0.05, rel=0.6)  # give or take 3 dB


def test_words_in_groups_come_right_after_one_another(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, {f"yes{n}": clip_of("yes") for n in range(9)})
    words = in_groups(rows, np.random.default_rng(0)).words
    gaps = np.array([b.start - a.end for a, b in pairwise(words)])
    assert ((gaps <= 0.1) | (gaps >= 2.0)).all()
    assert (gaps <= 0.1).any()
    assert (gaps >= 2.0).any()


def test_speech_in_noise_is_the_speech_as_far_above_the_noise_as_was_asked(tmp_path: Path) -> None:
    talk = rows_of(tmp_path, {"talk1": tone("yes", 3.0), "talk2": tone("no", 2.0)})
    noise = rows_of(tmp_path, {"noise": (0.1 * np.random.default_rng(0).standard_normal(64_000)).astype(np.float32)})
    material = Material(keywords=("yes",), speech=talk, noise=noise, snrs_db=(10.0, 0.0))
    ((_, _, clean),) = make("speech-english", material, seed=0)
    made = {name: (kind, stream) for name, kind, stream in make("speech-noise", material, seed=0)}
    assert [kind for kind, _ in made.values()] == ["speech-10db", "speech-0db"]
    for snr_db, name in ((10.0, "speech-10db-1"), (0.0, "speech-0db-1")):
        added = made[name][1].samples - clean.samples
        assert 20 * np.log10(rms(clean.samples) / rms(added)) == pytest.approx(snr_db, abs=0.1)
        assert made[name][1].words == ()
        assert is_of(name, "speech-noise", material)
    assert lacking("speech-noise", Material(keywords=("yes",), speech=talk)) == "--noise"
    assert lacking("speech-noise", Material(keywords=("yes",), noise=noise)) == "--speech"


def test_the_stream_of_tensorflow_has_200_words_in_600_s_a_third_of_them_unknown(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, {"yes": clip_of("yes"), "no": clip_of("no"), "cat": clip_of("no")})
    (_, kind, stream), *_ = make("tensorflow", Material(keywords=("yes", "no"), words=rows, noise=rows), seed=0)
    assert kind == "tensorflow"
    assert stream.seconds == 600.0
    assert len(stream.words) == 200
    assert 40 <= sum(w.word == "cat" for w in stream.words) <= 80
    begins = [w.start - 0.2 for w in stream.words]  # of the clips
    assert all(3 * n - 1e-3 <= at < 3 * n + 2 for n, at in enumerate(begins))


def test_the_stream_of_mlperf_has_50_words_in_the_first_half_and_a_speaker_alone_in_the_second(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = rows_of(tmp_path, {"yes": clip_of("yes")})
    talk = rows_of(tmp_path, {"talk": (0.05 * rng.standard_normal(32_000)).astype(np.float32)})
    material = Material(keywords=("yes",), words=rows, speech=talk, noise=talk)
    (_, _, stream), *_ = make("mlperf", material, seed=0)
    assert stream.seconds == 1_200.0
    assert len(stream.words) == 50
    assert stream.words[-1].start == pytest.approx(570.0, abs=0.01)
    assert min(b.start - a.start for a, b in pairwise(stream.words)) > 2.0
    assert np.abs(stream.samples).max() == 1.0
    quiet, last = stream.samples[:16_000], stream.samples[700 * 16_000 :]
    assert not quiet.any()
    assert rms(last) > 0.1
