"""Streams with known words: how they are mixed, what a truth file must say, and what is counted of them."""

from __future__ import annotations

import dataclasses
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.fakes import ScriptedModel, recording, tone

pytest.importorskip("scipy", reason="the extra `train` brings it")
from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.events import Detection
from spotter.model import Model
from spotter.recorded import spot
from spotter.settings import SAMPLE_RATE, DecoderConfig
from train import cached, foreign, truth
from train.cli import main
from train.data import Row
from train.det import at_threshold, curves, picture
from train.evaluate import Scored, decode, score, worth_a_look
from train.metrics import Word
from train.stream_figures import by_kind, figures, hear, without_keywords
from train.stream_kinds import Material, is_of, lacking, make
from train.stream_layouts import in_groups, in_running_speech
from train.stream_report import text
from train.streams import Stream, span, words_in_noise

SHIPPED = Path(__file__).parent.parent / "models" / "commands"
HOP = 1_600


class Scripted(ScriptedModel):
    """A scripted model that a cache can tell from others."""

    network, backend = "scripted", "numpy"

    def __init__(self, manifest: str = "one") -> None:
        super().__init__()
        self.manifest = {"files": manifest}


def model_of(fake: ScriptedModel) -> Model:
    return fake  # type: ignore[return-value]


def folders(tmp_path: Path, *, speakers: int = 60) -> Path:
    """A data set of tones: words/, speech/ of two languages, noise/."""
    rng = np.random.default_rng(0)
    for word in ("yes", "no"):
        (tmp_path / "words" / word).mkdir(parents=True)
        for number in range(speakers):
            clip = np.concatenate((np.zeros(3_200), tone(word, 0.4), np.zeros(6_400))).astype(np.float32)
            soundfile.write(tmp_path / "words" / word / f"{number:08x}_nohash_0.wav", clip, SAMPLE_RATE)
    for speaker in range(40):
        for name in (f"en{speaker}", f"cv-xx-{speaker}"):
            (tmp_path / "speech" / name).mkdir(parents=True)
            talk = (0.05 * rng.standard_normal(8 * SAMPLE_RATE)).astype(np.float32)
            soundfile.write(tmp_path / "speech" / name / "a.wav", talk, SAMPLE_RATE)
    (tmp_path / "noise").mkdir()
    for number in range(30):
        hiss = (0.01 * rng.standard_normal(3 * SAMPLE_RATE)).astype(np.float32)
        soundfile.write(tmp_path / "noise" / f"hiss{number}.wav", hiss, SAMPLE_RATE)
    return tmp_path


def rows_of(tmp_path: Path, clips: dict[str, Floats]) -> list[Row]:
    rows = []
    for name, clip in clips.items():
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, clip, SAMPLE_RATE, subtype="FLOAT")
        rows.append(Row(path, name.rstrip("0123456789"), "", "validation"))
    return rows


def clip_of(word: str, before: float = 0.2, said: float = 0.4) -> Floats:
    return np.concatenate((np.zeros(round(before * 16_000)), tone(word, said), np.zeros(4_800))).astype(np.float32)


