"""A recording that cannot begin, is cut off, or meets a full or slow disk."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

import spotter.record
from spotter.cli.listen import main as listen
from spotter.errors import BadInputError
from spotter.events import Detection
from spotter.model import Model
from spotter.record import Recorder
from spotter.wav_writer import HEADER_BYTES, WavWriter
from tests.fakes import TALK, LiveSystem
from tests.recorded_streams import DEMO, RATE, ROOT, again, notes

if TYPE_CHECKING:
    from pathlib import Path

    from spotter.arrays import Floats


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize(
    ("arguments", "there", "said"),
    [
        (["--record", "{}/a.wav"], "a.wav", "exists; give another name, or --force"),
        (["--record", "{}/a.wav"], "a.wav.json", "exists; give another name, or --force"),
        (["--record", "{}/a.flac"], "", "ends in .wav"),
        (["--record", "{}/none/a.wav"], "", "cannot be written"),
        (["--record", "{}/a.wav", "--input", str(DEMO)], "", "a recording already"),
        (["--record", "{}/a.wav", "--or-demo"], "", "exclude each other"),
        (["--record", "{}/a.wav", "--exec", "no-such-program"], "", "no program"),
        (["--record", "{}/a.wav", "--mqtt", "nonsense://x"], "", "no address of a broker"),
        (["--save-limit", "3"], "", "--save-limit is for --save"),
        (["--save", "{}/clips", "--save-limit", "0"], "", "no limit"),
        (["--save", "{}/clips", "--save-limit", "nan"], "", "no limit"),
    ],
)
def test_what_cannot_be_recorded_gets_one_line_and_2(
    arguments: list[str], there: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], live: LiveSystem
) -> None:
    if there:
        (tmp_path / there).write_text("mine")
    assert listen([text.format(tmp_path) for text in arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert [path.read_text() for path in tmp_path.iterdir() if path.is_file()] == (["mine"] if there else [])


def test_without_a_microphone_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.fakes import FakeSoundDevice

    monkeypatch.setitem(sys.modules, "sounddevice", FakeSoundDevice(devices=()))
    assert listen(["--record", str(tmp_path / "a.wav")]) == 3
    assert list(tmp_path.iterdir()) == []


def test_force_replaces_a_recording_and_its_notes(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    for force, count in ((False, 30_000), (True, 10_000)):
        recorder = Recorder(path, force=force)
        recorder.begin(RATE, 1)
        recorder.lose(5, "driver")
        recorder.hear(TALK[:count, None])
        recorder.end()
        assert soundfile.info(path).frames == count
        assert len(notes(path)["missing"]) == 1


def test_force_keeps_the_recording_that_is_there_until_something_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    for samples in (TALK, TALK[:0]):
        recorder = Recorder(path, force=True)
        recorder.begin(RATE, 1)
        if len(samples):
            recorder.lose(5, "driver")
            recorder.hear(samples[:, None])
        recorder.end()
        assert soundfile.info(path).frames == len(TALK)
        assert len(notes(path)["missing"]) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no locks that are let go of by themselves")
def test_force_does_not_write_over_a_recording_that_is_being_made(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    recorder = Recorder(path)
    recorder.begin(RATE, 1)
    recorder.hear(TALK[:, None])
    with pytest.raises(
        BadInputError, match=r"a\.wav is just being recorded; wait until that has ended, or give another"
    ):
        Recorder(path, force=True)
    recorder.end()
    assert soundfile.info(path).frames == len(TALK)
    Recorder(path, force=True).end()


def test_force_never_touches_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(BadInputError, match="give another name"):
        Recorder(tmp_path / "a.wav", force=True)


def start(path: Path, *, preexec: Any = None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "spotter.listen", "--json", "--input", "-", "--record", str(path)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=preexec,  # noqa: PLW1509  a limit of the child alone
    )


def demo_as_pcm(seconds: float = 30.0) -> bytes:
    samples = soundfile.read(DEMO, dtype="int16")[0]
    return bytes(samples[: round(seconds * RATE)].astype("<i2").tobytes())


def test_a_killed_recording_can_be_heard_up_to_the_last_seconds(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    child = start(path)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(demo_as_pcm())
        child.stdin.flush()
        first = json.loads(child.stdout.readline())
        deadline = time.monotonic() + 60
        while not (path.stat().st_size > HEADER_BYTES and soundfile.info(path).frames > 5 * RATE):
            assert time.monotonic() < deadline, "the header is never brought up to date"
            time.sleep(0.05)
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    events = again(path, Model.open())
    assert isinstance(events[0], Detection)
    assert (events[0].keyword, round(events[0].time, 4)) == (first["keyword"], first["time"])


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of a file's size")
def test_a_full_disk_ends_the_recording_with_one_line_and_not_listening(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "a.wav"
    most = 300_000
    child = start(path, preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))
    out, err = child.communicate(demo_as_pcm(), timeout=60)
    assert child.returncode == 0
    assert len([line for line in out.splitlines() if b"detection" in line]) == 10
    said = err.decode().splitlines()
    assert sum("recording to" in line and "listening goes on" in line for line in said) == 1
    assert "Traceback" not in err.decode()
    info = soundfile.info(path)
    assert info.frames == (most - HEADER_BYTES) // 4  # every whole sample that fitted
    samples = soundfile.read(path, dtype="float32")[0]
    assert np.array_equal(samples, soundfile.read(DEMO, dtype="float32")[0][: len(samples)])


def test_a_disk_that_does_not_follow_costs_noted_parts_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    free = threading.Event()
    really = WavWriter.write

    def slow(writer: WavWriter, frames: Floats) -> None:
        free.wait(20.0)
        really(writer, frames)

    monkeypatch.setattr(WavWriter, "write", slow)
    path = tmp_path / "a.wav"
    recorder = Recorder(path)
    recorder.begin(RATE, 1)
    for _ in range(40):
        recorder.hear(np.full((RATE, 1), 0.5, np.float32))
    free.set()
    recorder.end()
    (place,) = notes(path)["missing"]
    assert place["reason"] == "disk"
    assert soundfile.info(path).frames + place["frames"] == 40 * RATE
    assert sum("too slow" in record.getMessage() for record in caplog.records) == 1


def test_a_device_that_is_back_in_another_format_ends_the_recording_with_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.wav"
    recorder = Recorder(path)
    recorder.begin(RATE, 1)
    recorder.hear(TALK[:, None])
    recorder.miss(100, "device")
    recorder.begin(48_000, 2)
    recorder.hear(np.zeros((480, 2), np.float32))
    recorder.end()
    assert soundfile.info(path).frames == len(TALK)
    assert any("48000 Hz with 2 channels" in record.getMessage() for record in caplog.records)


def test_the_first_device_that_is_there_says_the_format(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.wav")
    recorder.begin(RATE, 1)  # guessed: there is no device yet
    recorder.miss(8_000, "device")
    recorder.begin(48_000, 2)
    recorder.hear(np.zeros((480, 2), np.float32))
    recorder.end()
    assert soundfile.info(tmp_path / "a.wav").channels == 2
    assert notes(tmp_path / "a.wav")["missing"] == [{"frame": 0, "samples": 8_000, "reason": "device"}]


def test_notes_that_cannot_be_written_end_the_recording_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_path: Path, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(spotter.record, "_replace", full)
    recorder = Recorder(tmp_path / "a.wav")
    recorder.begin(RATE, 1)
    recorder.hear(TALK[:, None])
    recorder.end()
    assert sum("No space left" in record.getMessage() for record in caplog.records) == 1
