"""A sound system that hangs holds up nobody: calls are left behind, and what they open late is closed."""

from __future__ import annotations

import _thread
import signal
import subprocess
import sys
import threading
import time
from queue import SimpleQueue
from typing import Any

import pytest

from spotter.errors import MicrophoneError
from spotter.ring import Ring
from spotter.sources import microphone as module
from spotter.sources.microphone import Microphone
from spotter.sources.portaudio import PortAudio
from tests.fakes import FakePortAudioError, FakeSoundDevice, FakeStream
from tests.microphones import drained, frames, started, system, until


def test_closing_aborts_since_stopping_may_wait_for_data_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    microphone, stream, ring, _ = started(monkeypatch)
    microphone.close()
    microphone.close()
    assert stream.calls == ["start", "abort", "close"]
    stream.deliver(frames(0, 10))  # a late one
    stream.die()
    assert drained(ring) == []
    microphone.check()
    assert not microphone.stuck


def test_a_sound_system_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    microphone, stream, _, _ = started(monkeypatch)
    free = threading.Event()
    monkeypatch.setattr(module, "_CLOSE_LIMIT_S", 0.05)
    monkeypatch.setattr(stream, "abort", lambda **_: free.wait())
    began = time.monotonic()
    microphone.close()
    assert time.monotonic() - began < 30.0  # it hangs for ever
    assert microphone.stuck
    free.set()


@pytest.mark.skipif(sys.platform == "win32", reason="opened in the caller's thread there")
def test_a_sound_system_that_hangs_at_opening_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch)
    free = threading.Event()
    monkeypatch.setattr(module, "OPEN_LIMIT_S", 0.05)
    late = FakeStream(fake, samplerate=16_000.0)
    monkeypatch.setattr(fake, "RawInputStream", lambda **_: (free.wait(), late)[1])
    microphone = Microphone()
    with pytest.raises(MicrophoneError, match=r"did not open .* within"):
        microphone.open()
    assert microphone.stuck
    free.set()
    until(lambda: not microphone.stuck)
    assert late.calls == ["abort", "close"]  # what came after all is given back


def test_a_stream_whose_start_hangs_is_closed_when_it_returns_and_hears_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = system(monkeypatch)
    free = threading.Event()
    monkeypatch.setattr(module, "_START_LIMIT_S", 0.3)
    microphone, ring = Microphone(), Ring(10, 1)
    microphone.open()
    monkeypatch.setattr(fake.streams[0], "start", free.wait)
    with pytest.raises(MicrophoneError, match="does not start"):
        microphone.start(ring, SimpleQueue())
    assert fake.streams[0].calls == []  # another call would hang as well
    fake.streams[0].deliver(frames(0, 5))
    free.set()
    until(lambda: not microphone.stuck)
    assert fake.streams[0].calls == ["abort", "close"]
    assert ring.read() is None


def test_a_stream_whose_start_hangs_and_then_fails_is_closed_and_devices_are_listed_anew_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = system(monkeypatch)
    free = threading.Event()
    monkeypatch.setattr(module, "_START_LIMIT_S", 0.3)
    microphone = Microphone()
    microphone.open()

    def fail() -> None:
        assert free.wait(60.0)
        raise FakePortAudioError("Wait timed out [PaErrorCode -9987]")

    monkeypatch.setattr(fake.streams[0], "start", fail)
    with pytest.raises(MicrophoneError, match="does not start"):
        microphone.start(Ring(10, 1), SimpleQueue())
    free.set()
    until(lambda: not microphone.stuck)
    assert fake.streams[0].calls == ["abort", "close"]
    microphone.open()
    assert fake.initialised == 2


def test_ctrl_c_while_a_start_hangs_leaves_the_closing_to_that_call_and_closes_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = system(monkeypatch)
    free = threading.Event()
    microphone = Microphone()
    microphone.open()

    def interrupted() -> None:
        _thread.interrupt_main()
        assert free.wait(60.0)

    monkeypatch.setattr(fake.streams[0], "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        microphone.start(Ring(10, 1), SimpleQueue())
    microphone.close()
    assert fake.streams[0].calls == []  # another call would hang as well
    free.set()
    until(lambda: not microphone.stuck)
    assert fake.streams[0].calls == ["abort", "close"]


def test_a_microphone_is_closed_however_many_calls_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    microphone, stream, _, _ = started(monkeypatch)
    busy = PortAudio()
    monkeypatch.setattr(module, "PORTAUDIO", busy)
    free = threading.Event()
    for _ in range(4):
        with pytest.raises(TimeoutError):
            busy.run(free.wait, 0.01)
    monkeypatch.setattr(module, "_CLOSE_LIMIT_S", 5.0)
    microphone.close()
    assert stream.calls == ["start", "abort", "close"]
    free.set()
    until(lambda: not microphone.stuck)


def test_closing_while_it_is_being_opened_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch)
    going, free = threading.Event(), threading.Event()
    really = fake.RawInputStream

    def slow(**settings: Any) -> FakeStream:
        going.set()
        assert free.wait(60.0)
        return really(**settings)

    monkeypatch.setattr(fake, "RawInputStream", slow)
    microphone = Microphone()
    problems: list[str] = []

    def start() -> None:
        try:
            microphone.start(Ring(10, 1), SimpleQueue())
        except MicrophoneError as error:
            problems.append(str(error))

    opener = threading.Thread(target=start)
    opener.start()
    assert going.wait(60.0)
    microphone.close()
    free.set()
    opener.join()
    assert "closed while it was being opened" in problems[0]
    assert fake.streams[0].calls == ["abort", "close"]