def rms(samples: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


# -- mixing ----------------------------------------------------------------------------------


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


# -- the step --------------------------------------------------------------------------------


def test_the_same_command_gives_the_same_bytes_and_each_kind_whichever_others_are_made(tmp_path: Path) -> None:
    data = folders(tmp_path)
    command = ["stream", str(data / "words"), "--speech", str(data / "speech"), "--noise", str(data / "noise")]
    command += ["--keywords", "yes", "no", "--per-word", "2", "--snr", "5"]
    assert main([*command, "--out", str(tmp_path / "a"), "--kinds", "words", "speech-other", "running"]) == 0
    assert main([*command, "--out", str(tmp_path / "b"), "--kinds", "running", "words"]) == 0
    made = {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()}
    assert sorted(p for p in made if p.endswith(".flac")) == [
        "running.flac",
        "speech-other-1.flac",
        "words-5db.flac",
        "words-quiet.flac",
    ]
    again = {p.name: p.read_bytes() for p in (tmp_path / "b").iterdir()}
    assert all(made[name] == content for name, content in again.items())
    about = json.loads(made["words-5db.json"])
    assert about["kind"] == "words-5db"
    assert about["seed"] == 0
    assert about["recipe"]["recordings"]["words"]["count"] > 0
    assert main([*command, "--out", str(tmp_path / "c"), "--kinds", "running", "--seed", "1"]) == 0
    assert (tmp_path / "c" / "running.flac").read_bytes() != made["running.flac"]


def test_streams_are_not_replaced_unless_forced_and_what_is_lacking_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = folders(tmp_path)
    command = ["stream", str(data / "words"), "--out", str(tmp_path / "out"), "--keywords", "yes", "--per-word", "1"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "no speech-english: it needs --speech" in said
    assert main(command) == 2
    assert "--force" in capsys.readouterr().err
    assert main([*command, "--kinds", "together"]) == 2
    assert main([*command, "--room", "--kinds", "words"]) == 0  # other names
    assert (tmp_path / "out" / "words-quiet-room.flac").exists()
    assert main([*command, "--force"]) == 0
    assert main([*command, "--kinds", "noise"]) == 2
    assert "give --noise" in capsys.readouterr().err
    assert main([*command[:4], "--keywords", "maybe"]) == 2
    assert "maybe" in capsys.readouterr().err


# -- truth files -----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".flac", ".wav"])
def test_a_stream_reads_back_as_it_was_written(tmp_path: Path, suffix: str) -> None:
    stream = Stream(recording((1.0, "yes"), seconds=3.0), (Word("yes", 1.0, 1.5),))
    path = tmp_path / f"one{suffix}"
    truth.write(path, stream, about={"kind": "mine", "seed": 3})
    again = truth.read(path)
    assert again.words == stream.words
    np.testing.assert_allclose(again.samples, stream.samples, atol=1 / 32_768)
    known = truth.look(path)
    assert (known.kind, known.seconds) == ("mine", 3.0)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["one.json", path.name])


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"seconds": 4.0}, "for a recording of 4 s"),
        ({"seconds": None}, '"seconds": 3.00'),
        ({"words": None}, 'no list "words"'),
        ({"words": [{"word": "yes", "start": 2.8, "end": 3.4}]}, "lies from 2.8 to 3.4 s"),
        ({"words": [{"word": "yes", "start": 1.5, "end": 1.0}]}, "correct it"),
        ({"words": [{"word": "yes", "start": "one"}]}, "word 1"),
        ({"sha256": "0" * 64}, "another recording of the same length"),
    ],
)
def test_a_truth_file_that_does_not_fit_its_recording_is_refused(
    tmp_path: Path, changed: dict[str, Any], says: str
) -> None:
    path = tmp_path / "one.wav"
    truth.write(path, Stream(np.zeros(48_000, np.float32), (Word("yes", 1.0, 1.5),)))
    beside = truth.truth_path(path)
    beside.write_text(json.dumps({**json.loads(beside.read_text("utf-8")), **changed}), "utf-8")
    with pytest.raises(BadInputError) as error:
        truth.read(path)
    assert says in str(error.value)


def test_a_recording_without_truth_is_an_error_unless_it_holds_no_keyword(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "room.wav", np.zeros(32_000, np.float32), SAMPLE_RATE)
    with pytest.raises(BadInputError, match=r"has no truth file; write its words to .*room\.json"):
        truth.read(tmp_path / "room.wav")
    assert truth.read(tmp_path / "room.wav", negatives=True).words == ()
    (tmp_path / "text.wav").write_text("no sound")
    for name, says in (("text.wav", "cannot be read as sound"), ("none.wav", "there is no recording")):
        with pytest.raises(BadInputError, match=says):
            truth.read(tmp_path / name)
    (tmp_path / "room.json").write_text("{", "utf-8")
    with pytest.raises(BadInputError, match="is no truth file"):
        truth.read(tmp_path / "room.wav")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match="no recordings in"):
        truth.recordings([tmp_path / "empty"])


# -- scores ----------------------------------------------------------------------------------


def test_scores_come_from_the_cache_until_recording_model_or_hop_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = 0

    def counted(*args: Any, **kwargs: Any) -> Scored:
        nonlocal ran
        ran += 1
        return score(*args, **kwargs)

    monkeypatch.setattr(cached, "score", counted)
    samples, cache = recording((1.0, "yes"), seconds=3.0), tmp_path / "scores"
    fake = model_of(Scripted())
    first = cached.scored(fake, samples, cache=cache)
    again = cached.scored(fake, samples.copy(), cache=cache)
    assert ran == 1
    for name in ("ends", "levels", "scores", "seconds"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    cached.scored(fake, samples, hop_ms=20.0, cache=cache)
    cached.scored(fake, samples + np.float32(1e-3), cache=cache)
    cached.scored(model_of(Scripted("another")), samples, cache=cache)
    cached.scored(fake, samples, cache=None)
    assert ran == 5
    for path in cache.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    np.testing.assert_array_equal(cached.scored(fake, samples, cache=cache).scores, first.scores)
    assert ran == 6
    cached.scored(fake, samples, cache=cache)
    assert ran == 6


def test_a_stream_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"0\.50 s, less than the 1 s .*give a longer one"):
        cached.scored(model_of(Scripted()), np.zeros(8_000, np.float32), cache=None)


