"""What the command line shows of a microphone, and to a person at a terminal."""

from __future__ import annotations

import io
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from spotter.cli.listen import main
from spotter.listener import Listener
from tests.fakes import TALK, FakeStream, LiveSystem, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator


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


def test_a_long_name_leaves_room_for_the_bar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from spotter.cli.terminal import FileView

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    with FileView("long" * 30 + ".wav", 10.0):
        pass
    assert "longlonglon… " in terminal.getvalue()
    assert "0%" in terminal.getvalue()
