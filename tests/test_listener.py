"""The listener: callbacks, iteration, start and stop, and what happens when something fails."""

from __future__ import annotations

import _thread
import io
import logging
import signal
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from spotter.errors import BadInputError
from spotter.events import Detection, Gap
from spotter.listener import Listener
from spotter.pipeline import Spotter
from spotter.settings import DecoderConfig
from spotter.sources.memory import Samples
from spotter.sources.pcm import PcmStream
from tests.fakes import Failing, Pushed, ScriptedModel, recording

WORDS = ((1.5, "yes"), (3.0, "no"), (4.5, "yes"))
TALK = recording(*WORDS, seconds=6.0)

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def to_talk(**settings: object) -> Listener:
    return Listener(ScriptedModel(), source=Samples(TALK), **settings)  # type: ignore[arg-type]


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5.0
    while not condition():
        assert time.monotonic() < deadline, "did not happen within 5 s"
        time.sleep(0.002)


def words(events: list[Detection]) -> list[str]:
    return [event.keyword for event in events]


def test_each_callback_gets_its_keywords_in_order() -> None:
    listener = to_talk()
    heard: dict[str, list[str]] = {"yes": [], "any": [], "plain": []}

    @listener.on("yes")
    def yes(detection: Detection) -> None:
        heard["yes"].append(detection.keyword)

    @listener.on_any
    def both(detection: Detection) -> None:
        heard["any"].append(detection.keyword)

    def plain(detection: Detection) -> None:
        heard["plain"].append(detection.keyword)

    assert listener.on("no", call=plain) is plain
    assert listener.on_any(plain) is plain
    listener.run()
    assert heard["yes"] == ["yes", "yes"]
    assert heard["any"] == ["yes", "no", "yes"]
    assert heard["plain"] == ["yes", "no", "no", "yes"]


def test_iteration_gives_what_the_pipeline_gives() -> None:
    spotter = Spotter(ScriptedModel(), padded=True)
    spotter.write(TALK)
    wanted = [*spotter.events(), *spotter.finish()]
    assert len(wanted) == 3
    assert list(to_talk()) == wanted


def test_a_pipe_is_a_stream_whose_past_nobody_knows() -> None:
    early = recording((0.1, "yes"), seconds=2.0)
    data = (early * 32_767).astype("<i2").tobytes()
    assert len(list(Listener(ScriptedModel(), source=Samples(early)))) == 1
    assert list(Listener(ScriptedModel(), source=PcmStream(io.BytesIO(data)))) == []


def test_a_run_may_be_repeated_and_gives_the_same() -> None:
    listener = to_talk()
    first = list(listener)
    assert list(listener) == first
    listener.run()
    assert list(listener) == first


def test_callbacks_run_on_one_thread_of_their_own() -> None:
    listener = to_talk()
    names: list[str] = []
    listener.on_any(lambda _: names.append(threading.current_thread().name))
    listener.run()
    assert names == ["spotter-callbacks"] * 3


def test_a_slow_callback_does_not_hold_up_the_consumer() -> None:
    listener = to_talk()
    go = threading.Event()
    heard: list[str] = []

    @listener.on_any
    def slow(detection: Detection) -> None:
        assert go.wait(5.0)
        heard.append(detection.keyword)

    listener.start()
    until(lambda: not listener.running)  # the recording is over and the first call still waits
    assert heard == []
    go.set()
    listener.stop()
    assert heard == ["yes", "no", "yes"]


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


def test_a_live_source_is_heard_as_it_comes_and_closed_at_the_end() -> None:
    source = Pushed()
    listener = Listener(ScriptedModel(), source=source)
    heard: list[Detection] = []
    listener.on_any(heard.append)
    with listener:
        source.push(TALK[:40_000])
        until(lambda: heard)
        assert listener.running
        assert heard[0].keyword == "yes"
        source.push(TALK[40_000:])
        until(lambda: len(heard) == 3)
    assert source.closed == 1


def test_start_after_stop_works_with_a_live_source() -> None:
    source = Pushed()
    listener = Listener(ScriptedModel(), source=source)
    heard: list[Detection] = []
    listener.on_any(heard.append)
    for turn in (1, 2):
        listener.start()
        listener.start()  # twice is once
        source.push(TALK[:40_000])
        until(lambda turn=turn: len(heard) == turn)  # type: ignore[misc]
        listener.stop()
        listener.stop()
    assert (source.opened, source.closed) == (2, 2)
    assert heard[0] == heard[1]