def test_decoding_kept_scores_gives_the_events_of_the_listener() -> None:
    samples = recording((1.0, "yes"), (2.5, "no"), (4.0, "yes"), seconds=6.0)
    fake = ScriptedModel()
    heard = spot(samples, SAMPLE_RATE, fake, hop_ms=100.0)
    kept = decode(model_of(fake), score(model_of(fake), samples, hop_ms=100.0), fake.decoder, HOP)
    assert [(d.keyword, d.time_sample, d.score) for d in kept] == [(d.keyword, d.time_sample, d.score) for d in heard]
    assert len(heard) == 3


# -- curves ----------------------------------------------------------------------------------


def bursts(seed: int, windows: int = 3_000) -> Scored:
    """Scores that rise now and then, and sometimes hover between re-arming and firing."""
    rng = np.random.default_rng(seed)
    scores = np.full((windows, 4), 0.01, np.float32)
    for at in rng.integers(0, windows, 120):
        scores[at : at + rng.integers(1, 9), rng.integers(0, 3)] = rng.uniform(0.1, 1.0)
    ends = (np.arange(windows) + 10) * HOP
    return Scored(
        ends,
        np.full(windows, -20.0, np.float32),
        np.full(windows, -90.0, np.float32),
        scores,
        windows * HOP / SAMPLE_RATE,
    )


@pytest.mark.parametrize("smooth_ms", [0.0, 100.0, 250.0, 1_000.0])
def test_leaving_out_quiet_stretches_changes_no_detection(smooth_ms: float) -> None:
    model = model_of(ScriptedModel())
    config = DecoderConfig(smooth_ms=smooth_ms, refractory_ms=700.0)
    fired = 0
    for seed in range(4):
        scored = bursts(seed, windows=1_200)
        for threshold in (0.2, 0.5, 0.8):
            moved = dataclasses.replace(config, threshold=threshold)
            some = worth_a_look(model, scored, moved)
            assert smooth_ms > 500.0 or len(some.ends) < len(scored.ends)
            whole = decode(model, scored, moved, HOP)
            assert decode(model, some, moved, HOP) == whole
            fired += len(whole)
    assert fired


def test_a_curve_has_fewer_false_accepts_and_more_misses_as_the_threshold_rises(tmp_path: Path) -> None:
    model = model_of(ScriptedModel())
    said = Word("yes", 1.0, 1.5)
    points = curves(model, {"words": [((said,), bursts(1))]}, [((), bursts(2))], DecoderConfig(), HOP, (0.2, 0.5, 0.9))
    false = [p["false"] for p in points]
    assert false == sorted(false, reverse=True)
    assert false[0] > false[-1]
    missed = [p["missed"]["words"] for p in points]
    assert missed == sorted(missed)
    assert points[1]["false_per_hour"] == pytest.approx(false[1] / (3_000 * 0.1 / 3_600))
    assert false[1] == len(at_threshold(model, [((), bursts(2))], DecoderConfig(), HOP, 0.5).false)
    picture(points, points[1], 0.1, "speech", tmp_path / "det.png")
    assert (tmp_path / "det.png").read_bytes().startswith(b"\x89PNG")


# -- figures ---------------------------------------------------------------------------------


def heard_at(keyword: str, time: float) -> Detection:
    at = round(time * SAMPLE_RATE)
    return Detection(keyword=keyword, score=0.9, time_sample=at, start_sample=at, end_sample=at)


def test_tensorflows_test_counts_matches_wrong_labels_and_false_positives() -> None:
    words = [Word("yes", 1.0, 1.5), Word("no", 4.0, 4.5), Word("cat", 7.0, 7.5), Word("no", 10.0, 10.5)]
    events = [
        heard_at("yes", 1.6),  # correct
        heard_at("yes", 2.2),  # the same word a second time: wrong
        heard_at("yes", 5.25),  # another label, at just 750 ms: wrong
        heard_at("no", 7.0),  # where no keyword was said: wrong
        heard_at("no", 8.3),  # too far from everything: false
    ]
    got = foreign.tensorflow_figures(events, words, ("yes", "no")).as_dict()
    assert {k: got[k] for k in ("said", "matched", "correct", "wrong", "false")} == {
        "said": 4,
        "matched": 3,
        "correct": 1,
        "wrong": 3,
        "false": 1,
    }
    assert got["matched_percent"] == 75.0
    assert got["wrong_percent"] == 75.0
    alone = foreign.tensorflow_figures(events, words, ("yes", "no"), others=False)
    assert (alone.said, alone.matched, alone.correct, alone.wrong, alone.false) == (3, 2, 1, 2, 2)


