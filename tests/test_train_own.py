"""Own words from few recordings: utterances, copies, the bank of background, heads and their figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_allclose, assert_array_equal

from spotter.arrays import Floats
from spotter.backbone import Backbone
from spotter.errors import BadInputError, ModelError
from train.cli import main
from train.data import spoken_words, vocabulary
from train.own import make_bank as making
from train.own.bank import FOLDS, Bank, Packed, Packing, fold_of, read_bank, write_bank
from train.own.calibrate import Heard, Tail, more_recordings
from train.own.clips import Clip, utterance
from train.own.copies import Variety, varied
from train.own.fit_words import Fitted, OwnWords, fit_words
from train.own.head import HeadFit
from train.own.made_noise import draw_noise
from train.own.material import MaterialPlan, scenes
from train.own.recordings import own_recordings
from train.own.scene import Scene, grown, part, surrounded
from train.own.windows import NEVER, Line, laid, peaks
from train.own.word import WordFit, blind, folds

RATE = 16_000
QUICK = OwnWords(
    material=MaterialPlan(copies=40, fewest=3, most=4),
    word=WordFit(head=HeadFit(first=600, hard=200, rounds=1, iterations=25)),
)


class Bands:
    """A backbone of a few lines: log power in twelve bands, 80 ms long, every 80 ms."""

    name, sha256, size, step, context = "bands", "0" * 64, 12, 1_280, 2_560

    def embed(self, samples: Floats) -> Floats:
        if len(samples) < self.context:
            return np.empty((0, self.size), np.float32)
        cut = np.lib.stride_tricks.sliding_window_view(samples, self.context)[:: self.step]
        power = np.square(np.abs(np.fft.rfft(cut * np.hanning(self.context), axis=1)[:, 1:601]))
        bands = power.reshape(len(cut), self.size, -1).mean(axis=2)
        return np.asarray(np.log10(bands + 1e-4), np.float32)


BANDS = cast("Backbone", Bands())


def tones(rng: np.random.Generator, *hz: float, seconds: float = 0.25) -> Floats:
    """Tones one after another, in a room with a little hiss, the whole 1.4 s long."""
    t = np.arange(round(seconds * RATE)) / RATE
    said = np.concatenate([np.sin(2 * np.pi * f * rng.uniform(0.97, 1.03) * t) for f in hz]) * rng.uniform(0.1, 0.3)
    out = rng.normal(0, 1e-3, round(0.9 * RATE) + len(said))
    at = int(rng.integers(2_000, 10_000))
    out[at : at + len(said)] += said
    return out.astype(np.float32)


def clips(rng: np.random.Generator, count: int, *hz: float) -> list[Clip]:
    return [Clip(tones(rng, *hz), f"session{i % 5}", f"clip{i}") for i in range(count)]


def speech_like(rng: np.random.Generator, tones_of: int) -> Floats:
    """Tones of any height, without the pairs that are words."""
    return np.concatenate([tones(rng, rng.uniform(200, 3_000), seconds=rng.uniform(0.1, 0.4)) for _ in range(tones_of)])


def bank_of(rng: np.random.Generator, segments: int = 16) -> Bank:
    found = [BANDS.embed(speech_like(rng, 30)) for _ in range(segments)]
    found += [BANDS.embed(draw_noise(rng, 10 * RATE) * np.float32(0.05)) for _ in range(8)]
    kind = np.array([0] * segments + [2] * 8)
    length = np.array([len(f) for f in found])
    return Bank(np.concatenate(found), length, kind, np.arange(len(found)) % FOLDS, 1_280, "bands", "0" * 64)


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


def test_made_up_noise_has_a_level_of_one_and_no_two_are_alike() -> None:
    rng = np.random.default_rng(0)
    many = [draw_noise(rng, 8_000) for _ in range(12)]
    assert_allclose([n.std() for n in many], 1.0, atol=0.1)
    assert len({round(float(np.abs(np.diff(n)).mean()), 3) for n in many}) == 12


def test_a_score_is_that_of_its_window_and_no_window_spans_two_segments() -> None:
    rng = np.random.default_rng(0)
    over = laid(rng.normal(size=(20, 3)).astype(np.float32), np.array([12, 2, 6]))
    line = Line(rng.normal(size=(4, 3)).astype(np.float32), 0.5)
    scores, ends = line.scores(over), over.ends(4)
    assert_allclose(scores[ends], line.of_windows(over.windows(ends, 4)), rtol=1e-5, atol=1e-5)
    assert (scores == NEVER).sum() == 3 + 2 + 3


def test_peaks_are_as_many_as_a_listener_would_report() -> None:
    scores = np.full(100, -5.0, np.float32)
    scores[[10, 12, 40]] = 3, 4, 2
    assert peaks(scores, 10, 2).tolist() == [12, 40]


def test_a_bank_read_again_is_the_same_but_for_the_rounding(tmp_path: Path, bank: Bank) -> None:
    write_bank(tmp_path / "bank.npz", bank, Packing(components=12, step=0.2))
    read = read_bank(tmp_path / "bank.npz", backbone="bands", sha256="0" * 64)
    assert np.abs(read.embeddings - bank.embeddings).max() < 0.1 * np.sqrt(12) + 1e-3
    assert_array_equal(read.length, bank.length)
    assert_array_equal(read.fold, bank.fold)
    assert read.hours("noise") == pytest.approx(bank.hours("noise"))


def test_a_bank_takes_a_fraction_of_the_embeddings_bytes(tmp_path: Path, bank: Bank) -> None:
    write_bank(tmp_path / "bank.npz", bank, Packing(step=2.0))
    assert (tmp_path / "bank.npz").stat().st_size < bank.embeddings.nbytes / 8


def test_speakers_go_round_all_folds() -> None:
    assert {fold_of(f"speaker{i}") for i in range(50)} == set(range(FOLDS))


@pytest.mark.parametrize("at", [0.3, 0.6, 0.7])
def test_a_bank_with_a_changed_byte_is_refused(tmp_path: Path, bank: Bank, at: float) -> None:
    path = tmp_path / "bank.npz"
    write_bank(path, bank, Packing(step=0.5))
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"damaged|no bank"):
        read_bank(path)


def test_a_bank_of_another_backbone_and_none_at_all_are_refused(tmp_path: Path, bank: Bank) -> None:
    write_bank(tmp_path / "bank.npz", bank)
    with pytest.raises(ModelError, match="was made with the backbone bands"):
        read_bank(tmp_path / "bank.npz", backbone="student")
    with pytest.raises(BadInputError, match="train background"):
        read_bank(tmp_path / "none.npz")


def test_what_is_said_in_the_bank_is_kept_and_can_be_left_out(tmp_path: Path, bank: Bank) -> None:
    said = tuple(frozenset(("smart", "mirror")[n % 3 :]) for n in range(len(bank.length)))
    write_bank(tmp_path / "bank.npz", replace(bank, said=said))
    again = read_bank(tmp_path / "bank.npz")
    left = again.without(frozenset({"smart", "mirror"}))

    assert again.said == said
    assert_array_equal(left.length, bank.length[np.arange(len(bank.length)) % 3 != 0])
    assert (len(left.embeddings), len(left.said)) == (left.length.sum(), len(left.length))
    assert again.without(frozenset({"smart", "glass"})) is again


def test_background_in_which_the_word_is_said_teaches_nothing_about_it(bank: Bank) -> None:
    rng = np.random.default_rng(4)
    there = np.concatenate([tones(rng, 500, 2_000) for _ in range(8)])
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


def test_transcripts_tell_which_words_are_said_where(tmp_path: Path) -> None:
    (tmp_path / "speech.tsv").write_text(
        'path\ttranscript\nspeech/ann/1.wav\tHey, Robot: it\'s "on"!\nspeech/bob/1.wav\t\n', "utf-8"
    )
    found = vocabulary(tmp_path / "speech")

    assert found[tmp_path / "speech" / "ann" / "1.wav"] == {"hey", "robot", "it's", "on"}
    assert found[tmp_path / "speech" / "bob" / "1.wav"] == frozenset()
    assert spoken_words("hey_robot") == {"hey", "robot"}
    assert vocabulary(tmp_path / "noise") == {}


def test_a_head_does_not_see_what_the_bank_does_not_keep(tmp_path: Path, bank: Bank) -> None:
    write_bank(tmp_path / "bank.npz", bank, Packing(components=5, step=0.2))
    read = read_bank(tmp_path / "bank.npz")
    assert isinstance(read.packed, Packed)
    line = Line(np.random.default_rng(0).normal(size=(4, 12)).astype(np.float32), 0.3)
    over = laid(read.embeddings, read.length)
    seeing, blinded = line.scores(over), blind(line, read.packed).scores(over)
    assert_allclose(blinded, seeing, rtol=1e-3, atol=1e-2)
    off = np.linalg.svd(read.packed.basis)[2][-1].astype(np.float32) * 50  # a direction that is not kept
    moved = laid(read.embeddings + off, read.length)
    assert_allclose(blind(line, read.packed).scores(moved), blinded, rtol=1e-3, atol=1e-2)


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


def test_the_step_makes_a_bank_of_folders_and_replaces_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for speaker in ("anna", "ben"):
        (tmp_path / "speech" / speaker).mkdir(parents=True)
        soundfile.write(tmp_path / "speech" / speaker / "a.wav", tones(rng, 400, 700, 900), RATE)
    monkeypatch.setattr(making, "open_backbone", lambda _name: BANDS)
    monkeypatch.setattr("spotter.backbone.open_backbone", lambda _name: BANDS)
    monkeypatch.setattr(making, "_open", {})
    out = tmp_path / "bank.npz"
    command = ["background", "--speech", str(tmp_path / "speech"), "--all", "--rounding", "0.5", "--out", str(out)]
    assert main(command) == 0
    read = read_bank(out, backbone="bands")
    assert len(read.length) == 2
    assert read.hours("speech") > 0
    assert "h of speech" in capsys.readouterr().out
    assert out.with_suffix(".json").is_file()
    assert main(command) == 2
    assert "--force" in capsys.readouterr().err