def test_stopping_delivers_what_was_said_before() -> None:
    source = Pushed()
    listener = Listener(ScriptedModel(), source=source)
    heard: list[Detection] = []
    listener.on_any(heard.append)
    listener.start()
    source.push(TALK)
    listener.stop()
    assert words(heard) == ["yes", "no", "yes"]


def test_a_callback_may_stop_the_listener() -> None:
    source = Pushed()
    listener = Listener(ScriptedModel(), source=source)
    listener.on("no", call=lambda _: listener.stop())
    listener.start()
    source.push(TALK)
    until(lambda: not listener.running)
    listener.stop()
    assert source.closed == 1


def test_another_thread_may_stop_a_run() -> None:
    source = Pushed()
    listener = Listener(ScriptedModel(), source=source)

    def stop() -> None:
        until(lambda: listener.running)
        listener.stop()

    stopper = threading.Thread(target=stop)
    stopper.start()
    listener.run()
    stopper.join()
    assert source.closed == 1


def test_ctrl_c_ends_a_run_cleanly() -> None:
    # A shell's background job ignores Ctrl-C, and Python then leaves it so.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    source = Pushed()
    listener = Listener(ScriptedModel(), source=source)

    def press() -> None:
        until(lambda: listener.running)
        time.sleep(0.05)  # the main thread is in its wait by then
        _thread.interrupt_main()

    presser = threading.Thread(target=press)
    presser.start()
    listener.run()
    assert source.closed == 1
    presser.join()
    signal.signal(signal.SIGINT, before)


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


def test_gaps_can_be_seen() -> None:
    source = Pushed()
    listener = Listener(ScriptedModel(), source=source)
    gaps: list[Gap] = []
    listener.on_gap(gaps.append)
    listener.start()
    source.push(TALK[:20_000])
    source.lose(8_000)
    source.push(TALK[28_000:])
    listener.stop()
    assert gaps == [Gap(time_sample=28_000, samples=8_000, reason="driver")]
    assert listener.spotter is not None
    assert listener.spotter.lost_samples == 8_000


def test_a_reader_that_is_late_loses_new_audio_and_says_where() -> None:
    source = Pushed()
    listener = Listener(ScriptedModel(), source=source)
    gaps: list[Gap] = []
    listener.on_gap(gaps.append)
    listener.start()
    source.push(np.zeros(16_000 * 60, np.float32), block=16_000 * 30)
    source.push(TALK)
    listener.stop()
    assert gaps[0].reason == "overflow"
    assert listener.spotter is not None
    assert listener.spotter.position == 66 * 16_000


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


def test_seconds_cut_a_recording_to_the_sample() -> None:
    listener = to_talk()
    listener.run(seconds=2.5)
    assert listener.spotter is not None
    assert listener.spotter.position == 40_000


def test_seconds_end_a_live_source_by_the_clock() -> None:
    source = Pushed()
    Listener(ScriptedModel(), source=source).run(seconds=0.05)
    assert source.closed == 1


def test_the_events_say_when_nothing_happens() -> None:
    source = Pushed()
    listener = Listener(ScriptedModel(), source=source)
    listener.start()
    assert next(listener.events(tick_s=0.01)) is None
    listener.stop()


def test_thresholds_are_for_all_or_for_some_words() -> None:
    assert to_talk(threshold=0.4).decoder.threshold_of("no") == 0.4
    settings = DecoderConfig(threshold=0.6)
    some = to_talk(decoder=settings, threshold={"yes": 0.9}).decoder
    assert (some.threshold_of("yes"), some.threshold_of("no")) == (0.9, 0.6)
    assert list(to_talk(threshold=0.99)) == []


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"threshold": 1.5}, "between 0 and 1"),
        ({"threshold": {"maybe": 0.5}}, "yes, no"),
        ({"hop_ms": 0}, "multiple of 20 ms"),
        ({"hop_ms": 33}, "multiple of 20 ms"),
        ({"device": 3}, "exclude"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(settings: dict[str, object], hint: str) -> None:
    with pytest.raises(BadInputError, match=hint):
        to_talk(**settings)


def test_an_unknown_keyword_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(BadInputError, match="'maybe'; it knows yes, no"):
        to_talk().on("yes", "maybe")
    with pytest.raises(BadInputError, match="no keyword"):
        to_talk().on()


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), 1e305, float("inf")])
def test_no_time_to_listen_is_refused(seconds: float) -> None:
    with pytest.raises(BadInputError, match="more than 0"):
        to_talk().run(seconds)


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


def test_on_any_works_with_brackets_too() -> None:
    listener = to_talk()
    heard: list[str] = []

    @listener.on_any()
    def any_word(detection: Detection) -> None:
        heard.append(detection.keyword)

    listener.run()
    assert heard == ["yes", "no", "yes"]