def test_mlperfs_rule_uses_up_what_is_near_a_word_and_counts_the_rest_once_a_second() -> None:
    words = [Word("yes", 10.0, 10.5), Word("yes", 20.0, 20.5), Word("no", 30.0, 30.5)]
    events = [
        heard_at("yes", 11.4),  # within a second after the end
        heard_at("yes", 11.5),  # used up with it
        heard_at("yes", 21.6),  # too late: a miss, and false
        heard_at("yes", 22.5),  # within a second of that one
        heard_at("yes", 22.7),  # false again
        heard_at("yes", 30.4),  # another word's
    ]
    got = foreign.mlperf_figures(events, words, ("yes", "no"))
    assert (got.true_positives, got.false_negatives, got.false_positives) == (1, 2, 3)
    assert got.as_dict()["within_limits"]
    assert not foreign.mlperf_figures([], words * 3, ("yes", "no")).as_dict()["within_limits"]


def test_figures_are_counted_per_keyword_per_kind_and_in_total() -> None:
    fake = model_of(ScriptedModel())
    samples = recording((1.0, "yes"), (3.0, "no"), (5.0, "yes"), seconds=8.0)
    words = (Word("yes", 1.0, 1.5), Word("cat", 3.0, 3.5), Word("no", 7.0, 7.5), Word("yes", 5.0, 5.5))
    spoken = truth.Truth(Path("words.flac"), 8.0, words, "words-quiet", "")
    free = [truth.Truth(Path(f"{kind}.flac"), 8.0, (), kind, "") for kind in ("speech-english", "noise")]
    scored = score(fake, samples, hop_ms=100.0)
    heard = [hear(fake, t, scored, fake.decoder, HOP) for t in (spoken, *free)]
    got = figures(heard, fake.keywords)
    assert (got["total"]["found"], got["total"]["said"]) == (2, 3)
    assert got["keywords"]["no"]["recall"] == 0.0
    assert got["keywords"]["yes"]["by_kind"]["words-quiet"]["found"] == 2
    assert got["confusions"] == {"no": {"cat": 1}}
    assert got["kinds"]["words-quiet"]["taken"] == 1
    assert got["kinds"]["words-quiet"]["others"] == 1
    assert got["total"]["false"]["count"] == 3  # noise is not counted with speech
    assert got["total"]["false"]["hours"] == pytest.approx(8 / 3_600)
    assert got["kinds"]["noise"]["false"]["count"] == 3
    assert list(without_keywords(by_kind(heard[2:]), fake.keywords)) == ["noise"]
    report = {"settings": {}, "hop_ms": 100.0, "figures": got}
    assert "| no " in text(report)
    assert "cat 1" in text(report)


def test_the_step_measures_a_folder_of_streams_and_finds_its_scores_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = Path(__file__).parent.parent / "spotter" / "data" / "demo.flac"
    streams, cache = tmp_path / "streams", tmp_path / "scores"
    streams.mkdir()
    for path in (demo, demo.with_suffix(".json")):
        (streams / path.name).write_bytes(path.read_bytes())
    soundfile.write(tmp_path / "room.wav", np.zeros(48_000, np.float32), SAMPLE_RATE)
    command = ["evaluate-stream", str(SHIPPED), str(streams), "--cache", str(cache), "--jobs", "2"]
    command += ["--negatives", str(tmp_path / "room.wav")]
    assert main([*command, "--out", str(tmp_path / "report")]) == 0
    printed = capsys.readouterr().out
    report = json.loads((tmp_path / "report" / "report.json").read_text("utf-8"))
    assert report["figures"]["total"]["said"] == 10
    assert report["figures"]["total"]["found"] >= 9
    assert report["figures"]["total"]["false"]["count"] == 0
    assert "demo" in printed
    assert (tmp_path / "report" / "det.png").exists()
    assert "| all" in (tmp_path / "report" / "report.md").read_text("utf-8")
    kept = {p.name: p.stat().st_mtime_ns for p in cache.iterdir()}
    assert len(kept) == 2
    assert main([*command, "--out", str(tmp_path / "report")]) == 2  # it is there
    assert main([*command, "--threshold", "0.995", "--smooth-ms", "600"]) == 0
    assert {p.name: p.stat().st_mtime_ns for p in cache.iterdir()} == kept
    assert capsys.readouterr().out != printed


def test_the_step_refuses_what_it_cannot_measure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = tmp_path / "short.wav"
    truth.write(short, Stream(np.zeros(8_000, np.float32), ()))
    command = ["evaluate-stream", str(SHIPPED), "--cache", str(tmp_path / "scores")]
    for given, says in (
        ([str(short)], "less than the 1 s"),
        ([str(short), "--jobs", "0"], "--jobs 0"),
        ([str(short), "--hop", "33"], "hop of 33 ms"),
        ([str(short), "--speech", str(tmp_path)], "give --speech and --noise"),
    ):
        assert main([*command, *given]) == 2
        assert says in capsys.readouterr().err
    assert not (tmp_path / "scores").exists()
