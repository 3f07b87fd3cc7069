"""The command line: what it prints, what bad input gets, and how it ends."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from spotter import __version__
from spotter.cli import main as spotter_main
from spotter.cli.listen import main, thresholds
from spotter.errors import BadInputError
from spotter.listener import Listener
from spotter.model import Model
from tests.fakes import TALK, WORDS, FakeSoundDevice, FakeStream, LiveSystem, ScriptedModel, Terminal, recording

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spotter.arrays import Floats

ROOT = Path(__file__).parents[1]
TINY = str(ROOT / "tests" / "data" / "models" / "tiny")


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every model be the one that hears tones."""
    monkeypatch.setattr(Model, "open", lambda *_, **__: ScriptedModel())


@pytest.fixture
def talk(tmp_path: Path) -> str:
    path = tmp_path / "talk.wav"
    soundfile.write(path, TALK, 16_000)
    return str(path)


def no_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", FakeSoundDevice(devices=[]))


def words_of(out: str) -> list[str]:
    return [line.split()[2] for line in out.splitlines()]


def spoken_error(capsys: pytest.CaptureFixture[str], arguments: Sequence[str], code: int) -> str:
    """Run; the exit code must be this one, and what is said one line."""
    assert main(arguments) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("spotter: ")
    assert "Traceback" not in lines[0]
    return lines[0]


