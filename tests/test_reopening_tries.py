"""How a microphone that has gone is opened again: ever more rarely, in nobody's way, leaving nothing behind."""

from __future__ import annotations

import gc
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from spotter.events import Detection, DeviceBack, DeviceLost
from spotter.recorded import spot
from spotter.reopening import Attempt
from spotter.ring import Ring
from spotter.sources.microphone import Microphone
from tests.fakes import FakePortAudioError, FakeSoundDevice, FakeStream, ScriptedModel
from tests.lost_devices import RATE, SILENCE, WORD, Heard, say, until


def test_a_device_that_opens_and_gives_nothing_is_not_back_and_is_tried_again(system: FakeSoundDevice) -> None:
    with Heard() as heard:
        until(lambda: len(system.streams) == 3)  # not one of them gave audio
        assert heard.kinds() == ["device_lost"]
        until(lambda: system.streams[2].active)
        say(system.streams[2])
        until(lambda: heard.of(Detection))
    assert heard.kinds()[:2] == ["device_lost", "device_back"]


@pytest.fixture
def tries(system: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When a device was opened again."""
    monkeypatch.setattr("spotter.reopening._LAST_RETRY_S", 3.0)
    monkeypatch.setattr("spotter.reopening._STEADY_S", 60.0)  # a slow moment is no well device
    times: list[float] = []

    def attempt(*arguments: Any) -> Attempt:
        times.append(time.monotonic())
        return Attempt(*arguments)

    monkeypatch.setattr("spotter.reopening.Attempt", attempt)
    return times


def become_rarer(tries: list[float]) -> bool:
    """Whether there is more and more time between them, however busy the machine is."""
    return all(later - before >= 0.01 * 2**turn for turn, (before, later) in enumerate(pairwise(tries), 1))


def test_attempts_become_rarer(system: FakeSoundDevice, tries: list[float]) -> None:
    with Heard():
        say(system.streams[0])
        system.plug([])
        system.streams[0].die()
        until(lambda: len(tries) == 6)
    assert become_rarer(tries)


def test_why_a_device_does_not_open_again_is_logged_when_it_changes(
    system: FakeSoundDevice, caplog: pytest.LogCaptureFixture
) -> None:
    def logged() -> list[str]:
        return [record.getMessage() for record in caplog.records if "still no microphone" in record.getMessage()]

    caplog.set_level("INFO", "spotter")
    with Heard(device="usb") as heard:
        say(system.streams[0])
        system.plug([])
        system.streams[0].die()
        until(lambda: heard.of(DeviceLost))
        until(lambda: len(logged()) == 1)
        system._refuses = {(RATE, 1), (RATE, 2)}
        system.plug([("USB Mic", 2)])
        until(lambda: len(logged()) == 2)
        time.sleep(0.3)
    assert "no input device found" in logged()[0]
    assert "cannot be opened" in logged()[1]
    assert len(logged()) == 2


def test_a_device_that_comes_and_goes_all_the_time_is_opened_ever_more_rarely(
    system: FakeSoundDevice, tries: list[float]
) -> None:
    with Heard() as heard:
        for turn in range(6):
            until(lambda turn=turn: len(system.streams) == turn + 1 and system.streams[-1].active)  # type: ignore[misc]
            say(system.streams[-1], SILENCE[:, 0])
            until(lambda turn=turn: len(heard.of(DeviceBack)) == turn)  # type: ignore[misc]
            system.streams[-1].die()
        until(lambda: len(tries) == 6)
    assert become_rarer(tries)


def test_where_no_thread_can_be_started_it_is_tried_again(
    system: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "spotter")
    tries = []

    def attempt(*arguments: Any) -> Attempt:
        tries.append(arguments)
        if len(tries) < 4:
            raise RuntimeError("can't start new thread")
        return Attempt(*arguments)

    monkeypatch.setattr("spotter.reopening.Attempt", attempt)
    with Heard() as heard:
        say(system.streams[0])
        system.streams[0].die()
        until(lambda: len(system.streams) == 2 and system.streams[1].active)
        say(system.streams[1])
        until(lambda: len(heard.of(Detection)) == 2)
    assert "still no microphone: can't start new thread" in caplog.text


@pytest.mark.parametrize("where", ["open", "start", "initialise"])
def test_stop_does_not_wait_for_an_attempt_that_hangs(
    system: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    going, free = threading.Event(), threading.Event()

    def hang(*_: object, **__: object) -> None:
        going.set()
        free.wait()
        raise FakePortAudioError("too late")

    with Heard() as heard:
        say(system.streams[0])
        until(lambda: heard.of(Detection))
        if where == "open":
            monkeypatch.setattr(system, "RawInputStream", hang)
        elif where == "start":
            monkeypatch.setattr(FakeStream, "start", hang)
        else:
            monkeypatch.setattr(system, "_initialize", hang)
        system.streams[0].die()
        assert going.wait(60.0)
    microphone: Any = heard.listener.source
    assert microphone.stuck
    free.set()
    until(lambda: not microphone.stuck)


def resources() -> tuple[int, int]:
    gc.collect()
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(sys.platform != "linux", reason="counts what is in /proc")
def test_ten_thousand_starts_and_stops_leave_no_thread_no_file_and_no_memory(system: FakeSoundDevice) -> None:
    ring, bell, block = Ring(100, 1), SimpleQueue[None](), SILENCE[:1]
    microphone = Microphone()

    def cycles(count: int) -> int:
        for _ in range(count):
            microphone.start(ring, bell)
            system.streams.pop().deliver(block)
            microphone.check()
            microphone.close()
            ring.read()
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4  # KiB resident

    cycles(1_000)
    before, memory = resources(), cycles(1)
    grown = cycles(9_000) - memory
    until(lambda: resources() <= before)
    assert grown < 2_000
    assert microphone.callbacks == 10_001


@pytest.mark.skipif(sys.platform != "linux", reason="counts what is in /proc")
def test_a_listener_that_loses_its_device_again_and_again_leaves_nothing_behind(system: FakeSoundDevice) -> None:
    with Heard() as heard:
        before = None
        for turn in range(30):
            until(lambda turn=turn: len(system.streams) == turn + 1 and system.streams[-1].active)  # type: ignore[misc]
            system.streams[-1].deliver(SILENCE)
            until(lambda turn=turn: len(heard.of(DeviceBack)) == turn)  # type: ignore[misc]
            if turn == 5:
                before = resources()
            system.streams[-1].die()
            until(lambda turn=turn: len(heard.of(DeviceLost)) == turn + 1)  # type: ignore[misc]
        until(lambda: len(system.streams) == 31 and system.streams[-1].active)
        until(lambda: resources() <= (before or (0, 0)))
        system.streams[-1].deliver(SILENCE)
        until(lambda: len(heard.of(DeviceBack)) == 30)
    assert [d.keyword for d in spot(WORD, RATE, ScriptedModel())] == ["yes"]
