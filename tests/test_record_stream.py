"""A stream that was kept is heard again with the same events, whatever disturbed it."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from spotter.cli.listen import main as listen
from spotter.events import Detection, Event, Gap, Skipped
from spotter.health import HealthMonitor
from spotter.model import Model
from spotter.pipeline import Spotter
from spotter.record import Recorder
from spotter.ring import Ring
from tests.fakes import TALK, LiveSystem, ScriptedModel, recording
from tests.recorded_streams import DEMO, RATE, ROOT, again, notes
from tests.test_live import missing
from tests.virtual_mic import VirtualMic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from spotter.arrays import Floats


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
            out, err = child.communicate(timeout=60)
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
