"""A stream that was kept is heard again with the same events, whatever ended or disturbed its recording."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import spotter.record
from spotter.cli.listen import main as listen
from spotter.errors import BadInputError
from spotter.events import Detection, Event, Gap, Skipped
from spotter.health import HealthMonitor
from spotter.listener import Listener
from spotter.model import Model
from spotter.pipeline import Spotter
from spotter.record import Recorder
from spotter.ring import Ring
from spotter.sources import Missing
from spotter.sources.files import AudioFile
from spotter.sources.recordings import Recording, notes_path, open_sound
from spotter.wav_writer import HEADER_BYTES, WavWriter, header
from tests.fakes import TALK, LiveSystem, ScriptedModel, recording
from tests.test_live import missing
from tests.virtual_mic import VirtualMic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spotter.arrays import Floats

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "spotter" / "data" / "demo.flac"
RATE = 16_000


def again(path: Path, model: Any = None) -> list[Event]:
    """What the recording gives when it is heard."""
    listener = Listener(model or ScriptedModel(), source=open_sound(path))
    listener.start()
    events = [event for event in listener.events() if event is not None]
    listener.stop()
    return events


def notes(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(notes_path(path).read_text("utf-8"))
    return values


# The file


@settings(max_examples=25)
@given(st.integers(1, 3), st.sampled_from([8_000, 16_000, 44_100]), st.lists(st.integers(0, 700), max_size=6))
def test_what_is_written_is_read_back_to_the_bit_at_any_moment(channels: int, rate: int, sizes: list[int]) -> None:
    import tempfile

    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.wav"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
        writer = WavWriter(descriptor, rate, channels)
        written: Floats = np.zeros((0, channels), np.float32)
        for size in sizes:
            block = rng.standard_normal((size, channels)).astype(np.float32)
            writer.write(block)
            writer.update()
            written = np.concatenate((written, block))
            samples, found = soundfile.read(path, dtype="float32", always_2d=True)
            assert found == rate
            assert np.array_equal(samples, written)
        os.close(descriptor)


def test_past_two_gigabytes_it_is_an_rf64_file_that_others_read(tmp_path: Path) -> None:
    frames = (5 << 30) // 4
    path = tmp_path / "long.wav"
    with path.open("wb") as out:
        out.write(header(frames, RATE, 1))
        out.truncate(HEADER_BYTES + 4 * frames)  # a hole: it takes no room
    info = soundfile.info(path)
    assert (info.format, info.frames, info.samplerate) == ("RF64", frames, RATE)
    assert AudioFile(path).frames == frames
    with soundfile.SoundFile(path) as file:
        file.seek(frames - 10)
        assert len(file.read()) == 10


def test_below_that_it_is_a_plain_wav_file(tmp_path: Path) -> None:
    assert header(1_000, RATE, 1)[:4] == b"RIFF"
    assert header(1_000, RATE, 2)[:4] == b"RIFF"
    assert header((1 << 31) // 4, RATE, 1)[:4] == b"RF64"
    assert len(header(10, RATE, 1)) == len(header(1 << 40, RATE, 1)) == HEADER_BYTES


# Live and heard again


def run_live(tape: Any, *, late: Callable[[int], bool] | None = None) -> list[Event]:
    """Drive a pipeline as a device does that loses audio, goes away and comes back, and sends what is no number.

    `late` says of windows, by their number, whether it is too late for them.
    """
    spotter = Spotter(ScriptedModel())
    number = itertools.count()
    if late is not None:
        spotter.judge.too_late = lambda _waiting: late(next(number))
    spotter.health = HealthMonitor()
    spotter.tape = tape
    tape.begin(RATE, 1)
    events: list[Event] = []

    def push(samples: Floats, block: int = 777) -> None:
        for at in range(0, len(samples), block):
            spotter.write(samples[at : at + block])
            events.extend(spotter.events())

    push(TALK)
    spotter.ring.lose(4_321, "driver")
    spotter.ring.lose(5, "overflow")
    push(recording((1.5, "no"), seconds=3.0))
    push(np.full(300, np.nan, np.float32))
    push(np.zeros(5 * RATE, np.float32))
    spotter.ring.flush()
    events.extend(spotter.events())
    events.extend(spotter.miss(32_123, "device"))
    ring = Ring(spotter.ring.capacity, 1)
    spotter.take(ring, RATE, 1)
    push(recording((1.2, "yes"), (2.4, "no"), seconds=4.0))
    spotter.ring.lose(100, "driver")
    events.extend(spotter.finish())
    return events


def test_a_stream_with_every_kind_of_loss_gives_the_same_events_again(tmp_path: Path) -> None:
    path = tmp_path / "night.wav"
    recorder = Recorder(path)
    live = run_live(recorder)
    recorder.end()
    assert [type(event).__name__ for event in live].count("Gap") == 5
    assert sum(isinstance(event, Detection) for event in live) == 5
    assert again(path) == live
    assert [entry["reason"] for entry in notes(path)["missing"]] == ["driver", "overflow", "device", "driver"]


@pytest.mark.parametrize("seed", range(6))
def test_windows_that_were_left_out_are_left_out_again(tmp_path: Path, seed: int) -> None:
    chance = np.random.default_rng(seed)
    out = np.repeat(chance.random(60) < 0.3, chance.integers(1, 9, 60))
    path = tmp_path / "night.wav"
    recorder = Recorder(path)
    live = run_live(recorder, late=lambda n: bool(out[n % len(out)]))
    recorder.end()
    assert sum(isinstance(event, Skipped) for event in live) > 3
    assert again(path) == live


def test_the_shipped_model_decides_the_same_again_at_another_rate_and_channels(tmp_path: Path) -> None:
    import soxr

    path = tmp_path / "a.wav"
    speech = soundfile.read(DEMO, dtype="float32")[0]
    sound = np.stack([soxr.resample(speech, RATE, 44_100) * gain for gain in (0.9, 0.7)], axis=1).astype(np.float32)
    model = Model.open()
    spotter = Spotter(model, sample_rate=44_100, channels=2)
    spotter.health = HealthMonitor()
    recorder = Recorder(path)
    spotter.tape = recorder
    recorder.begin(44_100, 2)
    live: list[Event] = []
    for number, at in enumerate(range(0, len(sound), 2_205)):
        if number in (100, 101, 300):
            spotter.ring.lose(2_205 * 3 + number, "driver")
            continue
        spotter.write(sound[at : at + 2_205])
        live.extend(spotter.events())
    live.extend(spotter.finish())
    recorder.end()
    info = soundfile.info(path)
    assert (info.samplerate, info.channels, info.subtype) == (44_100, 2, "FLOAT")
    assert sum(isinstance(event, Detection) for event in live) >= 8
    assert again(path, model) == live


def test_a_ring_that_overflowed_while_live_overflows_at_the_same_place_again(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    recorder = Recorder(path)
    spotter = Spotter(ScriptedModel(), ring_seconds=1.0)
    spotter.health = HealthMonitor()
    spotter.tape = recorder
    recorder.begin(RATE, 1)
    live: list[Event] = []
    for at in range(0, len(TALK), 20_000):  # more than the ring holds
        spotter.write(TALK[at : at + 20_000])
        live.extend(spotter.events())
    live.extend(spotter.finish())
    recorder.end()
    assert sum(isinstance(event, Gap) for event in live) >= 3
    assert again(path) == live


@pytest.mark.usefixtures("scripted")
def test_the_command_records_a_microphone_and_clips_at_once(
    live: LiveSystem, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, clips = tmp_path / "night.wav", tmp_path / "clips"
    assert listen(["--json", "--record", str(path), "--save", str(clips)]) == 0
    captured = capsys.readouterr()
    told = [json.loads(line) for line in captured.out.splitlines()]
    for event in told:
        assert event.pop("wall")
    assert [event["type"] for event in told] == ["detection", "detection", "gap"]
    assert f"in {path}" in captured.err
    assert len(list(clips.glob("*.wav"))) == 2
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE
    assert np.array_equal(samples, TALK)
    assert listen(["--json", "--input", str(path)]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == told
    assert notes(path)["listened"]["model"] == "scripted"


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotter.model.Model.open", lambda _name: ScriptedModel())


@pytest.mark.usefixtures("scripted")
def test_standard_input_is_recorded_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    data = (TALK * 32_767).astype("<i2").tobytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data), isatty=lambda: False))
    path = tmp_path / "in.wav"
    assert listen(["--json", "--input", "-", "--record", str(path)]) == 0
    live = capsys.readouterr().out
    assert len(live.splitlines()) == 2
    assert listen(["--json", "--input", str(path)]) == 0
    assert capsys.readouterr().out == live


# What goes wrong


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
        deadline = time.monotonic() + 30
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


# Notes


def kept(folder: Path, missing: object) -> Path:
    path = folder / "a.wav"
    soundfile.write(path, TALK, RATE, "FLOAT")
    values = {"type": "recording", "format": 1, "sample_rate": RATE, "channels": 1, "missing": missing}
    notes_path(path).write_text(json.dumps(values), "utf-8")
    return path


def pieces(path: Path) -> Iterator[int | Missing]:
    for block in open_sound(path).blocks():
        yield block if isinstance(block, Missing) else len(block)


def test_missing_places_lie_where_the_notes_say(tmp_path: Path) -> None:
    missing = [
        {"frame": 0, "samples": 5, "reason": "device"},
        {"frame": 16_000, "frames": 7, "reason": "driver"},
        {"frame": 16_000, "frames": 8, "reason": "overflow"},
        {"frame": 20_000, "frames": 9, "reason": "driver"},
        {"frame": len(TALK), "frames": 10, "reason": "driver"},
        {"frame": len(TALK) + 1, "frames": 11, "reason": "driver"},  # the kill came before the samples
    ]
    found = list(pieces(kept(tmp_path, missing)))
    assert [item for item in found if isinstance(item, Missing)] == [
        Missing(samples=5, reason="device"),
        *(
            Missing(frames=frames, reason=why)
            for frames, why in ((7, "driver"), (8, "overflow"), (9, "driver"), (10, "driver"))
        ),
    ]
    at, places = 0, []
    for item in found:
        if isinstance(item, Missing):
            places.append(at)
        else:
            at += item
    assert places == [0, 16_000, 16_000, 20_000, len(TALK)]
    assert at == len(TALK)


@pytest.mark.parametrize(
    "missing",
    [
        None,
        "x",
        [3],
        [{}],
        [{"frame": 1}],
        [{"frame": -1, "frames": 1, "reason": "x"}],
        [{"frame": 1, "frames": 0, "reason": "x"}],
        [{"frame": 1, "frames": 1, "samples": 1, "reason": "x"}],
        [{"frame": 1, "frames": 1, "reason": 3}],
        [{"frame": 1, "frames": True, "reason": "x"}],
        [{"frame": 1, "frames": 1 << 60, "reason": "x"}],
        [{"frame": 9, "frames": 1, "reason": "x"}, {"frame": 1, "frames": 1, "reason": "x"}],
    ],
)
def test_damaged_notes_get_one_line_and_2(missing: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert listen(["--input", str(kept(tmp_path, missing))]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "a.wav.json does not fit its recording" in line


def test_notes_of_another_recording_are_refused(tmp_path: Path) -> None:
    path = kept(tmp_path, [])
    soundfile.write(path, np.stack((TALK, TALK), axis=1), RATE, "FLOAT")
    with pytest.raises(BadInputError, match="channels is 1, and the recording's 2"):
        open_sound(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"type": "review"}', '{"name": "x"}', "[" * 100_000])
def test_a_file_of_that_name_that_is_something_else_is_not_looked_at(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, TALK, RATE)
    notes_path(path).write_text(text)
    source = open_sound(path)
    assert not isinstance(source, Recording)
    assert source.padded


def test_notes_of_a_newer_version_are_said_to_be(tmp_path: Path) -> None:
    path = kept(tmp_path, [])
    notes_path(path).write_text(json.dumps({"type": "recording", "format": 2}))
    with pytest.raises(BadInputError, match="update spotter"):
        open_sound(path)


def test_a_picture_of_a_recording_shows_what_is_missing_as_silence(tmp_path: Path) -> None:
    from spotter.cli.explaining import piece

    path = kept(
        tmp_path,
        [{"frame": 20_000, "frames": 3_000, "reason": "driver"}, {"frame": 40_000, "samples": 100, "reason": "x"}],
    )
    shown = piece(open_sound(path), 1.0, 3.0)
    whole = np.concatenate((TALK[:20_000], np.zeros(3_000), TALK[20_000:40_000], np.zeros(100), TALK[40_000:]))
    assert np.array_equal(shown, whole[16_000:48_000].astype(np.float32))


# A real sound system


@pytest.mark.skipif(bool(missing()), reason=missing() or "all there")
def test_a_real_microphone_that_goes_and_comes_back_gives_the_same_events_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples, rate = soundfile.read(DEMO, dtype="int16")
    soundfile.write(tmp_path / "yes.wav", samples[: 3 * rate], rate)  # the first window takes a second and a half
    path = tmp_path / "night.wav"
    command = [
        sys.executable,
        "-m",
        "spotter.listen",
        "--json",
        "--record",
        str(path),
        "--save",
        str(tmp_path / "clips"),
    ]
    with (
        VirtualMic() as mic,
        subprocess.Popen(
            command, cwd=ROOT, env=mic.client_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as child,
    ):
        told: list[dict[str, Any]] = []

        def until(kind: str) -> None:
            assert child.stdout is not None
            while not told or told[-1]["type"] != kind:
                told.append(json.loads(child.stdout.readline()))

        guard = threading.Timer(60.0, child.kill)  # then a line is empty, and no object
        guard.start()
        try:
            mic.wait_for_listener()
            mic.play(tmp_path / "yes.wav")
            until("detection")
            mic.kill()
            until("device_lost")
            mic.start()
            until("device_back")
            mic.play(tmp_path / "yes.wav")
            until("detection")
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=30)
        finally:
            guard.cancel()
            child.kill()
    assert child.returncode == 0, err
    told.extend(json.loads(line) for line in out.splitlines())
    live = [event for event in told if event["type"] in ("detection", "gap", "health")]
    for event in live:
        event.pop("wall")
    assert [event["reason"] for event in live if event["type"] == "gap"][:1] == ["device"]
    assert listen(["--json", "--input", str(path)]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == live
    assert len(list((tmp_path / "clips").glob("yes_*.wav"))) == 2
