"""Recording one's own words with a microphone: kept, gone on with, and never lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spotter.model import Model
from spotter.recorded import spot
from tests.spoken import RATE, THREE, Spoken, room
from tests.test_live import missing
from tests.virtual_mic import VirtualMic
from train.cli import main
from train.recording.session import Name
from train.recording.utterances import ROOM_S

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "spotter" / "data" / "demo.flac"


@pytest.fixture
def speak(monkeypatch: pytest.MonkeyPatch) -> Callable[[Spoken], None]:
    def install(source: Spoken) -> None:
        monkeypatch.setattr("spotter.sources.microphone.Microphone", lambda _device: source)

    return install


def record(out: Path, *more: str) -> int:
    return main(["record", "Hey Robot", "--out", str(out), "--pause", "0.3", *more])


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (48_000, 2)])
def test_takes_are_recorded_trimmed_at_16_khz_whatever_the_device_does(
    tmp_path: Path, speak: Callable[[Spoken], None], capsys: pytest.CaptureFixture[str], rate: int, channels: int
) -> None:
    source = Spoken(np.repeat(THREE, rate // RATE), sample_rate=rate, channels=channels)
    speak(source)
    assert record(tmp_path, "--count", "3", "--speaker", "anna") == 0
    files = sorted((tmp_path / "hey_robot").iterdir())
    assert [Name.of(p).number for p in files if Name.of(p)] == [0, 1, 2]  # type: ignore[union-attr]
    for path, seconds in zip(files, (0.4, 0.5, 0.6), strict=True):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (RATE, 1, "PCM_16")
        assert info.duration == pytest.approx(seconds + 2 * ROOM_S, abs=0.06)
    out = capsys.readouterr().out
    assert "0 of 3 takes are there" in out
    assert "3 recordings were kept" in out
    assert source.closed == 1


def test_the_same_command_goes_on_counting_and_says_how_many_there_are(
    tmp_path: Path, speak: Callable[[Spoken], None], capsys: pytest.CaptureFixture[str]
) -> None:
    speak(Spoken(THREE[: round(3.2 * RATE)]))
    assert record(tmp_path, "--count", "3") == 3
    before = {p: p.read_bytes() for p in (tmp_path / "hey_robot").iterdir()}
    assert len(before) == 1
    captured = capsys.readouterr()
    (sentence,) = captured.err.splitlines()
    assert "stopped by itself" in sentence
    assert "1 recording was kept" in sentence
    speak(Spoken(THREE))
    assert record(tmp_path, "--count", "3") == 0
    assert "1 of 3 takes are there" in capsys.readouterr().out
    files = sorted((tmp_path / "hey_robot").iterdir())
    assert len(files) == 3
    assert len({p.name.split("_nohash_")[0] for p in files}) == 1
    assert {p: p.read_bytes() for p in before} == before
    assert record(tmp_path, "--count", "3") == 0
    assert "nothing is left to say" in capsys.readouterr().out


def test_nobody_speaks_ends_with_1_and_a_sentence(
    tmp_path: Path, speak: Callable[[Spoken], None], capsys: pytest.CaptureFixture[str]
) -> None:
    speak(Spoken(room(1.0), vanishes=False))
    assert record(tmp_path, "--longest", "1") == 1
    assert "too many takes without a usable word" in capsys.readouterr().out


def test_a_full_disk_is_one_sentence_and_nothing_half_written(
    tmp_path: Path,
    speak: Callable[[Spoken], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    speak(Spoken(THREE))
    assert record(tmp_path) == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "no space left" in sentence
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["lamp", "Lamp"], "given twice"),
        (["a/b"], "no folder can be called so"),
        (["x" * 61], "choose a shorter one"),
        (["lamp", "--count", "0"], "--count 0"),
        (["lamp", "--pause", "-1"], "--pause -1"),
        (["lamp", "--longest", "99"], "--longest 99"),
        (["lamp", "--speaker", "!"], "the speaker '!'"),
        (["lamp", "--session", "_nohash_"], "the session '_nohash_'"),
        (["lamp", "--out", __file__], "is no folder"),
    ],
)
def test_bad_arguments_end_with_2_and_one_sentence(
    arguments: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["record", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert what in line


def test_ctrl_c_ends_it_with_0_and_what_was_kept_stays(
    tmp_path: Path, speak: Callable[[Spoken], None], capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(Spoken):
        def check(self) -> None:
            if self._at >= len(self._samples):
                raise KeyboardInterrupt
            super().check()

    speak(Interrupted(THREE[: round(3.2 * RATE)]))
    assert record(tmp_path) == 0
    captured = capsys.readouterr()
    assert "1 recording was kept" in captured.out
    assert "run the same command again" in captured.out
    assert captured.err == ""
    assert len(list((tmp_path / "hey_robot").iterdir())) == 1


@pytest.mark.skipif(bool(missing()) and os.environ.get("SPOTTER_VIRTUAL_MIC") != "require", reason=missing() or "there")
def test_words_played_into_a_real_sound_system_are_recorded_and_its_loss_keeps_them(tmp_path: Path) -> None:
    samples, rate = soundfile.read(DEMO, dtype="int16")
    soundfile.write(tmp_path / "demo.wav", samples[: 7 * rate], rate, "PCM_16")
    command = [sys.executable, "-m", "train", "record", "lamp", "--out", str(tmp_path / "data")]
    command += ["--count", "9", "--pause", "0.2"]
    with VirtualMic() as mic, (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        environment = {**mic.client_env(), "PYTHONPATH": str(ROOT)}
        child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        try:
            mic.wait_for_listener()
            mic.play(tmp_path / "demo.wav")
            limit = time.monotonic() + 60.0
            while len(list(tmp_path.glob("data/lamp/*.wav"))) < 3 and time.monotonic() < limit:
                time.sleep(0.02)
            mic.kill()
            assert child.wait(60.0) == 3
        finally:
            child.kill()
            child.wait()
    said_so = [line for line in (tmp_path / "err").read_text("utf-8").splitlines() if line.startswith("train: ")]
    assert len(said_so) == 1
    assert "recordings were kept" in said_so[0]
    files = sorted((tmp_path / "data" / "lamp").iterdir())
    model = Model.open("commands")
    heard = [[d.keyword for d in spot(soundfile.read(p, dtype="float32")[0], RATE, model)] for p in files]
    assert heard[:3] == [["yes"], ["no"], ["up"]]