def test_calls_that_hang_are_left_behind_four_at_most_and_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    system = PortAudio()
    free = threading.Event()
    for _ in range(4):
        with pytest.raises(TimeoutError, match="no answer"):
            system.run(free.wait, 0.01)
    with pytest.raises(TimeoutError, match="4 calls before it hang"):
        system.run(lambda: 1, 1.0)
    monkeypatch.setattr("spotter.sources.portaudio._FORGIVEN_S", 0.0)  # what hangs for ever is forgiven after a while
    assert system.run(lambda: 1, 5.0) == 1
    free.set()
    until(lambda: not system.hangs)
    assert system.run(lambda: 1, 1.0) == 1


def test_a_call_overtakes_one_that_hangs() -> None:
    system = PortAudio()
    free = threading.Event()
    with pytest.raises(TimeoutError):
        system.run(free.wait, 0.01)
    assert system.run(lambda: "done", 5.0) == "done"
    free.set()
    until(lambda: not system.hangs)


def test_no_call_overtakes_one_that_lists_the_devices_anew_however_long_that_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("spotter.sources.portaudio._GATE_S", 0.01)
    portaudio, fake = PortAudio(), FakeSoundDevice()
    going, free = threading.Event(), threading.Event()
    order: list[str] = []

    def list_anew() -> None:
        going.set()
        assert free.wait(60.0)
        order.append("listed")

    monkeypatch.setattr(fake, "_initialize", list_anew)
    lister = threading.Thread(target=portaudio.refresh, args=(fake,))
    lister.start()
    assert going.wait(60.0)
    with pytest.raises(TimeoutError):
        portaudio.run(lambda: order.append("opened"), 0.2)
    free.set()
    lister.join()
    until(lambda: not portaudio.hangs)
    assert order == ["listed", "opened"]


def test_what_a_late_call_opened_is_closed_before_another_call_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotter.sources.portaudio._GATE_S", 60.0)
    portaudio = PortAudio()
    free, closing = threading.Event(), threading.Event()
    order: list[str] = []

    def close(_: object) -> None:
        closing.set()
        time.sleep(0.1)
        order.append("closed")

    with pytest.raises(TimeoutError):
        portaudio.run(free.wait, 0.01, late=close)
    free.set()
    assert closing.wait(60.0)
    portaudio.run(lambda: order.append("opened"), 60.0)
    assert order == ["closed", "opened"]


def test_where_no_thread_can_be_started_opening_is_an_error_and_closing_is_done_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    microphone, stream, _, _ = started(monkeypatch)
    until(lambda: not vars(module)["PORTAUDIO"]._idle)  # threads that could do it

    def none_left(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("spotter.sources.portaudio._Worker", none_left)
    microphone.close()
    assert stream.calls == ["start", "abort", "close"]
    with pytest.raises(MicrophoneError, match="starts no more threads"):
        microphone.open()


def test_the_interpreters_end_does_not_wait_for_a_sound_system_that_hangs() -> None:
    code = """
import threading, types, sys
from spotter.sources.portaudio import PORTAUDIO
sd = types.ModuleType("sounddevice")
sd._lib = sd._ffi = object()
sd._exit_handler = lambda: print("waited for", flush=True)
sys.modules["sounddevice"] = sd
import atexit; atexit.register(sd._exit_handler)
PORTAUDIO.load()
if "hang" in sys.argv:
    try:
        PORTAUDIO.run(threading.Event().wait, 0.05)
    except TimeoutError:
        pass
"""
    for argument, said in (("", "waited for\n"), ("hang", "")):
        command = [sys.executable, "-c", code, argument]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60.0)
        assert (done.stdout, done.stderr, done.returncode) == (said, "", 0)


def test_ctrl_c_during_a_call_that_hangs_is_served_and_the_call_is_known_to_hang() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    system = PortAudio()
    free = threading.Event()
    timer = threading.Timer(0.2, _thread.interrupt_main)
    timer.start()
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            system.run(free.wait, 60.0)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < 30.0
    assert system.hangs
    free.set()
