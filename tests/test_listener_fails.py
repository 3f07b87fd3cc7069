"""A listener whose source fails, or whose callbacks raise or leave."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

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
