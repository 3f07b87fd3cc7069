"""The listener: callbacks, live sources, start and stop, and settings that make no sense."""

from __future__ import annotations

import _thread
import io
import signal
import sys
import threading
import traceback

import numpy as np
import pytest

from spotter.errors import BadInputError
from spotter.events import Detection, Gap
from spotter.listener import Listener
from spotter.settings import DecoderConfig
from spotter.sources.memory import Samples
from spotter.sources.pcm import PcmStream
from tests.fakes import Pushed, ScriptedModel, recording
from tests.heard_words import TALK, to_talk, until, words

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


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
        assert go.wait(60.0)
        heard.append(detection.keyword)

    listener.start()
    until(lambda: not listener.running)  # the recording is over and the first call still waits
    assert heard == []
    go.set()
    listener.stop()
    assert heard == ["yes", "no", "yes"]


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

    def waits() -> bool:
        """Whether the main thread is in its wait."""
        stack = traceback.extract_stack(sys._current_frames()[threading.main_thread().ident or 0])
        names = [frame.name for frame in stack]
        inner = names[names.index("test_ctrl_c_ends_a_run_cleanly") :]
        return "run" in inner and "start" not in inner and "wait" in inner

    def press() -> None:
        until(waits)
        _thread.interrupt_main()

    presser = threading.Thread(target=press)
    presser.start()
    try:
        listener.run()
    finally:
        presser.join()
        signal.signal(signal.SIGINT, before)
    assert source.closed == 1


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


def test_seconds_cut_a_recording_to_the_sample() -> None:
    listener = to_talk()
    listener.run(seconds=2.5)
    assert listener.spotter is not None
    assert listener.spotter.position == 40_000


def test_seconds_end_a_live_source_by_the_clock() -> None:
    source = Pushed()
    Listener(ScriptedModel(), source=source).run(seconds=0.05)
    assert source.closed == 1


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


def test_on_any_works_with_brackets_too() -> None:
    listener = to_talk()
    heard: list[str] = []

    @listener.on_any()
    def any_word(detection: Detection) -> None:
        heard.append(detection.keyword)

    listener.run()
    assert heard == ["yes", "no", "yes"]
