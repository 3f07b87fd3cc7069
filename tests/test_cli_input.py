"""What the command line hears: files of any format, raw samples on stdin, and damaged ones."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spotter.cli.listen import main
from tests.command_line import Piped, pcm, spoken_error, words_of
from tests.fakes import TALK, WORDS, recording


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize(
    ("subtype", "channels", "rate"),
    [("PCM_U8", 1, 16_000), ("PCM_24", 2, 44_100), ("FLOAT", 6, 48_000), ("PCM_16", 1, 8_000), ("PCM_16", 2, 96_000)],
)
def test_any_format_is_heard_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], subtype: str, channels: int, rate: int
) -> None:
    samples = recording(*WORDS, seconds=4.5, sample_rate=rate)
    soundfile.write(tmp_path / "a.wav", np.repeat(samples[:, None], channels, axis=1), rate, subtype)
    assert main(["--input", str(tmp_path / "a.wav")]) == 0
    assert words_of(capsys.readouterr().out) == ["yes", "no"]


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize("rate", [None, 8_000, 48_000])
def test_raw_samples_on_stdin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rate: int | None
) -> None:
    samples = recording(*WORDS, seconds=4.5, sample_rate=rate or 16_000)
    monkeypatch.setattr(sys, "stdin", Piped(pcm(samples)))
    assert main(["--input", "-", *([] if rate is None else ["--rate", str(rate)])]) == 0
    assert words_of(capsys.readouterr().out) == ["yes", "no"]


@pytest.mark.usefixtures("scripted")
def test_stdin_that_ends_in_the_middle_of_a_sample_is_used_and_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Piped(pcm(TALK) + b"x"))
    assert main(["--input", "-"]) == 0
    captured = capsys.readouterr()
    assert words_of(captured.out) == ["yes", "no"]
    assert "spotter: standard input ended in the middle of a sample" in captured.err


@pytest.mark.usefixtures("scripted")
def test_nothing_on_stdin_is_an_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", Piped(b""))
    assert main(["--input", "-"]) == 2
    assert "spotter: standard input gave no samples" in capsys.readouterr().err


@pytest.mark.usefixtures("scripted")
def test_a_terminal_is_no_audio(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", Piped(b"", terminal=True))
    assert "is a terminal" in spoken_error(capsys, ["--input", "-"], 2)


@pytest.mark.usefixtures("scripted")
def test_a_closed_stdin_is_said_to_be_closed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert "is closed" in spoken_error(capsys, ["--input", "-"], 2)


@pytest.mark.usefixtures("scripted")
def test_a_header_that_promises_more_is_said_and_what_is_there_is_used(
    talk: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(Path(talk).read_bytes())
    content[40:44] = (len(content) - 44 + 64_000).to_bytes(4, "little")
    Path(talk).write_bytes(content)
    assert main(["--input", talk]) == 0
    captured = capsys.readouterr()
    assert words_of(captured.out) == ["yes", "no"]
    assert "is 2.00 s shorter than its header says; the 4.50 s that are there were used" in captured.err


@pytest.mark.usefixtures("scripted")
def test_a_damaged_file_gives_what_came_before_and_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.concatenate((TALK, np.random.default_rng(0).uniform(-1, 1, 64_000))), 16_000)
    path.write_bytes(path.read_bytes()[:-40_000])
    assert main(["--input", str(path)]) == 2
    captured = capsys.readouterr()
    assert words_of(captured.out)[:2] == ["yes", "no"]
    assert "cannot be decoded after" in captured.err.splitlines()[-1]


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_samples_that_are_no_numbers_are_a_gap_and_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], value: float
) -> None:
    samples = TALK.copy()
    samples[4_000:4_016] = value
    samples[5_000] = value
    soundfile.write(tmp_path / "a.wav", samples, 16_000, "FLOAT")
    assert main(["--input", str(tmp_path / "a.wav"), "--json"]) == 2
    captured = capsys.readouterr()
    objects = [json.loads(line) for line in captured.out.splitlines()]
    assert [it["type"] for it in objects] == ["gap", "gap", "detection", "detection"]
    assert objects[0] == {"type": "gap", "time": 0.251, "seconds": 0.001, "reason": "invalid"}
    assert "17 samples (at 16 kHz) in 2 places, the first at 0.2500 s" in captured.err.splitlines()[-1]


@pytest.mark.usefixtures("scripted")
def test_one_bad_sample_of_a_fast_device_is_enough_for_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = recording(*WORDS, seconds=4.5, sample_rate=48_000)
    samples[12_001] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, 48_000, "FLOAT")
    assert main(["--input", str(tmp_path / "a.wav")]) == 2
    assert "in 1 place, the first" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.usefixtures("scripted")
def test_what_is_missing_was_not_heard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = TALK.copy()
    samples[8_000:16_000] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, 16_000, "FLOAT")
    assert main(["--input", str(tmp_path / "a.wav")]) == 2
    assert "gaps: 1 (0.50 s), heard: 4.00 s" in capsys.readouterr().err


@pytest.mark.usefixtures("scripted")
def test_one_channel_of_a_recording_is_heard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = np.stack((TALK, recording((1.5, "no"), seconds=4.5)), axis=1)
    soundfile.write(tmp_path / "a.wav", both, 16_000, "FLOAT")
    for channel, heard in (("1", ["yes", "no"]), ("2", ["no"])):
        assert main(["--input", str(tmp_path / "a.wav"), "--channel", channel]) == 0
        assert words_of(capsys.readouterr().out) == heard
