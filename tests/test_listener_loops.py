"""Loops over what a listener hears: left early, late, or with nothing to fetch."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from spotter.events import Detection, Gap
from spotter.listener import Listener
from spotter.pipeline import Spotter
from spotter.sources.memory import Samples
from tests.fakes import Pushed, ScriptedModel
from tests.heard_words import TALK, to_talk, until, words

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def test_iteration_gives_what_the_pipeline_gives() -> None:
    spotter = Spotter(ScriptedModel(), padded=True)
    spotter.write(TALK)
    wanted = [*spotter.events(), *spotter.finish()]
    assert len(wanted) == 3
    assert list(to_talk()) == wanted


def test_leaving_the_loop_stops_it() -> None:
    source = Pushed()
    listener = Listener(ScriptedModel(), source=source)
    listener.start()
    source.push(TALK)
    listener.stop()

    def feed() -> None:
        until(lambda: source.opened == 2 and listener.running)
        source.push(TALK)

    feeder = threading.Thread(target=feed)
    feeder.start()
    for detection in listener:
        assert detection.keyword == "yes"
        break
    feeder.join()
    until(lambda: not listener.running)
    assert source.closed == 2


def test_a_with_block_may_be_iterated_even_when_the_source_has_ended() -> None:
    with to_talk() as listener:
        until(lambda: not listener.running)
        assert words(list(listener)) == ["yes", "no", "yes"]


def test_the_events_say_when_nothing_happens() -> None:
    source = Pushed()
    listener = Listener(ScriptedModel(), source=source)
    listener.start()
    assert next(listener.events(tick_s=0.01)) is None
    listener.stop()


def many_gaps(count: int) -> Samples:
    """A recording of 16-sample pieces, every other of which is no sound."""
    samples = np.zeros(count * 32, np.float32).reshape(count, 32)
    samples[:, :16] = np.nan
    return Samples(samples.reshape(-1))


def test_a_recording_waits_for_a_slow_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotter.event_queue._MOST_WAITING", 3)
    listener = Listener(ScriptedModel(), source=many_gaps(50))
    listener.start()
    gaps = 0
    for event in listener.events():
        assert isinstance(event, Gap)
        gaps += 1
        time.sleep(0.002)
    assert gaps == 50
    listener.stop()


def test_a_loop_that_stops_frees_a_recording_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotter.event_queue._MOST_WAITING", 3)
    listener = Listener(ScriptedModel(), source=many_gaps(50))
    listener.start()
    events = listener.events()
    next(events)
    listener.stop()
    assert not listener.running
    assert len(list(events)) == 49  # what was heard by then is still there


def test_without_a_loop_callbacks_get_all_and_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("spotter.event_queue._MOST_WAITING", 3)
    monkeypatch.setattr("spotter.event_queue._LOOP_COMES_S", 0.02)
    listener = Listener(ScriptedModel(), source=many_gaps(50))
    gaps: list[Gap] = []
    listener.on_gap(gaps.append)
    listener.run()
    assert len(gaps) == 50
    assert not caplog.text


def test_a_loop_that_is_late_for_a_live_source_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("spotter.event_queue._MOST_WAITING", 2)
    source = Pushed()
    listener = Listener(ScriptedModel(), source=source)
    heard: list[Detection] = []
    listener.on_any(heard.append)
    listener.start()
    source.push(TALK)
    until(lambda: len(heard) == 3)
    listener.stop()
    assert len(list(listener.events())) == 2
    assert [record.message.split(" were")[0] for record in caplog.records] == ["1 events or more"]
