"""The product and a real sound server that is killed, frozen, or has nothing to give: heard again, and always ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import soundfile

from tests.test_live import DEMO, lines, missing, start
from tests.virtual_mic import LIMIT_S, VirtualMic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(
    bool(missing()) and os.environ.get("SPOTTER_VIRTUAL_MIC") != "require", reason=missing() or "all there"
)

# Two seconds are promised, and up to 1.1 were seen on a busy machine; who waits for a server that hangs takes 30.
ENDS_S = 10.0
SECOND = timedelta(seconds=1)


@pytest.fixture
def mic() -> Iterator[VirtualMic]:
    with VirtualMic() as microphone:
        yield microphone


@pytest.fixture(scope="module")
def word(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a recording of one keyword, and which it is."""
    samples, rate = soundfile.read(DEMO / "demo.flac", dtype="int16")
    first, second = json.loads((DEMO / "demo.json").read_text("utf-8"))["words"][:2]
    end = round((first["end"] + second["start"]) / 2 * rate)
    path = tmp_path_factory.mktemp("word") / "word.wav"
    begin = max(0, round((first["start"] - 0.7) * rate))
    soundfile.write(path, samples[begin:end], rate, "PCM_16")
    return path, first["word"]


class Listening:
    """`python -m spotter.listen --json` in a process of its own."""

    def __init__(self, mic: VirtualMic, folder: Path, *arguments: str) -> None:
        self.mic, self.folder = mic, folder
        self.process = start(mic, folder, "--json", *arguments)

    def events(self, kind: str) -> list[dict[str, Any]]:
        whole = (self.folder / "out").read_bytes().rpartition(b"\n")[0]
        objects = [json.loads(line) for line in whole.decode().splitlines()]
        return [it for it in objects if it["type"] == kind]

    def wait_for(self, kind: str, count: int = 1, seconds: float = LIMIT_S) -> dict[str, Any]:
        self.until(lambda: len(self.events(kind)) >= count, f"{count} {kind}", seconds)
        return self.events(kind)[count - 1]

    def until(self, condition: Callable[[], object], what: str, seconds: float = LIMIT_S) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, f"no {what}: {(self.folder / 'out').read_text()} {self.said()}"
            time.sleep(0.02)

    def said(self) -> str:
        return (self.folder / "err").read_text("utf-8")

    def hear(self, word: tuple[Path, str], count: int) -> dict[str, Any]:
        """Play a word that must be heard as the detection of that number."""
        if count == 1:
            self.until(lambda: "listening to" in self.said() or self.events("device_back"), "line")
        began = datetime.now(timezone.utc)
        self.mic.play(word[0])
        self.played = began, datetime.now(timezone.utc)
        heard = self.wait_for("detection", count)
        assert heard["keyword"] == word[1]
        return heard

    def was_said_when_it_was_played(self, heard: dict[str, Any]) -> bool:
        """Whether its time of day lies in the playing of the last word, give or take a second."""
        began, ended = self.played
        return began - SECOND < datetime.fromisoformat(heard["wall"]) < ended + SECOND

    def end(self) -> float:
        """Press Ctrl-C; return the seconds until it has ended."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(LIMIT_S) == 0, self.said()
        took = time.monotonic() - began
        assert took < ENDS_S
        assert "Traceback" not in self.said()
        return took


@contextmanager
def listening(mic: VirtualMic, folder: Path, *arguments: str) -> Iterator[Listening]:
    it = Listening(mic, folder, *arguments)
    try:
        yield it
    finally:
        it.process.kill()
        it.process.wait()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_a_word_is_heard_whatever_the_sound_system_runs_at(
    tmp_path: Path, word: tuple[Path, str], rate: int, channels: int
) -> None:
    with VirtualMic(rate, channels) as mic, listening(mic, tmp_path) as it:
        heard = it.hear(word, 1)
        assert it.was_said_when_it_was_played(heard)
        it.end()


def test_a_server_that_is_killed_and_comes_back_is_heard_again(
    mic: VirtualMic, tmp_path: Path, word: tuple[Path, str]
) -> None:
    with listening(mic, tmp_path) as it:
        it.hear(word, 1)
        mic.kill()
        it.wait_for("device_lost")
        mic.start()
        it.wait_for("device_back")
        it.hear(word, 2)
        back, gap = it.events("device_back"), it.events("gap")
        assert [it["reason"] for it in gap] == ["device"]
        assert [it["time"] for it in back] == [it["time"] for it in gap]
        it.end()
    assert "gaps: 1" in it.said()


def test_ctrl_c_while_the_server_is_gone_ends_it(mic: VirtualMic, tmp_path: Path) -> None:
    with listening(mic, tmp_path) as it:
        it.until(lambda: "listening to" in it.said(), "line")
        mic.kill()
        it.wait_for("device_lost")
        it.end()
    assert "windows: " in it.said()


def test_a_server_that_stands_still_for_a_moment_goes_on_and_nothing_is_lost(
    mic: VirtualMic, tmp_path: Path, word: tuple[Path, str]
) -> None:
    with listening(mic, tmp_path) as it:
        it.hear(word, 1)
        mic.freeze()
        lost = it.wait_for("device_lost")
        assert "has given no audio" in lost["reason"]
        mic.thaw()
        assert it.wait_for("device_back")["reason"] == "resumed"
        heard = it.hear(word, 2)
        assert it.was_said_when_it_was_played(heard)  # the stall is over for it, too
        assert not it.events("gap")
        it.end()


@pytest.mark.parametrize("when", ["at once", "when it is being opened anew"])
def test_ctrl_c_ends_it_although_the_server_stands_still(mic: VirtualMic, tmp_path: Path, when: str) -> None:
    with listening(mic, tmp_path) as it:
        it.until(lambda: "listening to" in it.said(), "line")
        mic.freeze()
        if when != "at once":
            it.wait_for("device_lost")
            time.sleep(4.8)  # closing hangs by then, and so does opening
        it.end()
    assert "windows: " in it.said()


def test_ctrl_c_ends_it_although_the_server_stood_still_from_the_start(mic: VirtualMic, tmp_path: Path) -> None:
    mic.freeze()
    with listening(mic, tmp_path, "--wait") as it:
        status = Path(f"/proc/{it.process.pid}/task")
        it.until(lambda: len(list(status.iterdir())) > 1, "call of PortAudio")
        time.sleep(0.3)
        it.end()
    assert not lines(tmp_path / "out")


def test_a_source_that_is_taken_away_and_comes_back_is_heard_again(
    mic: VirtualMic, tmp_path: Path, word: tuple[Path, str]
) -> None:
    with listening(mic, tmp_path) as it:
        it.until(lambda: "listening to" in it.said(), "line")
        mic.remove()
        it.wait_for("device_lost")
        mic.add()
        it.wait_for("device_back")
        it.hear(word, 1)
        it.end()
    assert it.events("device_back")[0]["device"] == it.events("device_lost")[0]["device"] == "default"


def test_who_waits_is_there_before_the_server(tmp_path: Path, word: tuple[Path, str]) -> None:
    mic = VirtualMic()
    try:
        with listening(mic, tmp_path, "--wait") as it:
            lost = it.wait_for("device_lost")
            assert (lost["time"], lost["reason"]) == (0.0, "no input device found")
            it.until(lambda: "waiting for microphone" in it.said(), "line")
            mic.start()
            it.hear(word, 1)
            it.end()
    finally:
        mic.close()


def test_who_listens_once_ends_with_3_when_the_device_is_lost(mic: VirtualMic, tmp_path: Path) -> None:
    with listening(mic, tmp_path, "--once") as it:
        it.until(lambda: "listening to" in it.said(), "line")
        mic.kill()
        assert it.process.wait(LIMIT_S) == 3
    assert len([line for line in it.said().splitlines() if line.startswith("spotter: the microphone")]) == 1


def test_a_source_that_never_gives_anything_is_no_microphone(mic: VirtualMic, tmp_path: Path) -> None:
    mic.add_dead_source()
    with listening(mic, tmp_path, "--once") as it:
        assert it.process.wait(LIMIT_S) == 3
    assert "has given no audio for 5 s" in it.said()


CYCLES = """
import gc, os, threading
from pathlib import Path
from queue import SimpleQueue
from spotter.ring import Ring
from spotter.sources.microphone import Microphone
microphone, heard = Microphone(), 0
def resources():
    gc.collect()
    kib = int(Path("/proc/self/statm").read_text().split()[1]) * 4
    return threading.active_count(), len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")), kib
