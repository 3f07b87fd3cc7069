"""What is counted of streams, by our rules and those of others, and the step that measures them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.fakes import ScriptedModel, recording

pytest.importorskip("scipy", reason="the extra `train` brings it")
from spotter.events import Detection
from spotter.settings import SAMPLE_RATE
from tests.stream_parts import HOP, model_of
from train import foreign, truth
from train.cli import main
from train.evaluate import score
from train.metrics import Word
from train.stream_figures import by_kind, figures, hear, without_keywords
from train.stream_report import text
from train.streams import Stream

SHIPPED = Path(__file__).parent.parent / "models" / "commands"


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