@pytest.mark.usefixtures("scripted")
def test_a_recording_gives_a_line_for_each_keyword_and_counts(talk: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--input", talk]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert [line.split("  ")[1] for line in lines] == ["yes", "no"]
    assert lines[0].split("  ")[0].endswith(" s")
    assert lines[0].split("  ")[2] == "0.97"
    assert captured.err.startswith("listening to ")
    assert "detections: 2, overflows: 0, gaps: 0 (0.00 s), heard: 4.50 s" in captured.err
    assert "windows: " in captured.err


@pytest.mark.usefixtures("scripted")
def test_json_is_one_object_a_line_with_the_agreed_fields(talk: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--input", talk, "--json"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [it["keyword"] for it in objects] == ["yes", "no"]
    assert list(objects[0]) == ["type", "keyword", "score", "time", "start", "end"]
    assert objects[0]["type"] == "detection"


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


def test_a_model_folder_works_as_it_is(talk: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", TINY, "--input", talk, "--hop", "60", "--threshold", "yes=0.9"]) == 0
    assert "hop 60 ms" in capsys.readouterr().err


@pytest.mark.usefixtures("scripted")
def test_seconds_end_early(talk: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--input", talk, "--seconds", "2.5"]) == 0
    captured = capsys.readouterr()
    assert words_of(captured.out) == ["yes"]
    assert "heard: 2.50 s" in captured.err


@pytest.mark.usefixtures("scripted")
def test_a_threshold_decides(talk: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--input", talk, "--threshold", "0.5", "--threshold", "yes=0.99"]) == 0
    assert words_of(capsys.readouterr().out) == ["no"]


class Piped:
    """A standard input with these bytes."""

    def __init__(self, data: bytes, *, terminal: bool = False) -> None:
        self.buffer = io.BytesIO(data)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def pcm(samples: Floats) -> bytes:
    return (samples * 32_767).astype("<i2").tobytes()


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


def test_or_demo_hears_the_shipped_recording_where_there_is_no_microphone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_system(monkeypatch)
    assert main(["--model", TINY, "--or-demo", "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("spotter: no input device found")
    assert "the recording that ships with spotter" in captured.err
    assert "windows: 285" in captured.err  # all of it


def test_or_demo_does_not_hide_other_mistakes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_system(monkeypatch)
    assert "multiple" in spoken_error(capsys, ["--model", TINY, "--or-demo", "--hop", "7"], 2)


def test_the_devices_are_listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", FakeSoundDevice())
    assert main(["--list-devices"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "*  0  Built-in Microphone, Fake Audio (2 in, 44100 Hz)",
        "   2  USB Headset, Fake Audio (1 in, 44100 Hz)",
    ]
    assert main(["--list-devices", "--json"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (first["type"], first["number"], first["default"]) == ("device", 0, True)


def test_the_models_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("spotter.model_folders.user_models_folder", lambda: tmp_path)
    shutil.copytree(TINY, tmp_path / "mine")
    assert main(["--list-models"]) == 0
    assert "mine  yes, no (" in capsys.readouterr().out
    assert main(["--list-models", "--json"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [it["keywords"] for it in objects if it["name"] == "mine"] == [["yes", "no"]]


@pytest.mark.usefixtures("scripted")
def test_a_microphone_is_heard_until_ctrl_c_and_nothing_is_lost(
    live: LiveSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGINT)
    assert main(["--json"]) == 0
    assert signal.getsignal(signal.SIGINT) is before
    captured = capsys.readouterr()
    objects = [json.loads(line) for line in captured.out.splitlines()]
    assert [it.get("keyword", it["type"]) for it in objects] == ["yes", "no", "gap"]
    assert (objects[2]["seconds"], objects[2]["reason"]) == (0.5, "driver")
    assert all(it["wall"].endswith("+00:00") for it in objects)
    assert "listening to Built-in Microphone (16000 Hz, 1 ch)" in captured.err
    assert "detections: 2, overflows: 1, gaps: 1 (0.50 s)" in captured.err
    assert live.streams[0].calls == ["start", "abort", "close"]


@pytest.mark.usefixtures("scripted")
def test_one_channel_of_a_recording_is_heard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = np.stack((TALK, recording((1.5, "no"), seconds=4.5)), axis=1)
    soundfile.write(tmp_path / "a.wav", both, 16_000, "FLOAT")
    for channel, heard in (("1", ["yes", "no"]), ("2", ["no"])):
        assert main(["--input", str(tmp_path / "a.wav"), "--channel", channel]) == 0
        assert words_of(capsys.readouterr().out) == heard


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize("as_json", [False, True])
def test_a_microphone_that_goes_and_comes_back_is_told_in_a_line_each(
    live: LiveSystem, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    spoken = live.speak

    def speak(stream: FakeStream) -> None:
        if stream is live.streams[0]:
            stream.deliver(TALK[:, None])
            stream.die()
        else:
            spoken(stream)

    monkeypatch.setattr(live, "speak", speak)
    assert main(["--json"] if as_json else []) == 0
    captured = capsys.readouterr()
    told = captured.out.splitlines()
    if as_json:
        objects = [json.loads(line) for line in told]
        kinds = [it["type"] for it in objects]
        assert kinds == [*["detection"] * 2, "device_lost", "device_back", "gap", *["detection"] * 2, "gap"]
        assert all(it["wall"].endswith("+00:00") for it in objects)
    else:
        assert told[2] == "4.50 s  device lost: the microphone 'Built-in Microphone' stopped by itself"
        assert told[3].endswith("s  device back: Built-in Microphone")
    assert "skipped: 0 (0.00 s), latest: " in captured.err


@pytest.mark.usefixtures("scripted")
@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("speaking", [False, True])
def test_a_person_at_a_terminal_sees_more(monkeypatch: pytest.MonkeyPatch, talk: str, *, speaking: bool) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main([] if speaking else ["--input", talk]) == 0
    shown = terminal.getvalue()
    assert "yes  0.97" in shown
    assert "dBFS" in shown if speaking else "100%" in shown


@pytest.mark.usefixtures("scripted")
def test_the_bar_of_a_file_is_full_at_the_end_even_where_nothing_was_heard_last(
    monkeypatch: pytest.MonkeyPatch, talk: str
) -> None:
    def silent(listener: Listener, _tick_s: float | None = None) -> Iterator[None]:
        for _ in whole(listener):
            pass
        yield from ()

    whole = Listener.events
    monkeypatch.setattr(Listener, "events", silent)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["--input", talk]) == 0
    assert "100%" in terminal.getvalue()


@pytest.mark.usefixtures("scripted")
def test_a_terminal_gets_plain_json_all_the_same(monkeypatch: pytest.MonkeyPatch, talk: str) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["--input", talk, "--json"]) == 0
    assert len([json.loads(line) for line in terminal.getvalue().splitlines()]) == 2


class Gone(io.StringIO):
    """A stdout whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.mark.usefixtures("scripted")
def test_a_broken_pipe_ends_quietly(
    monkeypatch: pytest.MonkeyPatch, talk: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", Gone())
    assert main(["--input", talk]) == 0
    assert capsys.readouterr().err.count("\n") == 1  # the line that says what it listens to


def test_thresholds_may_be_mixed_in_any_order() -> None:
    assert thresholds(["yes=0.9", "0.5", "no=0.4", "0.6"]) == (0.6, {"yes": 0.9, "no": 0.4})
    assert thresholds([]) == (None, {})
    with pytest.raises(BadInputError, match="no number"):
        thresholds(["yes="])


@pytest.mark.parametrize("command", [["--version"], ["listen", "--version"]])
def test_the_version(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert spotter_main(command) == 0
    assert capsys.readouterr().out == f"spotter {__version__}\n"


def test_the_command_has_subcommands(talk: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert spotter_main(["listen", "--model", TINY, "--input", talk]) == 0
    assert "windows: " in capsys.readouterr().err
    assert spotter_main([]) == 2
    assert "COMMAND" in capsys.readouterr().err


def test_help_has_examples_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from spotter.cli.listen import main; main(['--help']); "
        "sys.exit(sum(name in sys.modules for name in ('numpy', 'sounddevice', 'soundfile', 'rich', 'ai_edge_litert')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "examples:" in done.stdout


def test_a_recording_needs_no_sound_system_and_a_pipe_no_rich(talk: str) -> None:
    code = (
        f"import sys; from spotter.cli.listen import main; main(['--model', {TINY!r}, '--input', {talk!r}]); "
        "sys.exit(sum(name in sys.modules for name in ('sounddevice', 'rich', 'scipy', 'tensorflow', 'soxr')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def start(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "spotter.listen", "--model", TINY, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe)


def loud(seconds: float) -> bytes:
    """Something that the tiny model takes for keywords at a low threshold."""
    samples, _ = soundfile.read(ROOT / "spotter" / "data" / "demo.flac", dtype="int16", frames=round(seconds * 16_000))
    return bytes(samples.astype("<i2").tobytes())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")
def test_each_line_comes_as_it_happens_and_a_signal_ends_with_counts(number: signal.Signals) -> None:
    with start("--input", "-", "--json", "--threshold", "0.2") as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(loud(10.0))
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["type"] == "detection"  # while stdin is open
        process.send_signal(number)
        assert process.wait(20.0) == 0
        said = process.stderr.read().decode()
    assert "windows: " in said
    assert "Traceback" not in said


@pytest.mark.skipif(sys.platform == "win32", reason="no head")
def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path) -> None:
    with start("--input", "-", "--threshold", "0.2") as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(loud(10.0))
        process.stdin.flush()
        assert process.stdout.readline()
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):  # it may be gone already
            process.stdin.write(loud(27.0))
            process.stdin.flush()
        assert process.wait(20.0) == 0
        assert process.stderr.read().count(b"\n") == 1


def test_a_process_says_its_errors_in_one_line() -> None:
    with start("--input", os.devnull + "-not-there") as process:
        out, err = process.communicate(timeout=20.0)
    assert process.returncode == 2
    assert out == b""
    assert err.count(b"\n") == 1


DEMO = str(ROOT / "spotter" / "data" / "demo.flac")
HEAR = ("--model", TINY, "--input", DEMO, "--seconds", "4", "--threshold", "0.2")


def shell(redirection: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command with a shell's redirection."""
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-m", "spotter.listen", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
@pytest.mark.parametrize("arguments", [HEAR, ("--help",), ("--version",)], ids=lambda a: a[0])
def test_an_output_that_is_full_gets_one_line_and_1(arguments: tuple[str, ...]) -> None:
    done = shell(">/dev/full", *arguments)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[-1].startswith("spotter: the output cannot be written (No space left on device);")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no sh")
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "<&- 2>&-"])
def test_without_stderr_it_listens_all_the_same_and_stdout_has_events_only(redirection: str) -> None:
    if "full" in redirection and not Path("/dev/full").exists():
        pytest.skip("no disk that is always full")
    done = shell(redirection, *HEAR, "--json")
    assert done.returncode == 0
    assert {json.loads(line)["type"] for line in done.stdout.splitlines()} == {"detection"}
    failed = shell(redirection, *HEAR, "--hop", "7")
    assert (failed.returncode, failed.stdout) == (2, "")


@pytest.mark.skipif(sys.platform == "win32", reason="no sh")
def test_without_stdout_it_listens_all_the_same() -> None:
    done = shell(">&-", *HEAR)
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["listening", "windows:"]


@pytest.mark.skipif(sys.platform == "win32", reason="no sh")
@pytest.mark.parametrize("module", ["spotter.listen", "spotter"])
@pytest.mark.parametrize("imported", ["argparse", "numpy"])
def test_ctrl_c_while_it_starts_up_ends_it_quietly(module: str, imported: str) -> None:
    code = f"""
import os, runpy, signal, sys
class Press:
    def find_spec(self, name, *_):
        if name == {imported!r}:
            os.kill(os.getpid(), signal.SIGINT)
for name in [name for name in sys.modules if name.partition(".")[0] == {imported!r}]:
    del sys.modules[name]
sys.meta_path.insert(0, Press())
sys.argv[1:] = {["listen"] if module == "spotter" else []} + {[*HEAR]}
runpy.run_module({module!r}, run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_long_name_leaves_room_for_the_bar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from spotter.cli.terminal import FileView

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    with FileView("long" * 30 + ".wav", 10.0):
        pass
    assert "longlonglon… " in terminal.getvalue()
    assert "0%" in terminal.getvalue()
