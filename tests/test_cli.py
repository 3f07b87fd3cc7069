"""The command line: what it prints of a recording, its subcommands, and what it loads."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spotter import __version__
from spotter.cli import main as spotter_main
from spotter.cli.listen import main, thresholds
from spotter.errors import BadInputError
from tests.command_line import ROOT, TINY, no_system, spoken_error, words_of
from tests.fakes import FakeSoundDevice


@pytest.mark.usefixtures("scripted")
def test_a_recording_gives_a_line_for_each_keyword_and_counts(talk: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--input", talk]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert [line.split("  ")[1] for line in lines] == ["yes", "no"]
    assert lines[0].split("  ")[0].endswith(" s")
    assert lines[0].split("  ")[2] == "0.97"
    assert captured.err.startswith("listening to ")
    assert "detections: 2, overflows: 0, gaps: 0 (0.00 s), heard: 4.50 s" in captured.err
    assert "windows: " in captured.err


@pytest.mark.usefixtures("scripted")
def test_json_is_one_object_a_line_with_the_agreed_fields(talk: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--input", talk, "--json"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [it["keyword"] for it in objects] == ["yes", "no"]
    assert list(objects[0]) == ["type", "keyword", "score", "time", "start", "end"]
    assert objects[0]["type"] == "detection"


def test_a_model_folder_works_as_it_is(talk: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", TINY, "--input", talk, "--hop", "60", "--threshold", "yes=0.9"]) == 0
    assert "hop 60 ms" in capsys.readouterr().err


@pytest.mark.usefixtures("scripted")
def test_seconds_end_early(talk: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--input", talk, "--seconds", "2.5"]) == 0
    captured = capsys.readouterr()
    assert words_of(captured.out) == ["yes"]
    assert "heard: 2.50 s" in captured.err


@pytest.mark.usefixtures("scripted")
def test_a_threshold_decides(talk: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--input", talk, "--threshold", "0.5", "--threshold", "yes=0.99"]) == 0
    assert words_of(capsys.readouterr().out) == ["no"]


def test_or_demo_hears_the_shipped_recording_where_there_is_no_microphone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_system(monkeypatch)
    assert main(["--model", TINY, "--or-demo", "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("spotter: no input device found")
    assert "the recording that ships with spotter" in captured.err
    assert "windows: 285" in captured.err  # all of it


def test_or_demo_does_not_hide_other_mistakes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_system(monkeypatch)
    assert "multiple" in spoken_error(capsys, ["--model", TINY, "--or-demo", "--hop", "7"], 2)


def test_the_devices_are_listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", FakeSoundDevice())
    assert main(["--list-devices"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "*  0  Built-in Microphone, Fake Audio (2 in, 44100 Hz)",
        "   2  USB Headset, Fake Audio (1 in, 44100 Hz)",
    ]
    assert main(["--list-devices", "--json"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (first["type"], first["number"], first["default"]) == ("device", 0, True)


def test_the_models_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("spotter.model_folders.user_models_folder", lambda: tmp_path)
    shutil.copytree(TINY, tmp_path / "mine")
    assert main(["--list-models"]) == 0
    assert "mine  yes, no (" in capsys.readouterr().out
    assert main(["--list-models", "--json"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [it["keywords"] for it in objects if it["name"] == "mine"] == [["yes", "no"]]


def test_thresholds_may_be_mixed_in_any_order() -> None:
    assert thresholds(["yes=0.9", "0.5", "no=0.4", "0.6"]) == (0.6, {"yes": 0.9, "no": 0.4})
    assert thresholds([]) == (None, {})
    with pytest.raises(BadInputError, match="no number"):
        thresholds(["yes="])


@pytest.mark.parametrize("command", [["--version"], ["listen", "--version"]])
def test_the_version(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert spotter_main(command) == 0
    assert capsys.readouterr().out == f"spotter {__version__}\n"


def test_the_command_has_subcommands(talk: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert spotter_main(["listen", "--model", TINY, "--input", talk]) == 0
    assert "windows: " in capsys.readouterr().err
    assert spotter_main([]) == 2
    assert "COMMAND" in capsys.readouterr().err


def test_help_has_examples_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from spotter.cli.listen import main; main(['--help']); "
        "sys.exit(sum(name in sys.modules for name in ('numpy', 'sounddevice', 'soundfile', 'rich', 'ai_edge_litert')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "examples:" in done.stdout


def test_a_recording_needs_no_sound_system_and_a_pipe_no_rich(talk: str) -> None:
    code = (
        f"import sys; from spotter.cli.listen import main; main(['--model', {TINY!r}, '--input', {talk!r}]); "
        "sys.exit(sum(name in sys.modules for name in ('sounddevice', 'rich', 'scipy', 'tensorflow', 'soxr')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
