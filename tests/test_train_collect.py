"""Own words cut out of recordings that are there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.spoken import RATE, babble, said, talk
from train.cli import main
from train.recording.session import Name

ROOT = Path(__file__).parents[1]


def collect(tmp_path: Path, *files: Path, more: tuple[str, ...] = ()) -> int:
    return main(["collect", *map(str, files), "--word", "Hey Robot", "--out", str(tmp_path / "data"), *more])


@pytest.mark.parametrize(
    ("name", "rate", "channels"), [("a.wav", 8_000, 1), ("a.flac", 44_100, 2), ("a.mp3", 48_000, 1)]
)
def test_utterances_are_cut_out_of_any_file(tmp_path: Path, name: str, rate: int, channels: int) -> None:
    samples = talk(1.0, said(0.4), 1.0, said(0.6), 1.0)
    times = np.arange(round(len(samples) * rate / RATE)) * (RATE / rate)
    other = np.interp(times, np.arange(len(samples)), samples)
    soundfile.write(tmp_path / name, np.repeat(other[:, None], channels, axis=1), rate)
    assert collect(tmp_path, tmp_path / name) == 0
    files = sorted((tmp_path / "data" / "hey_robot").iterdir())
    assert [p.name for p in files] == ["me-a_nohash_0.wav", "me-a_nohash_1.wav"]
    assert [soundfile.info(p).duration for p in files] == pytest.approx([0.8, 1.0], abs=0.08)
    assert {soundfile.info(p).samplerate for p in files} == {RATE}


def test_of_each_file_it_is_said_what_was_found_and_what_was_left_out_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loud = np.clip(talk(0.6, said(peak=3.0), 0.6), -1, 1)
    for name, samples in {
        "good": talk(0.6, said(), 0.6),
        "mixed": talk(1.0, said(0.9), 1.0, babble(9.9), 1.0, said(0.2, 0.05), 0.8, said(0.36, 0.05), 1.0),
        "loud": loud,
        "silent": np.zeros(RATE * 2, np.float32),
    }.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE)
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    assert collect(tmp_path, tmp_path) == 0
    out = capsys.readouterr().out
    lines = {Path(line.partition(":")[0]).name: line for line in out.splitlines() if not line.startswith("  ")}
    assert "1 found, 1 kept" in lines["good.wav"]
    assert "4 found, 1 kept" in lines["mixed.wav"]
    assert "1 found, none kept" in lines["loud.wav"]
    assert "none found" in lines["silent.wav"]
    assert "no audio file" in lines["broken.wav"]
    assert "s without a pause are too long" in out
    assert "s are too short for it (0.30 s at least)" in out
    assert "clipped (" in out
    assert "short and soft beside the others" in out
    assert len(list((tmp_path / "data" / "hey_robot").iterdir())) == 2


def test_a_file_collected_before_is_passed_over_and_nothing_is_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "a.wav", talk(1.0, said(0.4), 1.0, said(0.6), 1.0), RATE)
    there = tmp_path / "data" / "hey_robot" / "me-a_nohash_0.wav"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"mine")
    assert collect(tmp_path, tmp_path / "a.wav") == 0
    assert collect(tmp_path, tmp_path / "a.wav") == 0
    assert "was collected before" in capsys.readouterr().out
    assert there.read_bytes() == b"mine"
    assert len(list(there.parent.iterdir())) == 3
    (tmp_path / "data" / "_sessions" / "me-a.json").unlink()  # as if it had been stopped in the middle
    assert collect(tmp_path, tmp_path / "a.wav") == 0
    assert len(list(there.parent.iterdir())) == 3
    assert collect(tmp_path, tmp_path / "a.wav") == 0
    assert "was collected before" in capsys.readouterr().out


def test_whose_a_file_is_is_told_by_options_or_names(tmp_path: Path) -> None:
    for name in ("alice-1", "alice-2", "bob-1", "bob-2", "e6f_nohash_3"):
        soundfile.write(
            tmp_path / f"{name}.wav", talk(0.6, said(0.4 + 0.01 * len(name), hz=ord(name[0]) * 5), 0.6), RATE
        )
    assert collect(tmp_path, *sorted(tmp_path.glob("*.wav"))) == 0
    names = [Name.of(p) for p in (tmp_path / "data" / "hey_robot").iterdir()]
    assert {n.speaker for n in names if n} == {"alice", "bob", "e6f"}
    for path in tmp_path.glob("data/_sessions/*"):
        path.unlink()
    assert collect(tmp_path, *sorted(tmp_path.glob("*.wav")), more=("--speaker", "carl", "--session", "x")) == 0
    names = [Name.of(p) for p in (tmp_path / "data" / "hey_robot").glob("carl*")]
    assert {(n.speaker, n.session) for n in names if n} == {("carl", "x")}


def test_nothing_usable_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE), RATE)
    assert collect(tmp_path, tmp_path / "a.wav", tmp_path / "missing.wav") == 2
    captured = capsys.readouterr()
    assert "there is no file" in captured.out
    assert captured.err.splitlines() == ["train: no usable utterance in 2 files"]
    (tmp_path / "empty").mkdir()
    assert collect(tmp_path, tmp_path / "empty") == 2
    assert not (tmp_path / "data").exists()


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
from train.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits are those of Linux and macOS")
def test_collecting_onto_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", talk(1.0, said(0.4), 1.0), RATE)
    command = [sys.executable, "-c", FULL, "collect", "a.wav", "--word", "lamp", "--out", "data"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "no space left" in line
    assert [p for p in (tmp_path / "data").rglob("*") if p.is_file()] == []


def test_recording_and_collecting_load_nothing_heavy() -> None:
    code = "import sys, train.cli.record, train.recording.recorder\n"
    code += "import train.recording.collecting, train.recording.reviewing\n"
    code += "print([m for m in sys.modules if m.split('.')[0] in ('scipy', 'tensorflow', 'keras', 'sounddevice')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
