"""A microphone that goes away, stops or gives nothing any more is noticed, and one that is only late is not blamed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from spotter.errors import DeviceLostError, MicrophoneError
from spotter.listener import Listener
from tests.fakes import FakePortAudioError, ScriptedModel
from tests.microphones import drained, frames, started, system, until

if TYPE_CHECKING:
    from spotter.sources.microphone import Microphone


def test_a_device_that_goes_away_is_an_error_for_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    microphone, stream, _, bell = started(monkeypatch)
    microphone.check()
    stream.die()
    assert bell.get(timeout=60.0) is None
    with pytest.raises(MicrophoneError, match="stopped by itself"):
        microphone.check()


def test_a_stream_that_stops_without_a_word_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    microphone, stream, _, _ = started(monkeypatch)
    stream.active = False
    with pytest.raises(DeviceLostError, match="stopped by itself"):
        microphone.check()


def test_a_stream_that_others_shut_down_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    microphone, _, _, _ = started(monkeypatch)

    class Shut:
        @property
        def active(self) -> bool:
            raise FakePortAudioError("PortAudio not initialized")

        def abort(self, **_: object) -> None:
            pass

        close = abort

    microphone._stream = Shut()
    with pytest.raises(DeviceLostError, match="stopped by itself"):
        microphone.check()


class Clock:
    """A clock that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr("spotter.sources.microphone.time", SimpleNamespace(monotonic=lambda: self.now))

    def look(self, microphone: Microphone, seconds: float, tick: float = 0.2) -> None:
        for _ in range(round(seconds / tick)):
            self.now += tick
            microphone.check()


def test_a_stream_without_audio_is_in_trouble_after_two_seconds_and_given_up_after_five(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    microphone, stream, _, _ = started(monkeypatch)
    clock = Clock(monkeypatch)
    stream.deliver(frames(0, 800))
    clock.look(microphone, 1.4)
    assert not microphone.trouble
    clock.look(microphone, 0.6)
    assert "has given no audio for 1.5 s" in microphone.trouble
    stream.deliver(frames(0, 800))
    clock.look(microphone, 0.2)
    assert not microphone.trouble
    with pytest.raises(DeviceLostError, match="has given no audio"):
        clock.look(microphone, 5.4)
    assert clock.now < 1_008.0


def test_a_device_that_calls_and_gives_no_frames_has_gone_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    microphone, stream, ring, _ = started(monkeypatch)
    clock = Clock(monkeypatch)
    stream.deliver(frames(0, 800))

    def calls_without_frames() -> None:
        for _ in range(30):
            when = SimpleNamespace(inputBufferAdcTime=100.05, currentTime=clock.now)
            stream.settings["callback"](memoryview(b""), 0, when, None)
            clock.look(microphone, 0.2)

    with pytest.raises(DeviceLostError, match="has given no audio"):
        calls_without_frames()
    assert len(drained(ring)) == 800


def test_a_wireless_microphone_may_take_seconds_to_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    microphone, _, _, _ = started(monkeypatch)
    clock = Clock(monkeypatch)
    clock.look(microphone, 4.8)
    assert not microphone.trouble
    with pytest.raises(DeviceLostError, match="no audio for 5 s"):
        clock.look(microphone, 0.6)


def test_a_process_that_stood_still_does_not_blame_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    microphone, stream, _, _ = started(monkeypatch)
    clock = Clock(monkeypatch)
    stream.deliver(frames(0, 800))
    clock.look(microphone, 1.0)
    clock.look(microphone, 3_600.0, tick=3_600.0)
    assert not microphone.trouble


def test_a_listener_that_listens_once_raises_when_its_microphone_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch)
    listener = Listener(ScriptedModel(), once=True)
    listener.start()
    fake.streams[0].die()
    until(lambda: not listener.running)
    with pytest.raises(MicrophoneError, match="stopped by itself"):
        listener.stop()
    assert "abort" in fake.streams[0].calls
