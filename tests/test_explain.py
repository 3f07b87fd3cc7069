"""Why a keyword fired or was held back: the rule, the text, the JSON, the picture."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from spotter.cli.lines import takes_blocks
from spotter.cli.listen import main
from spotter.decoder import Decoder
from spotter.explain import Explanation, Moment, spark
from spotter.explainer import Explainer, Kept
from spotter.model import Model
from spotter.pipeline import Spotter
from spotter.settings import DecoderConfig
from tests.fakes import ScriptedModel, Terminal, recording

LABELS = ("_silence_", "_unknown_", "yes", "no")
CONFIG = DecoderConfig(threshold=0.7, smooth_ms=0.0, margin=0.1, rearm=0.5, refractory_ms=300.0, gate_dbfs=-75.0)
HOP = 320  # 20 ms
YES, NO, NOTHING = {"yes": 0.9}, {"no": 0.9}, {"_silence_": 0.9}
Script = list[tuple[int, dict[str, float]]]  # milliseconds, scores


def moments(script: Script, config: DecoderConfig = CONFIG, level_dbfs: float = -20.0, gap_at: int = 0) -> list[Moment]:
    """Play a script; a second is lost before window `gap_at`."""
    decoder, end = Decoder(LABELS, LABELS[2:], config, HOP), 0
    out: list[Moment] = []
    for length_ms, scores in script:
        row = np.array([scores.get(label, 0.0) for label in LABELS], np.float32)
        for _ in range(length_ms // 20):
            end += HOP
            if gap_at and len(out) == gap_at:
                decoder.gap()
                end += 16_000
            decoder.step(row, end, level_dbfs)
            verdicts = decoder.verdicts(row, end)
            out.append(Moment(end, level_dbfs, row, decoder.smoothed.copy(), verdicts))
    return out


def explained(some: Sequence[Moment], at: tuple[float, float] | None = None) -> list[Explanation]:
    explainer = Explainer(LABELS, CONFIG, HOP, at=at)
    for moment in some:
        explainer.see(moment)
    explainer.finish()
    return list(explainer.found)


def rules(script: Script, **more: Any) -> list[tuple[str, str]]:
    return [(e.verdict.keyword, e.verdict.rule) for e in explained(moments(script, **more))]


@pytest.mark.parametrize(
    ("script", "level_dbfs", "rule", "says"),
    [
        ([(20, YES)], -20.0, "fired", "fired: smoothed 0.900, threshold 0.7, 0.900 ahead of _unknown_, margin 0.1"),
        ([(20, YES)], -80.0, "gate", "by the gate: the loudest hop of the last second has -80 dBFS, the gate -75"),
        ([(20, {"yes": np.nan})], -20.0, "no numbers", "by scores that are no numbers"),
        ([(20, {"yes": 0.4})], -20.0, "threshold", "by the threshold: smoothed 0.400, threshold 0.7"),
        ([(20, {"yes": 0.8, "_unknown_": 0.75})], -20.0, "margin", "smoothed 0.800, 0.050 ahead of _unknown_"),
        ([(20, {"yes": 0.8, "no": 0.75})], -20.0, "margin", "smoothed 0.800, 0.050 ahead of no, margin 0.1"),
        ([(40, YES)], -20.0, "re-arming", "by re-arming: smoothed 0.900, not below 0.350 since its last event"),
        ([(20, YES), (40, NOTHING), (20, YES)], -20.0, "refractory", "smoothed 0.900, 0.24 s are left"),
        # Where several rules would hold it back, the first one is named.
        ([(20, YES), (20, {"yes": 0.8, "no": 0.75})], -20.0, "margin", "ahead of no"),
    ],
)
def test_the_first_rule_that_held_a_keyword_back_is_named_with_its_numbers(
    script: Script, level_dbfs: float, rule: str, says: str
) -> None:
    last = moments(script, level_dbfs=level_dbfs)[-1]
    (verdict,) = [v for v in last.verdicts if v.keyword == "yes"]
    assert verdict.rule == rule
    (e,) = [e for e in explained([last], at=(0.0, 0.0)) if e.verdict.keyword == "yes"]
    assert says in e.why


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ([(200, NOTHING), (300, YES), (300, NOTHING)], [("yes", "fired")]),  # its beginning and end are no near misses
        ([(100, {"yes": 0.5}), (100, {"yes": 0.65}), (100, {"yes": 0.4}), (100, NOTHING)], [("yes", "threshold")]),
        ([(100, {"yes": 0.3}), (100, NOTHING)], []),  # below half its threshold: not worth a word
        ([(100, {"yes": 0.8, "no": 0.75}), (100, NOTHING)], [("yes", "margin"), ("no", "margin")]),
        ([(100, {"yes": 0.8, "no": 0.75}), (100, YES), (100, NOTHING)], [("yes", "fired"), ("no", "margin")]),
        ([(100, YES), (60, {"yes": 0.5}), (100, YES), (60, NOTHING)], [("yes", "fired"), ("yes", "re-arming")]),
        ([(100, YES), (60, {"yes": 0.5}), (60, NOTHING)], [("yes", "fired")]),
        ([(100, YES), (60, NOTHING), (60, YES), (60, NOTHING)], [("yes", "fired"), ("yes", "refractory")]),
        ([(100, YES), (60, NOTHING), (400, YES)], [("yes", "fired"), ("yes", "fired")]),
        ([(100, {"yes": 0.5})], [("yes", "threshold")]),  # also where the recording ends in its middle
    ],
)
def test_every_event_and_every_near_miss_is_explained_once(script: Script, wanted: list[tuple[str, str]]) -> None:
    assert rules(script) == wanted


def test_what_the_gate_took_is_a_near_miss() -> None:
    assert rules([(100, YES), (100, NOTHING)], level_dbfs=-80.0) == [("yes", "gate")]


def test_a_near_miss_is_told_at_its_highest() -> None:
    (e,) = explained(moments([(100, {"yes": 0.5}), (20, {"yes": 0.65}), (100, {"yes": 0.4}), (100, NOTHING)]))
    assert e.time == pytest.approx(0.12)
    assert e.verdict.smoothed == pytest.approx(0.65)


def test_the_scores_of_the_last_two_seconds_come_with_it_oldest_first() -> None:
    (e,) = explained(moments([(3_000, NOTHING), (40, {"yes": 0.5}), (20, YES), (200, NOTHING)]))
    assert e.labels == ("yes", "_unknown_")
    assert e.scores.shape == (2, 100)
    assert e.scores[0, -4:].tolist() == pytest.approx([0.0, 0.5, 0.5, 0.9])
    assert e.since == pytest.approx(3.06 - 99 * 0.02)


def test_nothing_from_before_a_gap_is_shown_after_it_and_what_was_rising_is_told() -> None:
    found = explained(moments([(100, {"yes": 0.5}), (100, {"no": 0.5}), (100, NOTHING)], gap_at=5))
    assert [(e.verdict.keyword, e.verdict.rule) for e in found] == [("yes", "threshold"), ("no", "threshold")]
    assert found[1].scores.shape[1] == 1


def test_a_moment_is_explained_for_every_keyword_the_nearest_to_an_event_first() -> None:
    found = explained(moments([(1_000, NOTHING), (300, NO), (300, NOTHING)]), at=(1.05, 1.05))
    assert [(e.verdict.keyword, e.verdict.rule) for e in found] == [("no", "re-arming"), ("yes", "threshold")]
    assert {e.time for e in found} == {1.06}


def test_of_a_part_only_what_happens_there_is_explained() -> None:
    some = moments([(1_000, NOTHING), (300, YES), (700, NOTHING), (300, NO), (700, NOTHING)])
    assert [e.verdict.keyword for e in explained(some, at=(1.5, 2.5))] == ["no"]


def test_memory_is_bounded_where_nobody_fetches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotter.explainer._MOST_WAITING", 3)
    explainer = Explainer(LABELS, CONFIG, HOP)
    for moment in moments([(100, {"yes": 0.5}), (40, NOTHING)] * 5):
        explainer.see(moment)
    assert (len(explainer.found), explainer.dropped) == (3, 2)


def test_a_picture_of_no_chosen_part_shows_where_something_happens_first() -> None:
    kept = Kept(None, seconds=4.0, lead=1.0)
    for moment in moments([(10_000, NOTHING), (300, YES), (10_000, NOTHING)]):
        kept.see(moment)
    assert kept.stretch == pytest.approx((9.02, 13.02))
    assert (kept.moments[0].time, kept.moments[-1].time) == pytest.approx((9.02, 13.02))
    quiet = Kept(None, seconds=4.0)
    for moment in moments([(10_000, NOTHING)]):
        quiet.see(moment)
    assert quiet.stretch is None
    assert (quiet.moments[0].time, quiet.moments[-1].time) == pytest.approx((6.0, 10.0))


def test_scores_are_drawn_as_a_row_of_bars_or_digits_with_the_greatest_of_many() -> None:
    assert spark(np.array([0.0, 0.5, 1.0, np.nan], np.float32)) == "▁▅█?"
    assert spark(np.array([0.0, 0.55, 1.0], np.float32), plain=True) == "059"
    many = np.zeros(100, np.float32)
    many[50] = 1.0
    assert spark(many, plain=True).count("9") == 1
    assert len(spark(many)) == 34
    assert takes_blocks("utf-8")
    assert not takes_blocks("ascii")
    assert not takes_blocks(None)


def test_the_json_has_these_keys_and_null_for_what_is_no_number() -> None:
    e = explained([moments([(20, {"yes": np.nan})])[-1]], at=(0.0, 0.0))[0]
    values = json.loads(json.dumps(e.as_dict(), allow_nan=False))
    assert list(values) == [
        "type",
        "keyword",
        "time",
        "rule",
        "why",
        "score",
        "smoothed",
        "threshold",
        "noise_share",
        "rearm",
        "rival",
        "rival_smoothed",
        "margin",
        "refractory_left",
        "level_dbfs",
        "gate_dbfs",
        "since",
        "hop",
        "scores",
    ]
    assert values["type"] == "explain"
    assert values["score"] is None
    assert values["scores"] == {"yes": [None]}


def test_reasons_are_worked_out_only_for_those_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Decoder, "verdicts", lambda *_: pytest.fail("nobody asked"))
    spotter = Spotter(ScriptedModel())
    spotter.write(recording((1.5, "yes"), seconds=3.0))
    assert [*spotter.events()]


# The command line.


@pytest.fixture
def talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two words; every model is the one that hears tones."""
    monkeypatch.setattr(Model, "open", lambda *_, **__: ScriptedModel())
    path = tmp_path / "talk.wav"
    soundfile.write(path, recording((1.5, "yes"), (3.0, "no"), seconds=4.5), 16_000)
    return str(path)


