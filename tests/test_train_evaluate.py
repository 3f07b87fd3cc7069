"""What is counted of a model's answers, the conditions that it is heard under, and the steps that print it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.conftest import word

pytest.importorskip("scipy", reason="the limits come from scipy, which the extra `train` brings")
pytest.importorskip("matplotlib", reason="the pictures come from matplotlib, which the extra `train` brings")
from spotter.arrays import Floats
from spotter.errors import BadInputError, ModelError
from spotter.model import Model
from spotter.settings import SILENCE, UNKNOWN
from train import calibration, conditions, keyword_free
from train.answers import Answers, accuracy, by_speaker, calibrated, per_label
from train.cli import main
from train.data import Row, split_of, word_rows
from train.evaluate import ask
from train.grid import grid
from train.hearing import Hearing
from train.prediction import load, predict
from train.report import markdown

TINY = Path(__file__).parent / "data/models/tiny"
RNG = np.random.default_rng


def answers(pairs: list[tuple[str, str]], labels: tuple[str, ...], score: float = 0.9, speakers: str = "") -> Answers:
    """Truth and answer of each clip; every winner has the same score."""
    scores = np.full((len(pairs), len(labels)), (1 - score) / max(1, len(labels) - 1), np.float32)
    for row, (_, given) in zip(scores, pairs, strict=True):
        row[labels.index(given)] = score
    keywords = tuple(label for label in labels if not label.startswith("_"))
    return Answers(labels, keywords, tuple(t for t, _ in pairs), tuple(speakers or "?" * len(pairs)), scores)


# Hearing


@pytest.mark.parametrize("length", [0, 5_000, 16_000, 17_999])
def test_clips_are_heard_as_predict_hears_them(length: int) -> None:
    model = Model.open(TINY)
    clip = np.resize(word(900), length)
    np.testing.assert_allclose(Hearing(model).scores(clip), model.predict(clip), atol=1e-4)


def test_a_model_without_a_stream_form_is_heard_the_same(window_only: Path) -> None:
    clip = np.tile(word(900), 3)
    one, other = Hearing(Model.open(TINY)).windows(clip), Hearing(Model.open(window_only)).windows(clip)
    assert one.shape == other.shape
    np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.fixture
def window_only(tmp_path: Path) -> Path:
    from spotter.manifest import write_manifest

    folder = tmp_path / "window_only"
    folder.mkdir()
    (folder / "model.tflite").write_bytes((TINY / "model.tflite").read_bytes())
    write_manifest(folder, json.loads((TINY / "manifest.json").read_text()), ["model.tflite"])
    return folder


def test_the_most_telling_moment_is_where_the_scores_are() -> None:
    hearing = Hearing(Model.open(TINY))  # a score every 20 ms, means over 100 ms
    scores = np.full((50, 4), 0.01, np.float32)
    scores[20:30, 2] = 0.95
    told, end = hearing.moment(scores)
    assert told[2] == pytest.approx(0.95)
    assert end == pytest.approx(0.50, abs=1e-3)  # of the first five windows that all say so the last ends there


def test_a_network_that_the_model_does_not_have_is_refused() -> None:
    with pytest.raises(
        ModelError, match=r"no model\.int8\.tflite \(found: model\.tflite, model\.stream\.tflite\); give"
    ):
        Model.open(TINY, network="model.int8.tflite")


# Counting


def test_a_score_that_is_the_share_right_has_no_calibration_error() -> None:
    scores = np.full(10, 0.9, np.float32)
    right = np.arange(10) < 9
    assert calibration.expected_calibration_error(calibration.reliability(scores, right)) == pytest.approx(0, abs=1e-6)
    wrong = calibration.reliability(scores, np.zeros(10, bool))
    assert calibration.expected_calibration_error(wrong) == pytest.approx(0.9, abs=1e-6)


def test_the_calibration_error_weighs_bins_by_their_clips() -> None:
    scores = np.array([0.55, 0.55, 0.55, 1.0], np.float32)
    right = np.array([True, False, False, True])
    bins = calibration.reliability(scores, right, bins=10)
    assert [b.count for b in bins] == [0, 0, 0, 0, 0, 3, 0, 0, 0, 1]  # a score of 1 is in the last
    assert calibration.expected_calibration_error(bins) == pytest.approx(0.75 * (0.55 - 1 / 3), abs=1e-6)


def test_likelihood_is_that_of_the_true_label() -> None:
    scores = np.array([[0.5, 0.5], [0.25, 0.75]], np.float32)
    found = calibration.negative_log_likelihood(scores, np.array([0, 1]))
    assert found == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)


def test_accuracy_counts_all_labels_the_keywords_and_who_was_taken_for_one() -> None:
    labels = (SILENCE, UNKNOWN, "yes", "no")
    some = answers([("yes", "yes"), ("yes", "no"), ("no", "no"), (UNKNOWN, "yes"), (UNKNOWN, UNKNOWN)], labels)
    found = accuracy(some)
    assert (found["all"]["right"], found["all"]["of"]) == (3, 5)
    assert (found["keywords"]["right"], found["keywords"]["of"]) == (2, 3)
    assert found["taken"] == {UNKNOWN: {"clips": 2, "best_is_a_keyword": 1, "above_0.5": 1, "above_0.9": 0}}
    assert per_label(some)["labels"]["no"]["precision"] == 0.5


def test_a_model_without_unknown_is_measured_on_its_keywords_and_apart_on_other_words() -> None:
    some = answers([("yes", "yes"), ("no", "yes"), (UNKNOWN, "no"), (SILENCE, "no")], ("yes", "no"), score=0.95)
    found = accuracy(some)
    assert (found["all"]["right"], found["all"]["of"]) == (1, 2)
    assert found["taken"][UNKNOWN]["above_0.9"] == found["taken"][SILENCE]["clips"] == 1
    assert calibrated(some)["clips"] == 2


def test_the_worst_tenth_of_the_speakers_is_named_beside_what_chance_gives() -> None:
    speakers = "".join(letter * 10 for letter in "abcdefghijklmnopqrst") + "uu"
    pairs = [("yes", "no" if s in "cu" else "yes") for s in speakers]
    found = by_speaker(answers(pairs, ("yes", "no"), speakers=speakers), RNG(0))
    assert len(found["speakers"]) == 20  # u has two clips only
    assert found["worst"] == ["c", "a"]
    assert found["worst_mean"] == 0.5
    assert 0.7 < found["by_chance"] < 0.85  # ten wrong clips dealt among all speakers


# Conditions


def test_noise_lies_under_a_clip_at_the_ratio_asked_for() -> None:
    clip = np.sin(np.arange(16_000) / 5).astype(np.float32) * 0.1
    noise = RNG(0).standard_normal(16_000).astype(np.float32)
    for snr in (20.0, 0.0):
        added = conditions.in_noise(clip, noise, snr) - clip
        assert 20 * np.log10(clip.std() / added.std()) == pytest.approx(snr, abs=0.1)


def test_silence_and_loud_clips_in_noise_stay_within_full_scale() -> None:
    noise = RNG(0).standard_normal(16_000).astype(np.float32)
    assert not conditions.in_noise(np.zeros(16_000, np.float32), noise, 10.0).any()
    assert np.abs(conditions.in_noise(np.ones(16_000, np.float32), noise, 0.0)).max() <= 1.0


def test_a_telephone_passes_speech_and_nothing_below_or_above() -> None:
    times = np.arange(16_000) / 16_000
    kept = [conditions.telephone(np.sin(2 * np.pi * hz * times).astype(np.float32)).std() for hz in (80, 1_000, 6_000)]
    assert kept[0] < 0.01
    assert kept[1] == pytest.approx(np.sqrt(0.5), abs=0.02)
    assert kept[2] < 0.01


def test_rooms_last_as_long_as_they_say() -> None:
    for (name, response), (rt60, _) in zip(conditions.simulated_rooms(RNG(0)), conditions.ROOMS.values(), strict=True):
        assert f"{rt60:g} s" in name
        assert response[0] == 1.0
        energy = np.cumsum(np.square(response[1:])[::-1])[::-1]  # Schroeder's decay curve
        half = int(0.5 * rt60 * 16_000)
        assert 10 * np.log10(energy[0] / energy[half]) == pytest.approx(30, abs=4)


def test_every_way_of_hearing_does_what_its_name_says_within_full_scale() -> None:
    clip = word(900)
    ways = {way.name: way for way in conditions.ways(conditions.simulated_rooms(RNG(0)))}
    heard = {name: way.both(way.speech(clip)) for name, way in ways.items()}
    assert (heard["as recorded"] == clip).all()
    assert heard["-20 dB"].std() == pytest.approx(clip.std() / 10, rel=1e-3)
    assert np.abs(heard["+20 dB"]).max() == 1.0  # 0.3 times ten clips
    for name, samples in heard.items():
        assert np.abs(samples).max() <= 1.0, name
        assert samples.dtype == np.float32, name
    assert len(heard) == 8


def test_the_grid_holds_the_same_clips_under_each_condition_and_as_they_are(recordings: Path) -> None:
    hearing = Hearing(Model.open(TINY))
    rows = [r for r in word_rows(recordings / "words") if r.word in ("yes", "no")][:6]
    ways = [w for w in conditions.ways([]) if w.name in ("as recorded", "telephone")]
    cells = grid(hearing, rows, ways, [], seed=0)
    assert [(c["way"], c["snr_db"]) for c in cells[:2]] == [("as recorded", None), ("as recorded", 20.0)]
    assert len(cells) == 10
    assert {c["all"]["of"] for c in cells} == {6}
    assert cells[0]["all"] == accuracy(ask(hearing, rows))["all"]
    assert cells == grid(hearing, rows, ways, [], seed=0)


# Speech without keywords


def test_only_validation_speakers_known_to_say_no_keyword_are_listened_to(tmp_path: Path) -> None:
    speech = tmp_path / "speech"
    names = [f"reader{n}" for n in range(60)]
    validation = [n for n in names if split_of(n, 15.0, 0.0) == "validation"]
    lines = ["path\tlanguage\tkeywords"]
    for name in names:
        (speech / name).mkdir(parents=True)
        for file, keywords in (("free.wav", ""), ("yes.wav", "yes"), ("other.wav", "off"), ("unknown.wav", "?")):
            (speech / name / file).touch()
            lines.append(f"speech/{name}/{file}\tfi\t{keywords}")
    (tmp_path / "speech.tsv").write_text("\n".join(lines))
    rows = keyword_free.free_rows(speech, ("yes", "no"))
    assert {r.speaker for r in rows} == set(validation)
    assert {r.path.name for r in rows} == {"free.wav", "other.wav"}


def heard(speaker: str, scores: list[float]) -> keyword_free.Heard:
    row = Row(Path(f"{speaker}/a.wav"), "", speaker, "validation")
    columns: Floats = np.array([[s, 0.0] for s in scores], np.float32)
    return keyword_free.Heard(row, len(scores) / 10, np.arange(1, len(scores) + 1) / 10, columns)


def test_windows_and_places_above_a_score_are_counted() -> None:
    some = [heard("a", [0.1, 0.95, 0.95, 0.1] + [0.0] * 12 + [0.6, 0.95]), heard("b", [0.0] * 82)]
    found = keyword_free.summary(some, ("yes", "no"), RNG(0))
    assert (found["windows"], found["speakers"]) == (100, 2)
    assert found["hours"] == pytest.approx(10 / 3_600)
    above = found["above"]["0.9"]
    assert (above["windows"], above["share"], above["places"]) == (3, 0.03, 2)
    assert above["keywords"] == {"yes": 3, "no": 0}
    assert found["above"]["0.5"]["windows"] == 4
    assert above["limits"][0] == 0.0  # where only b is drawn
    assert above["limits"][1] > 0.1  # where only a is drawn
    assert found["worst"][0] == {"file": "a/a.wav", "keyword": "yes", "score": 0.95, "seconds": 0.2}


def test_no_window_at_all_above_a_score_is_less_than_three_in_their_number() -> None:
    found = keyword_free.summary([heard("a", [0.0] * 1_000)], ("yes", "no"), RNG(0))["above"]["0.9"]
    assert (found["share"], found["limits"]) == (0.0, [0.0, pytest.approx(0.003)])


# The steps


@pytest.fixture(scope="module")
def measured(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("measured") / "tiny"
    assert main(arguments(recordings, out)) == 0
    return out


def arguments(recordings: Path, out: Path) -> list[str]:
    data = [str(recordings / "words"), "--noise", str(recordings / "noise"), "--speech", str(recordings / "speech")]
    return ["evaluate", str(TINY), *data, "--out", str(out), "--per-condition", "4"]


def test_evaluate_writes_figures_words_and_pictures(measured: Path) -> None:
    report = json.loads((measured / "report.json").read_text())
    assert report["clips"]["all"]["of"] == sum(map(sum, report["clips"]["confusion"]["rows_said_columns_given"]))
    assert len(report["conditions"]["cells"]) == 40
    assert report["speech"]["windows"] > 0
    assert report["model"]["files"]["model.tflite"]["sha256"]
    text = (measured / "report.md").read_text("utf-8")
    assert "python -m train evaluate" in text
    for picture in ("confusion", "labels", "reliability", "conditions"):
        assert f"({picture}.png)" in text
        assert (measured / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
    assert text == markdown(report)


def test_the_same_command_gives_the_same_figures(measured: Path, recordings: Path, tmp_path: Path) -> None:
    assert main(arguments(recordings, tmp_path / "again")) == 0
    one, other = (json.loads((folder / "report.json").read_text()) for folder in (measured, tmp_path / "again"))
    assert {**one, "command": ""} == {**other, "command": ""}


def test_an_existing_report_is_not_overwritten_without_force(
    measured: Path, recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (measured / "report.json").read_bytes()
    assert main(arguments(recordings, measured)) == 2
    assert "--force" in capsys.readouterr().err
    assert (measured / "report.json").read_bytes() == before


def test_a_recording_that_cannot_be_used_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("yes", "no"):
        (tmp_path / name).mkdir()
        for speaker in ("026290a7", "023a61ad", "099d52ad"):  # validation speakers of the data set
            soundfile.write(tmp_path / name / f"{speaker}_nohash_0.wav", word(900), 16_000)
    (tmp_path / "yes" / "026290a7_nohash_1.wav").write_bytes(b"RIFF")
    rows = [r for r in word_rows(tmp_path) if r.split == "validation"]
    assert main(["evaluate", str(TINY), str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert f"{len(rows) - 1} clips" in out
    assert "026290a7_nohash_1.wav" in err


def test_predict_prints_the_scores_of_each_file_the_highest_first(
    recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = recordings / "words" / "yes" / "speaker1_nohash_0.wav"
    assert main(["predict", str(TINY), str(file), "--every", "200"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{file} (1.00 s): ")
    shares = [float(line.split()[1].rstrip("%")) for line in lines[1:5]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.3)
    assert len(lines) == 5 + 8  # every 200 ms of 1.6 s


def test_predict_gives_json_a_line_and_goes_on_after_a_bad_file(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = recordings / "words" / "yes" / "speaker1_nohash_0.wav"
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    files = [str(broken), str(tmp_path / "none.wav"), str(file)]
    assert main(["predict", str(TINY), *files, "--json", "--every", "100"]) == 2
    out, err = capsys.readouterr()
    heard: dict[str, Any] = json.loads(out)
    assert heard["file"] == str(file)
    assert set(heard["scores"]) == {"_silence_", "_unknown_", "yes", "no"}
    assert heard["label"] == max(heard["scores"], key=lambda k: heard["scores"][k])
    assert [row["time"] for row in heard["over_time"][:3]] == [0.02, 0.12, 0.22]
    assert [line.split(":")[0] for line in err.splitlines()] == ["train", "train"]
    assert "broken.wav" in err
    assert "none.wav" in err


def test_predict_hears_any_rate_and_length_alike(tmp_path: Path) -> None:
    import soxr

    hearing = Hearing(Model.open(TINY))
    clip = np.concatenate((word(900), np.zeros(64_000, np.float32)))
    stereo = np.asarray(soxr.resample(clip, 16_000, 44_100), np.float32)
    soundfile.write(tmp_path / "a.flac", np.stack((stereo, stereo), axis=1), 44_100)
    one, other = predict(hearing, "", clip), predict(hearing, "", load(tmp_path / "a.flac"))
    assert one.label == other.label
    assert other.seconds == pytest.approx(5.0, abs=1e-3)
    np.testing.assert_allclose(one.scores, other.scores, atol=0.05)


def test_predict_draws_what_it_heard(recordings: Path, tmp_path: Path) -> None:
    files = [str(recordings / "words" / name / "speaker1_nohash_0.wav") for name in ("yes", "no")]
    assert main(["predict", str(TINY), files[0], "--picture", str(tmp_path / "heard.png")]) == 0
    assert (tmp_path / "heard.png").read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in tmp_path.iterdir()] == ["heard.png"]
    assert main(["predict", str(TINY), *files, "--picture", str(tmp_path / "heard.png")]) == 2  # the same name twice


def test_samples_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "nan.wav", np.full(16_000, np.nan, np.float32), 16_000, subtype="FLOAT")
    with pytest.raises(BadInputError, match=r"nan\.wav' holds samples that are no numbers; export"):
        load(tmp_path / "nan.wav")
