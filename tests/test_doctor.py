"""The doctor says what is wrong with a microphone, what to do, and ends with the exit code that it means."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from spotter.cli.doctor import main
from spotter.errors import MicrophoneError
from spotter.examination import Examination
from spotter.take import take
from tests.doctoring import RATE, ROOT, SPEECH, Speaking, System, examined, messages
from tests.fakes import Pushed

if TYPE_CHECKING:
    from spotter.arrays import Floats


def test_a_good_microphone_has_no_problem(capsys: pytest.CaptureFixture[str]) -> None:
    code, values = examined(capsys, SPEECH)
    assert (code, values["problems"]) == (0, [])
    microphone = values["microphone"]
    heard = SPEECH[round(0.3 * RATE) : round(2.3 * RATE)]
    assert microphone["seconds"] == 2.0
    assert microphone["level_dbfs"] == pytest.approx(10 * np.log10((heard**2).mean()), abs=0.1)
    assert microphone["peak_dbfs"] == pytest.approx(20 * np.log10(np.abs(heard).max()), abs=0.1)
    assert microphone["noise_floor_dbfs"] < microphone["level_dbfs"] - 10
    assert microphone["callbacks"] >= 46
    assert microphone["jitter_ms"] == 2.0
    assert values["self_test"]["ok"]
    assert values["model"]["ok"]


@pytest.mark.parametrize(
    ("sound", "code", "said"),
    [
        (np.zeros(3 * RATE, np.float32), 3, "nothing but zeros"),
        (np.full(3 * RATE, 0.25, np.float32), 3, "over and over"),
        (np.clip(SPEECH * 30, -1, 1), 0, "too loud"),
        (SPEECH + np.float32(0.1), 0, "+0.100"),
        (np.float32(0.1) * np.sin(2 * np.pi * 50 * np.arange(3 * RATE) / RATE).astype(np.float32), 0, "50 Hz"),
        (SPEECH * np.float32(1e-5), 0, "less than a microphone's own noise"),
        (np.where(np.arange(3 * RATE) == 9_000, np.float32(np.nan), SPEECH), 0, "1 samples are NaN"),
    ],
)
def test_what_is_wrong_with_the_sound_is_said_with_its_fix(
    sound: Floats, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found, values = examined(capsys, sound)
    assert found == code
    (problem,) = values["problems"]
    assert said in problem["message"]
    assert (problem["where"], problem["severity"]) == ("microphone", "error" if code else "warning")


def test_audio_that_is_lost_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    code, values = examined(capsys, Speaking(SPEECH, lost=77))
    assert code == 0
    assert "77 frames were lost" in messages(values)


def test_a_dead_channel_is_named_with_the_option_that_leaves_it_out() -> None:
    examination = Examination(RATE, 2)
    examination.add(np.stack((np.zeros_like(SPEECH), SPEECH), axis=1))
    examination.finish()
    (message,) = examination.findings().values()
    assert "channel 1 gives only zeros" in message
    assert "--channel 2" in message


@pytest.mark.parametrize("block", [1, 777, 48_000])
def test_figures_do_not_depend_on_the_pieces(block: int) -> None:
    sound = SPEECH[: RATE + 5_000, None]
    whole, parts = Examination(RATE, 1), Examination(RATE, 1)
    whole.add(sound)
    for at in range(0, len(sound), block):
        parts.add(sound[at : at + block])
    whole.finish()
    parts.finish()
    assert whole.figures() == parts.figures()


def test_a_microphone_that_gives_nothing_does_not_hold_up_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotter.take._PATIENCE_S", 0.3)
    source = Pushed()
    began = time.monotonic()
    with pytest.raises(MicrophoneError, match=r"gave 0.00 s of audio"):
        take(source, 0.1)
    assert time.monotonic() - began < 10
    assert source.closed == 1


def test_jitter_is_that_of_the_callbacks_against_their_audio() -> None:
    times = iter([10.0, 10.05, 10.12, 10.15])  # the third is 20 ms late
    took = take(Speaking(SPEECH[:3_200]), 0.2, clock=lambda: next(times))
    assert took.jitter_ms == pytest.approx(20.0, abs=0.01)
    assert took.interval_ms == pytest.approx(50.0, abs=0.01)
    assert took.callbacks == 4


def test_a_lost_microphone_ends_with_3_and_its_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    source = Pushed()
    source.error = MicrophoneError("it was pulled out; plug it in")
    code, values = examined(capsys, source)
    assert code == 3
    assert "pulled out" in messages(values)
    assert values["self_test"]["ok"]


def test_a_sound_system_that_hangs_ends_with_3_in_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    released = threading.Event()

    class Hanging(System):
        def RawInputStream(self, **settings: Any) -> Any:  # noqa: N802  as sounddevice has it
            released.wait(60.0)
            raise self.PortAudioError("too late")

    left: list[int] = []
    monkeypatch.setitem(sys.modules, "sounddevice", Hanging())
    monkeypatch.setattr("spotter.sources.microphone.OPEN_LIMIT_S", 0.3)
    monkeypatch.setattr("spotter.cli.doctor.leave", left.append)
    try:
        assert main(["--json"]) == 3
    finally:
        released.set()
    values = json.loads(capsys.readouterr().out)
    assert "did not open" in messages(values)
    assert [device["name"] for device in values["devices"]] == ["Built-in Microphone", "USB Headset"]
    assert left == [3]  # the interpreter's end would wait for it


def test_without_a_sound_system_the_rest_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", System(devices=()))
    assert main([]) == 3
    out = capsys.readouterr().out
    assert "FAIL no input device found" in out
    assert "ok   stream and batch agree" in out
    assert "1 problem" in out


def test_no_mic_loads_no_sound_system() -> None:
    code = "import sys; from spotter.cli.doctor import main; print(main(['--no-mic']), 'sounddevice' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False"
