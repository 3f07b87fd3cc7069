"""A listener whose source fails, or whose callbacks raise or leave."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

from spotter.callbacks import CallbackThread
from spotter.errors import MicrophoneError
from spotter.listener import Listener
from spotter.sources.memory import Samples
from tests.fakes import Failing, Pushed, ScriptedModel
from tests.heard_words import TALK, to_talk, until, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from spotter.events import Detection

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def test_a_callback_that_raises_is_reported_and_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    listener = to_talk()
    heard: list[str] = []

    @listener.on_any
    def broken(detection: Detection) -> None:
        heard.append(detection.keyword)
        raise RuntimeError("the user's own mistake")

    with caplog.at_level(logging.ERROR, "spotter"):
        listener.run()
    assert heard == ["yes", "no", "yes"]
    assert "broken" in caplog.text
    assert "the user's own mistake" in caplog.text
    assert "Traceback" in caplog.text


def run_it(listener: Listener) -> None:
    listener.run()


def iterate_it(listener: Listener) -> None:
    assert len(list(listener)) == 3


def start_and_stop_it(listener: Listener) -> None:
    listener.start()
    until(lambda: not listener.running)
    listener.stop()


@pytest.mark.parametrize("use", [run_it, iterate_it, start_and_stop_it])
def test_a_source_that_fails_raises_and_what_came_before_is_heard(use: Callable[[Listener], None]) -> None:
    listener = Listener(ScriptedModel(), source=Failing(TALK, OSError("the disk is gone")))
    heard: list[Detection] = []
    listener.on_any(heard.append)
    with pytest.raises(OSError, match="the disk is gone"):
        use(listener)
    listener.stop()  # it is said once
    assert words(heard) == ["yes", "no", "yes"]


def test_a_live_source_that_fails_is_closed_and_raises() -> None:
    source = Pushed()
    listener = Listener(ScriptedModel(), source=source)
    source.error = OSError("unplugged")
    with pytest.raises(OSError, match="unplugged"):
        listener.run()
    assert source.closed == 1


@pytest.mark.parametrize(("error", "traceback"), [(OSError("unplugged"), True), (MicrophoneError("unplugged"), False)])
def test_a_source_that_fails_is_logged_at_once_since_who_uses_callbacks_waits_for_nothing(
    error: Exception, traceback: bool, caplog: pytest.LogCaptureFixture
) -> None:
    source = Pushed()
    listener = Listener(ScriptedModel(), source=source)
    listener.start()
    source.error = error
    until(lambda: not listener.running)
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("ERROR", "listening to pushed has ended: unplugged")
    ]
    assert ("Traceback" in caplog.text) is traceback
    with pytest.raises(type(error), match="unplugged"):
        listener.stop()
    assert len(caplog.records) == 1


def leave(_: object) -> None:
    raise SystemExit(3)


def exit_run(listener: Listener, source: Pushed) -> None:
    threading.Timer(0.05, lambda: source.push(TALK)).start()
    listener.run()


def exit_iteration(listener: Listener, source: Pushed) -> None:
    threading.Timer(0.05, lambda: source.push(TALK)).start()
    for _ in listener:
        pass


def exit_with(listener: Listener, source: Pushed) -> None:
    with listener:
        source.push(TALK)
        until(lambda: not listener.running)


@pytest.mark.parametrize("use", [exit_run, exit_iteration, exit_with])
def test_sys_exit_in_a_callback_ends_the_run_and_the_program(use: Callable[[Listener, Pushed], None]) -> None:
    source = Pushed()
    listener = Listener(ScriptedModel(), source=source)
    heard: list[Detection] = []
    listener.on("yes", call=leave)
    listener.on_any(heard.append)
    with pytest.raises(SystemExit) as caught:
        use(listener, source)
    assert caught.value.code == 3
    assert heard == []  # no other call after it
    assert source.closed == 1
    listener.stop()  # it is raised once


def test_a_callback_that_raises_something_odd_is_reported_too(caplog: pytest.LogCaptureFixture) -> None:
    class Odd(BaseException):
        pass

    def odd(_: object) -> None:
        raise Odd

    listener = to_talk()
    heard: list[Detection] = []
    listener.on_any(odd)
    listener.on_any(heard.append)
    listener.run()
    assert len(heard) == 3
    assert "odd raised; listening goes on" in caplog.text


def test_start_after_a_run_that_failed_starts_and_reports_the_old_failure(caplog: pytest.LogCaptureFixture) -> None:
    listener = Listener(ScriptedModel(), source=Failing(TALK, OSError("the disk is gone")))
    listener.start()
    until(lambda: not listener.running)
    listener.source = Samples(TALK)
    listener.start()
    assert len(list(listener.events())) == 3
    listener.stop()
    assert "the run before had failed: the disk is gone" in caplog.text


def test_calls_for_a_callback_that_is_too_slow_for_a_microphone_are_dropped_the_oldest_first_and_it_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("spotter.callbacks._MOST_WAITING", 2)
    calls = CallbackThread(lambda: None, can_wait=False, stopping=lambda: False)
    going, free = threading.Event(), threading.Event()
    called: list[object] = []

    def slow(number: object) -> None:
        called.append(number)
        going.set()
        assert free.wait(60.0)

    calls.submit(slow, 0)
    assert going.wait(60.0)
    for number in range(1, 6):
        calls.submit(slow, number)
    free.set()
    calls.close()
    assert calls.join(60.0)
    assert called == [0, 4, 5]
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "2 calls of callbacks wait, which are too slow"
    ]


def test_a_call_for_which_no_thread_can_be_started_is_made_with_the_next(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    calls = CallbackThread(lambda: None, can_wait=True, stopping=lambda: False)
    called: list[object] = []
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        calls.submit(called.append, 1)
    calls.submit(called.append, 2)
    calls.close()
    assert calls.join(60.0)
    assert called == [1, 2]
    assert "waits for the next one (can't start new thread)" in caplog.text


def test_a_recording_waits_for_a_callback_that_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotter.callbacks._MOST_WAITING", 1)
    listener = to_talk()
    going, free = threading.Event(), threading.Event()
    heard: list[Detection] = []

    @listener.on_any
    def slow(detection: Detection) -> None:
        heard.append(detection)
        going.set()
        assert free.wait(60.0)

    listener.start()
    assert going.wait(60.0)
    until(lambda: listener.spotter is not None and listener.spotter.detections == 3)
    assert listener.run_now
    assert not listener.run_now.done.wait(0.2)  # the third call waits for room
    free.set()
    until(lambda: not listener.running)
    listener.stop()
    assert words(heard) == ["yes", "no", "yes"]