def test_explain_prints_a_block_after_each_event_and_nothing_else_changes(
    talk: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--input", talk]) == 0
    events = capsys.readouterr().out.splitlines()
    assert main(["--input", talk, "--explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == events
    assert [line[:1] for line in lines] == ["1", " ", " ", " ", "3", " ", " ", " "]
    assert lines[1].split("  ")[2:4] == [events[0].split(" ")[0] + " s", "yes"]
    assert "fired: smoothed 0.970, threshold 0.7, 0.960 ahead of" in lines[1]
    assert lines[2].split()[0] == "yes"
    assert lines[2].split()[1].endswith("█")


def test_explain_says_what_held_a_word_back(talk: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--input", talk, "--explain", "--threshold", "yes=0.98"]) == 0
    out = capsys.readouterr().out
    assert "yes  held back by the threshold: smoothed 0.970, threshold 0.98" in out
    assert out.index("yes  held back") < out.index("no  0.97")


def test_explain_in_json_adds_lines_of_its_own_type(talk: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--input", talk, "--json"]) == 0
    plain = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main(["--input", talk, "--json", "--explain"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [it for it in objects if it["type"] != "explain"] == plain
    assert [(it["type"], it["keyword"], it.get("rule")) for it in objects] == [
        ("detection", "yes", None),
        ("explain", "yes", "fired"),
        ("detection", "no", None),
        ("explain", "no", "fired"),
    ]
    assert objects[0]["time"] == objects[1]["time"]


def test_a_moment_of_a_file_is_explained_and_one_beyond_its_end_is_refused(
    talk: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--input", talk, "--at", "2.93"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "held back" in line]
    assert [line.split()[:3] for line in lines] == [["3.00", "s", "yes"], ["3.00", "s", "no"]]
    assert main(["--input", talk, "--at", "2-2.5"]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith(" ")] == []
    assert main(["--input", talk, "--at", "70"]) == 2
    assert "--at 70 is beyond the 4.50 s that were heard" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.usefixtures("talk", "live")
@pytest.mark.parametrize("as_json", [True, False])
def test_a_microphone_is_explained_as_it_goes(capsys: pytest.CaptureFixture[str], *, as_json: bool) -> None:
    assert main(["--explain", *(["--json"] if as_json else [])]) == 0
    out = capsys.readouterr().out
    if as_json:
        objects = [json.loads(line) for line in out.splitlines()]
        assert [it.get("rule", it["type"]) for it in objects] == ["detection", "fired", "detection", "fired", "gap"]
        assert all(it["wall"].endswith("+00:00") for it in objects)
    else:
        assert out.count("fired: smoothed 0.970") == 2


def test_a_person_at_a_terminal_sees_why_above_the_bar(talk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["--input", talk, "--explain"]) == 0
    shown = terminal.getvalue()
    assert shown.index("yes  0.97") < shown.index("fired: smoothed 0.970") < shown.index("no  0.97")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--at", "1"], "--at 1 is a moment of a recording; give --input FILE"),
        (["--input", "-", "--at", "1"], "give --input FILE"),
        (["--explain-picture", "a.png"], "give --input FILE"),
        (["--input", "a.wav", "--at", "soon"], "'soon' is no moment"),
        (["--input", "a.wav", "--at", "5-4"], "'5-4' is no moment"),
        (["--input", "a.wav", "--at", "nan"], "'nan' is no moment"),
        (["--input", "a.wav", "--at=-3"], "'-3' is no moment"),
        (["--input", "a.wav", "--explain-picture", "a.jpg"], "ends in .png"),
        (["--input", "a.wav", "--explain-picture", "nowhere/a.png"], "no folder 'nowhere'"),
        (["--input", ".", "--explain-picture", "a.png"], "'.' cannot be read twice"),
        (["--input", "a.wav", "--force"], "--force replaces a picture"),
    ],
)
def test_what_cannot_be_explained_gets_one_line_and_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert says in captured.err


def test_without_matplotlib_the_line_says_how_to_get_it_before_anything_is_heard(
    talk: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["--input", talk, "--explain-picture", str(tmp_path / "a.png")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "python -m pip install matplotlib" in captured.err


@pytest.mark.parametrize("more", [["--at", "2"], ["--hop", "20", "--threshold", "no=0.98"]])
def test_a_picture_is_written_whole_and_replaced_only_with_force(
    talk: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    pytest.importorskip("matplotlib", reason="draws the picture; the extra `train` brings it")
    picture = tmp_path / "why.png"
    wanted = ["--input", talk, "--explain-picture", str(picture), *more]
    assert main(wanted) == 0
    assert "wrote " in capsys.readouterr().err
    written = picture.read_bytes()
    assert written.startswith(b"\x89PNG")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["talk.wav", "why.png"]
    assert main(wanted) == 2
    assert "exists; give another name, or --force" in capsys.readouterr().err
    assert picture.read_bytes() == written


def test_a_long_recording_is_drawn_where_something_happens_and_too_long_a_part_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="draws the picture; the extra `train` brings it")
    monkeypatch.setattr(Model, "open", lambda *_, **__: ScriptedModel())
    path = tmp_path / "long.flac"
    soundfile.write(path, recording((50.0, "yes"), (95.0, "no"), seconds=100.0, sample_rate=8_000), 8_000)
    arguments = ["--input", str(path), "--explain-picture", str(tmp_path / "a.png"), "--force"]
    assert main(arguments) == 0
    assert "which shows 42." in capsys.readouterr().err
    assert main([*arguments, "--at", "10-90"]) == 2
    assert "give 60 s at most" in capsys.readouterr().err


def test_what_is_drawn_is_the_part_of_the_sound_that_was_chosen(tmp_path: Path) -> None:
    from spotter.cli.explaining import piece
    from spotter.sources.files import AudioFile

    samples = np.linspace(-0.5, 0.5, 48_000, dtype=np.float32)
    samples[20_000] = np.nan
    soundfile.write(tmp_path / "ramp.wav", samples, 16_000, "FLOAT")
    got = piece(AudioFile(tmp_path / "ramp.wav"), 0.5, 2.5)
    assert len(got) == 32_000
    samples[20_000] = 0.0
    assert np.array_equal(got, samples[8_000:40_000])
    assert len(piece(AudioFile(tmp_path / "ramp.wav"), 2.0, 9.0)) == 16_000


def test_the_help_says_how_to_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("--explain", "--at S|FROM-TO", "--explain-picture FILE.png"))


def test_in_noise_the_share_of_the_threshold_is_named() -> None:
    decoder = Decoder(LABELS, LABELS[2:], DecoderConfig(threshold=0.8, noise_share=0.75), HOP)
    scores = np.array([0.0, 0.0, 0.7, 0.0], np.float32)
    assert decoder.step(scores, HOP, -20.0, -22.0)
    (verdict, _) = decoder.verdicts(scores, HOP)
    moment = Moment(HOP, -20.0, scores, decoder.smoothed.copy(), (verdict,))
    explainer = Explainer(LABELS, decoder.config, HOP)
    explainer.see(moment)
    (explanation,) = explainer.found
    assert "threshold 0.6 (in noise 0.75 of 0.8)" in explanation.why
    assert explanation.as_dict()["noise_share"] == 0.75
