"""Bad input of the command line gets one line, and the exit code that was agreed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.command_line import TINY, Piped, no_system, pcm, spoken_error
from tests.fakes import TALK, FakeSoundDevice


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--threshold", "1.5"], "out of range"),
        (["--threshold", "0"], "out of range"),
        (["--threshold", "nan"], "out of range"),
        (["--threshold", "much"], "no number"),
        (["--threshold", "yes=much"], "no number"),
        (["--threshold", "maybe=0.5"], "no keyword 'maybe'; it knows yes, no"),
        (["--hop", "0"], "multiple of 20 ms"),
        (["--hop", "-20"], "multiple of 20 ms"),
        (["--hop", "33"], "multiple of 20 ms"),
        (["--hop", "nan"], "multiple of 20 ms"),
        (["--hop", "inf"], "multiple of 20 ms"),
        (["--hop", "fast"], "invalid float value"),
        (["--seconds", "0"], "more than 0"),
        (["--seconds", "inf"], "more than 0"),
        (["--seconds", "1e305"], "more than 0"),
        (["--input", ""], "no file name given"),
        (["--rate", "8000"], "is for `--input -`"),
        (["--device", "usb"], "exclude each other"),
        (["--wait"], "--wait is for a microphone"),
        (["--once"], "--once is for a microphone"),
        (["--wait", "--once"], "--wait and --once exclude each other"),
        (["--wait", "--or-demo"], "--wait and --or-demo exclude each other"),
        (["--channel", "0"], "no channel 0; give 1 to 64"),
        (["--channel", "2"], "no channel 2; give 1, or leave it out"),
        (["--channel", "left"], "invalid int value"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_an_argument_that_makes_no_sense_gets_one_line_and_2(
    talk: str, capsys: pytest.CaptureFixture[str], arguments: list[str], hint: str
) -> None:
    assert hint in spoken_error(capsys, ["--input", talk, *arguments], 2)


@pytest.mark.parametrize("content", [None, b"", b"RIFF", b"no sound at all\n" * 50])
def test_a_file_that_is_no_recording_gets_one_line_and_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    assert str(path) in spoken_error(capsys, ["--model", TINY, "--input", str(path)], 2)


def test_a_folder_as_a_file_gets_one_line_and_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is a folder" in spoken_error(capsys, ["--model", TINY, "--input", str(tmp_path)], 2)


@pytest.mark.parametrize("rate", ["0", "999", "1000000"])
def test_a_rate_out_of_range_gets_one_line_and_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rate: str
) -> None:
    monkeypatch.setattr(sys, "stdin", Piped(pcm(TALK)))
    assert "1000 to 768000" in spoken_error(capsys, ["--model", TINY, "--input", "-", "--rate", rate], 2)


def test_a_model_that_cannot_be_used_gets_one_line_and_4(
    tmp_path: Path, talk: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert spoken_error(capsys, ["--model", str(tmp_path / "none"), "--input", talk], 4)
    shutil.copytree(TINY, tmp_path / "changed")
    network = tmp_path / "changed" / "model.tflite"
    network.write_bytes(network.read_bytes()[:-1] + b"!")
    assert spoken_error(capsys, ["--model", str(tmp_path / "changed"), "--input", talk], 4)


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize(
    ("arguments", "hint"),
    [([], "no input device found"), (["--list-devices"], "no input device found")],
)
def test_without_a_microphone_it_says_so_in_one_line_and_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], hint: str
) -> None:
    no_system(monkeypatch)
    assert hint in spoken_error(capsys, arguments, 3)


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize(("device", "hint"), [("piano", "there are: 0"), ("b", "2 input devices match")])
def test_a_device_that_is_not_one_gets_the_list_and_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], device: str, hint: str
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", FakeSoundDevice())
    assert hint in spoken_error(capsys, ["--device", device], 3)