def cycle():
    ring, bell = Ring(48_000, 1), SimpleQueue()
    microphone.start(ring, bell)
    bell.get(timeout=60.0)
    microphone.check()
    microphone.close()
    return len(ring.read())
for turn in range(50):
    if turn == 10:
        before = resources()
    heard += cycle() > 0
after = resources()
assert heard == 50 and not microphone.stuck
assert after[:3] == before[:3], (before, after)
assert after[3] < before[3] + 2_000, (before, after)
print("nothing is left behind")
"""


def test_fifty_starts_and_stops_of_a_real_microphone_leave_nothing_behind(mic: VirtualMic) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CYCLES], env=mic.client_env(), capture_output=True, text=True, check=False, timeout=240.0
    )
    assert done.stdout == "nothing is left behind\n", done.stderr


def test_the_end_of_a_program_does_not_wait_for_a_server_that_stands_still(mic: VirtualMic) -> None:
    """A program that neither stops nor waits, as many are written."""
    code = """
import sys, time
from spotter.sources.microphone import Microphone
from spotter.ring import Ring
from queue import SimpleQueue
microphone = Microphone()
microphone.start(Ring(48_000, 1), SimpleQueue())
while not microphone.callbacks:
    time.sleep(0.02)
print("started", flush=True)
while not microphone.trouble:
    time.sleep(0.02)
    microphone.check()
print("ends", flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code], env=mic.client_env(), stdout=subprocess.PIPE) as program:
        guard = threading.Timer(LIMIT_S, program.kill)
        guard.start()
        try:
            assert program.stdout
            assert program.stdout.readline() == b"started\n"
            mic.freeze()
            assert program.stdout.readline() == b"ends\n"
            assert program.wait(ENDS_S) == 0
        finally:
            guard.cancel()
            program.kill()
