"""The doctor says what is wrong, what to do, and ends with the exit code that it means; it never hangs."""

from __future__ import annotations

import functools
import itertools
import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

import spotter.cli
from spotter.checkup import SelfTest, self_test
from spotter.cli.common import Parser, guarded
from spotter.cli.doctor import add_arguments, main, run
from spotter.errors import MicrophoneError
from spotter.examination import Examination
from spotter.model import Model
from spotter.take import take
from tests.fakes import FakeSoundDevice, Pushed, Terminal
from tests.test_live import missing
from tests.virtual_mic import SINK, VirtualMic

if TYPE_CHECKING:
    from queue import SimpleQueue

    from spotter.arrays import Floats
    from spotter.sources import Sink

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "spotter" / "data" / "demo.flac"
MODEL = ROOT / "models" / "commands"
RATE = 16_000
SPEECH: Floats = soundfile.read(DEMO, dtype="float32")[0][: 3 * RATE]


class System(FakeSoundDevice):
    def get_portaudio_version(self) -> tuple[int, str]:
        return 1, "PortAudio of the test"


class Speaking(Pushed):
    """A microphone that gives a sound as fast as it is asked."""

    def __init__(self, sound: Floats, block: int = 800, lost: int = 0) -> None:
        super().__init__()
        self.sound, self.block, self.lost = sound, block, lost

    def start(self, sink: Sink, doorbell: SimpleQueue[None]) -> None:
        super().start(sink, doorbell)
        if self.lost:
            self.lose(self.lost)
        self.push(self.sound, self.block)


@functools.cache
def shipped_result() -> SelfTest:
    """The shipped model's self-test, once for all tests that are about something else."""
    return self_test(Model.open())


def examined(
    capsys: pytest.CaptureFixture[str], sound: Floats | Pushed, *arguments: str, again: bool = False
) -> tuple[int, dict[str, Any]]:
    """What the doctor says of a microphone that gives this."""
    parser = Parser()
    add_arguments(parser)
    options = parser.parse_args(["--json", *arguments])
    source = sound if isinstance(sound, Pushed) else Speaking(sound)
    paced = (0.05 * number + 0.001 * (number % 3) for number in itertools.count())
    with pytest.MonkeyPatch.context() as patch:
        if not again:
            patch.setattr("spotter.checkup.self_test", lambda _model: shipped_result())
        code = guarded(lambda: run(options, lambda _device: source, lambda: next(paced)))
    assert source.closed
    (line,) = capsys.readouterr().out.splitlines()
    values: dict[str, Any] = json.loads(line)
    assert values["exit_code"] == code
    assert values["ok"] is (code == 0)
    return code, values


def messages(values: dict[str, Any]) -> str:
    return "\n".join(problem["message"] for problem in values["problems"])


# Microphones


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
            released.wait(30.0)
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


# Recordings


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


# Model and self-test


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    data = bytearray((folder / "model.stream.tflite").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.stream.tflite").write_bytes(data)
    return folder


def test_a_model_of_which_a_bit_has_changed_ends_with_4(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", str(broken), "--no-mic"]) == 4
    out = capsys.readouterr().out
    assert "SHA-256 differs" in out
    assert "FAIL" in out
    assert "self-test" not in out


def test_a_model_that_is_not_there_ends_with_4_whatever_the_microphone(capsys: pytest.CaptureFixture[str]) -> None:
    code, values = examined(capsys, np.zeros(3 * RATE, np.float32), "--model", "nobodys")
    assert code == 4
    assert len(values["problems"]) == 2


class Skewed:
    """A model whose stream has an error in one window."""

    def __init__(self, by: float) -> None:
        self._model, self._by = Model.open(), by

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def scorer(self, hop_samples: int) -> Any:
        scorer, by, calls = self._model.scorer(hop_samples), self._by, [0]

        class Wrong:
            def score(self, frames: Floats, new: int) -> Floats:
                calls[0] += 1
                wrong: Floats = scorer.score(frames, new) + np.float32(by if calls[0] == 100 else 0.0)
                return wrong

            def reset(self) -> None:
                scorer.reset()

        return Wrong()


@pytest.mark.parametrize(("by", "fine"), [(0.0, True), (5e-5, True), (2e-4, False), (float("nan"), False)])
def test_a_stream_that_differs_from_whole_windows_fails(by: float, fine: bool) -> None:
    model: Any = Skewed(by)
    result = self_test(model)
    assert (result.problems == ()) is fine
    assert result.windows > 250
    if not fine:
        assert "report this" in result.problems[0]


def test_a_failing_self_test_ends_with_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    model = Skewed(0.5)
    monkeypatch.setattr(Model, "open", lambda _name: model)
    code, values = examined(capsys, np.zeros(3 * RATE, np.float32), again=True)
    assert code == 1  # before the microphone's 3
    assert not values["self_test"]["ok"]


def test_words_that_are_missed_fail(tmp_path: Path) -> None:
    sound = soundfile.read(DEMO, dtype="float32")[0]
    sound[: 3 * RATE] = sound[12 * RATE : 15 * RATE]
    soundfile.write(tmp_path / "demo.wav", sound, RATE)
    result = self_test(Model.open(), tmp_path / "demo.wav")
    assert len(result.heard) < 10
    assert "was heard" in result.problems[0]


def test_of_a_model_with_other_words_what_it_hears_is_not_judged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Model.open()
    model.keywords = ("yes", "no")
    monkeypatch.setattr(Model, "open", lambda _name: model)
    assert main(["--no-mic"]) == 0
    assert "other words" in capsys.readouterr().out


def test_versions_are_there_for_a_bug_report(capsys: pytest.CaptureFixture[str]) -> None:
    _, values = examined(capsys, SPEECH)
    assert set(values["versions"]) >= {"spotter", "python", "platform", "machine", "numpy", "sounddevice", "libsndfile"}
    assert values["versions"]["numpy"] == np.__version__


# The command


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
