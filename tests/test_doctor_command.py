"""The doctor's command: recordings, arguments, versions, a terminal, and a real sound system."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

import spotter.cli
from spotter.cli.doctor import main
from tests.doctoring import DEMO, RATE, ROOT, SPEECH, examined
from tests.fakes import Terminal
from tests.test_live import missing
from tests.virtual_mic import SINK, VirtualMic

if TYPE_CHECKING:
    from pathlib import Path


def test_a_recording_is_examined_in_the_place_of_a_microphone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "loud.wav"
    soundfile.write(path, np.clip(np.tile(SPEECH, 5) * 30, -1, 1), RATE)
    assert main(["--input", str(path)]) == 0
    out = capsys.readouterr().out
    assert "warn too loud" in out
    assert "15.0 s" in out
    assert main(["--input", str(DEMO), "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["problems"] == []
    assert values["recording"]["seconds"] == pytest.approx(27.79, abs=0.01)
    assert "devices" not in values


@pytest.mark.parametrize("seconds", [0.001, 0.5])
def test_a_very_short_recording_is_examined_too(
    seconds: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, SPEECH[RATE : RATE + round(seconds * RATE)], RATE)
    assert main(["--input", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["recording"]["seconds"] == seconds


def test_a_recording_of_nothing_but_zeros_ends_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "dead.wav", np.zeros(RATE), RATE)
    assert main(["--input", str(tmp_path / "dead.wav")]) == 3
    assert "FAIL nothing but zeros" in capsys.readouterr().out


def test_a_recording_that_cannot_be_read_ends_with_2_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--input", "nowhere.wav", "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--input", "a.wav", "--no-mic"], ["--device", "1", "--no-mic"], ["--x"]])
def test_arguments_that_exclude_each_other_end_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_versions_are_there_for_a_bug_report(capsys: pytest.CaptureFixture[str]) -> None:
    _, values = examined(capsys, SPEECH)
    assert set(values["versions"]) >= {"spotter", "python", "platform", "machine", "numpy", "sounddevice", "libsndfile"}
    assert values["versions"]["numpy"] == np.__version__


def test_the_command_has_both_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert spotter.cli.main(["doctor", "--no-mic"]) == 0
    whole = capsys.readouterr().out
    done = subprocess.run(
        [sys.executable, "-m", "spotter.doctor", "--no-mic"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == whole
    assert "\x1b" not in whole


def test_at_a_terminal_there_are_colours_and_no_line_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert main(["--no-mic"]) == 0
    assert "\x1b[" in out.getvalue()
    assert "stream and batch agree" in out.getvalue()


@pytest.mark.skipif(bool(missing()), reason=missing() or "all there")
def test_a_real_sound_system_is_examined(tmp_path: Path) -> None:
    samples = soundfile.read(DEMO, dtype="int16")[0]
    soundfile.write(tmp_path / "demo.wav", np.tile(samples, 4), RATE)  # longer than this takes
    with VirtualMic() as mic:
        player = subprocess.Popen(["paplay", f"--device={SINK}", str(tmp_path / "demo.wav")], env=mic.client_env())
        try:
            command = [sys.executable, "-m", "spotter.doctor", "--json"]
            done = subprocess.run(
                command, cwd=ROOT, env=mic.client_env(), capture_output=True, text=True, timeout=60, check=False
            )
        finally:
            player.kill()
            player.wait()
    values = json.loads(done.stdout)
    assert done.returncode == 0, (values["problems"], done.stderr)
    assert "PortAudio" in values["versions"]["portaudio"]
    assert any(device["default"] for device in values["devices"])
    assert values["microphone"]["seconds"] == pytest.approx(2.0, abs=0.01)
    assert values["microphone"]["noise_floor_dbfs"] > -100
