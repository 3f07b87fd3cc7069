"""A microphone that goes away and comes back, on a fake sound system: what is said, heard and waited for."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from spotter.clock import StreamClock, elapsed_s
from spotter.errors import BadInputError, DeviceLostError, MicrophoneError
from spotter.events import Detection, DeviceBack, DeviceLost, Event, Gap
from spotter.listener import Listener
from spotter.model import Model
from spotter.recorded import spot
from spotter.ring import Ring
from spotter.sources import microphone as module
from spotter.sources.microphone import Microphone
from spotter.sources.portaudio import PortAudio
from tests.fakes import FakePortAudioError, FakeSoundDevice, FakeStream, ScriptedModel, recording

if TYPE_CHECKING:
    from typing_extensions import Self

RATE = 16_000
WORD = recording((1.2, "yes"), seconds=2.0)
SILENCE = np.zeros((800, 1), np.float32)
ROOT = Path(__file__).parent


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSoundDevice]:
    """One microphone at 16 kHz, in a world where everything goes ten times as fast."""
    fake = FakeSoundDevice([("USB Mic", 2)], own_rate=float(RATE))
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    monkeypatch.setattr(module, "PORTAUDIO", PortAudio())
    monkeypatch.setattr(module, "_QUIET_S", 0.15)
    monkeypatch.setattr(module, "_GIVE_UP_S", 0.5)
    monkeypatch.setattr(module, "_FIRST_S", 0.4)
    monkeypatch.setattr("spotter.running._SLICE_S", 0.02)
    monkeypatch.setattr("spotter.reopening._FIRST_RETRY_S", 0.01)
    monkeypatch.setattr("spotter.reopening._LAST_RETRY_S", 0.1)
    yield fake
    until(lambda: not any(thread.name.startswith("spotter") for thread in threading.enumerate()))


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < deadline, "did not happen within 10 s"
        time.sleep(0.002)


class Heard:
    """A listener, and all its events."""

    def __init__(self, **settings: Any) -> None:
        self.listener = Listener(ScriptedModel(), **settings)
        self.events: list[Event] = []
        self.listener.on_any(self.events.append)
        self.listener.on_gap(self.events.append)
        self.listener.on_device(self.events.append)

    def __enter__(self) -> Self:
        self.listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        began = time.monotonic()
        self.listener.stop()
        assert time.monotonic() - began < 2.0

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def kinds(self) -> list[str]:
        return [event.as_dict()["type"] for event in self.events]


def say(stream: FakeStream, samples: np.ndarray = WORD, channels: int = 1) -> None:
    """Deliver samples in blocks of 50 ms, all at once."""
    block = round(stream.samplerate / 20)
    for at in range(0, len(samples), block):
        stream.deliver(np.repeat(samples[at : at + block, None], channels, axis=1))


def test_a_device_that_goes_and_comes_back_is_heard_again_and_the_time_away_is_a_gap(system: FakeSoundDevice) -> None:
    with Heard(device="usb") as heard:
        say(system.streams[0])
        until(lambda: heard.of(Detection))
        system.plug([])
        gone = time.monotonic()
        system.streams[0].die()
        until(lambda: heard.of(DeviceLost))
        time.sleep(0.3)
        system.plug([("Another", 1), ("USB Mic", 2)])
        until(lambda: len(system.streams) == 2 and system.streams[1].active)
        away = time.monotonic() - gone
        say(system.streams[1])
        until(lambda: len(heard.of(Detection)) == 2)
    assert heard.kinds() == ["detection", "device_lost", "device_back", "gap", "detection"]
    lost, back, gap = heard.of(DeviceLost)[0], heard.of(DeviceBack)[0], heard.of(Gap)[0]
    assert lost == DeviceLost(time_sample=32_000, device="USB Mic", reason="the microphone 'USB Mic' stopped by itself")
    assert (back.device, back.reason, gap.reason) == ("USB Mic", "opened", "device")
    assert back.time_sample == gap.time_sample == 32_000 + gap.samples
    # What was said came all at once here: as much of each word's two seconds as was there at a look is no part of it.
    assert max(0.0, away - 2.0) - 0.3 <= gap.seconds <= away + 0.3
    assert heard.of(Detection)[1].start - gap.time == pytest.approx(1.2, abs=0.05)
    assert system.streams[1].settings["device"] == 1


def test_stream_time_goes_on_by_the_time_away(system: FakeSoundDevice) -> None:
    with Heard() as heard:
        system.streams[0].deliver(SILENCE)
        until(lambda: heard.listener.spotter and heard.listener.spotter.position == 800)
        system.plug([])
        system.streams[0].die()
        time.sleep(0.6)
        system.plug([("USB Mic", 1)])
        until(lambda: len(system.streams) == 2 and system.streams[1].active)
        system.streams[1].deliver(SILENCE)
        until(lambda: heard.of(DeviceBack))
    assert 0.55 < heard.of(DeviceBack)[0].time < 2.0


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (44_100, 2), (48_000, 8)])
def test_another_device_may_come_back_at_another_rate_with_other_channels(
    system: FakeSoundDevice, rate: int, channels: int
) -> None:
    with Heard() as heard:
        say(system.streams[0])
        until(lambda: heard.of(Detection))
        system._own_rate = float(rate)
        system._refuses = {(r, c) for r in (rate, RATE) for c in (1, 2) if c < channels}
        system.plug([("Headset", channels)])
        system.streams[0].die()
        until(lambda: len(system.streams) == 2 and system.streams[1].active)
        say(system.streams[1], recording((1.2, "yes"), seconds=2.5, sample_rate=rate), channels)
        until(lambda: len(heard.of(Detection)) == 2)
    assert (system.streams[1].samplerate, system.streams[1].settings["channels"]) == (rate, channels)
    assert heard.of(DeviceBack)[0].device == "Headset"
    second, gap = heard.of(Detection)[1], heard.of(Gap)[0]
    assert second.start - gap.time == pytest.approx(1.2, abs=0.05)


def test_a_stream_that_pauses_is_said_to_be_lost_and_loses_nothing(system: FakeSoundDevice) -> None:
    with Heard() as heard:
        say(system.streams[0], WORD[:20_000])
        until(lambda: heard.of(DeviceLost))
        say(system.streams[0], WORD[20_000:])
        until(lambda: heard.of(DeviceBack))
        until(lambda: heard.of(Detection))
    assert sorted(heard.kinds()) == ["detection", "device_back", "device_lost"]  # and no gap
    assert heard.of(DeviceBack)[0].reason == "resumed"
    assert "has given no audio" in heard.of(DeviceLost)[0].reason
    assert heard.of(Detection)[0].start == pytest.approx(1.2, abs=0.05)
    assert len(system.streams) == 1


def test_a_stream_that_stays_silent_is_opened_anew_and_lost_is_said_once(system: FakeSoundDevice) -> None:
    with Heard() as heard:
        say(system.streams[0])
        until(lambda: len(system.streams) == 2 and system.streams[1].active)
        assert system.streams[0].calls == ["start", "abort", "close"]
        say(system.streams[1])
        until(lambda: heard.of(DeviceBack))
    assert heard.kinds().count("device_lost") == 1


def test_a_device_that_opens_and_gives_nothing_is_not_back_and_is_tried_again(system: FakeSoundDevice) -> None:
    with Heard() as heard:
        until(lambda: len(system.streams) == 3)  # not one of them gave audio
        assert heard.kinds() == ["device_lost"]
        until(lambda: system.streams[2].active)
        say(system.streams[2])
        until(lambda: heard.of(Detection))
    assert heard.kinds()[:2] == ["device_lost", "device_back"]


def test_what_the_old_stream_says_late_is_not_heard_in_the_new_one(system: FakeSoundDevice) -> None:
    with Heard() as heard:
        say(system.streams[0], np.zeros(20_000, np.float32))
        until(lambda: len(system.streams) == 2 and system.streams[1].active)
        say(system.streams[1], np.zeros(20_000, np.float32))
        until(lambda: heard.of(Gap))
        say(system.streams[0])  # a call that had hung
        say(system.streams[1], np.zeros(20_000, np.float32))
        assert heard.listener.spotter is not None
        wanted = 60_000 + heard.of(Gap)[0].samples
        until(lambda: heard.listener.spotter and heard.listener.spotter.position == wanted)
    assert not heard.of(Detection)


def test_attempts_become_rarer(system: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotter.reopening._LAST_RETRY_S", 3.0)
    tries: list[float] = []

    def query() -> list[dict[str, Any]]:
        tries.append(time.monotonic())
        return []

    with Heard():
        say(system.streams[0])
        monkeypatch.setattr(system, "query_devices", query)
        system.streams[0].die()
        time.sleep(1.0)
    assert 3 <= len(tries) <= 9


@pytest.fixture
def nap(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return what lets the machine sleep for so many seconds."""
    slept_s, really = [0.0], elapsed_s
    for module_name in ("spotter.clock", "spotter.reopening"):
        monkeypatch.setattr(f"{module_name}.elapsed_s", lambda: really() + slept_s[0])
    return lambda seconds: slept_s.__setitem__(0, slept_s[0] + seconds)


def test_a_machine_that_slept_opens_its_microphone_anew_and_the_night_is_a_gap(
    system: FakeSoundDevice, nap: Callable[[float], None]
) -> None:
    with Heard() as heard:
        say(system.streams[0])
        until(lambda: heard.of(Detection))
        nap(28_800.0)
        say(system.streams[0], SILENCE[:, 0])  # the device goes on as if no time had passed
        until(lambda: len(system.streams) == 2 and system.streams[1].active)
        say(system.streams[1])
        until(lambda: len(heard.of(Detection)) == 2)
        age = datetime.now(timezone.utc) - heard.listener.time_of_day(heard.of(Detection)[1].time)
    assert heard.kinds() == ["detection", "device_lost", "device_back", "gap", "detection"]
    assert heard.of(DeviceLost)[0].reason == "the machine slept for 28800 s"
    assert heard.of(Gap)[0].seconds == pytest.approx(28_800.0, abs=5.0)
    assert abs(age.total_seconds()) < 60.0  # and not at night
    assert system.streams[0].calls[-1] == "close"


def test_who_listens_once_gets_an_error_when_the_machine_has_slept(
    system: FakeSoundDevice, nap: Callable[[float], None]
) -> None:
    heard = Heard(once=True)
    heard.listener.start()
    say(system.streams[0])
    nap(60.0)
    until(lambda: not heard.listener.running)
    with pytest.raises(DeviceLostError, match="slept for 60 s, and 'USB Mic' with it; start again"):
        heard.listener.stop()


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
    system: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spotter.reopening._LAST_RETRY_S", 3.0)
    with Heard():
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            stream = system.streams[-1]
            if stream.active:
                say(stream, SILENCE[:, 0])
                time.sleep(0.01)
                stream.die()
            time.sleep(0.002)
    assert 3 <= len(system.streams) <= 9


@pytest.mark.parametrize("problem", ["gone", "silent"])
def test_who_listens_once_gets_an_error_when_the_device_is_lost(system: FakeSoundDevice, problem: str) -> None:
    heard = Heard(once=True)
    heard.listener.start()
    say(system.streams[0])
    if problem == "gone":
        system.streams[0].die()
    until(lambda: not heard.listener.running)
    with pytest.raises(DeviceLostError, match="stopped by itself" if problem == "gone" else "no audio"):
        heard.listener.stop()
    assert heard.kinds() == ["detection"]


def test_without_a_microphone_at_the_start_it_raises_at_once(system: FakeSoundDevice) -> None:
    system.plug([])
    with pytest.raises(MicrophoneError, match="no input device found"):
        Listener(ScriptedModel()).start()


def test_who_waits_hears_the_microphone_when_it_comes(system: FakeSoundDevice) -> None:
    system.plug([])
    with Heard(device="headset", wait=True) as heard:
        until(lambda: heard.listener.waiting)
        until(lambda: heard.of(DeviceLost))
        time.sleep(0.3)
        system._own_rate = 44_100.0
        system.plug([("Headset", 1)])
        until(lambda: system.streams and system.streams[0].active)
        say(system.streams[0], recording((1.2, "yes"), seconds=2.5, sample_rate=44_100))
        until(lambda: heard.of(Detection))
        assert not heard.listener.waiting
    assert heard.kinds() == ["device_lost", "device_back", "gap", "detection"]
    assert heard.of(DeviceLost)[0] == DeviceLost(time_sample=0, device="headset", reason="no input device found")


def test_waiting_for_one_that_never_comes_is_ended_by_stop_and_the_time_is_a_gap(system: FakeSoundDevice) -> None:
    system.plug([])
    with Heard(wait=True) as heard:
        time.sleep(0.3)
    assert heard.kinds() == ["device_lost", "gap"]
    assert 0.25 < heard.of(Gap)[0].seconds < 2.0


def test_waiting_and_listening_once_exclude_each_other() -> None:
    with pytest.raises(BadInputError, match="exclude"):
        Listener(ScriptedModel(), wait=True, once=True)


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
        assert going.wait(5.0)
    microphone: Any = heard.listener.source
    assert microphone.stuck
    free.set()
    until(lambda: not microphone.stuck)


def test_after_a_loss_it_may_be_stopped_and_started_again(system: FakeSoundDevice) -> None:
    heard = Heard()
    for turn in (1, 2):
        with heard:
            until(lambda: system.streams[-1].active)
            say(system.streams[-1])
            until(lambda turn=turn: len(heard.of(Detection)) == turn)  # type: ignore[misc]
            system.streams[-1].die()
    assert heard.kinds().count("detection") == 2


def test_words_that_come_in_a_burst_after_a_stall_keep_the_time_at_which_they_were_said(
    system: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GIVE_UP_S", 5.0)
    with Heard() as heard:
        for _ in range(25):  # in real time, so that it is known when the stream began
            system.streams[0].deliver(SILENCE)
            time.sleep(0.05)
        said_at = datetime.now(timezone.utc)
        time.sleep(1.0)
        say(system.streams[0], recording((0.2, "yes"), seconds=1.0))
        until(lambda: heard.of(Detection) and heard.listener.most_behind_s > 0.5)
        late = datetime.now(timezone.utc)
        when = heard.listener.time_of_day(heard.of(Detection)[0].start)
        assert heard.listener.most_behind_s == pytest.approx(1.0, abs=0.5)
    assert (when - said_at).total_seconds() == pytest.approx(0.2, abs=0.2)
    assert (late - when).total_seconds() > 0.6


def test_a_device_whose_clock_is_a_little_off_is_followed_and_bursts_are_not() -> None:
    clock = StreamClock()
    for second in range(3_600):
        late = 5.0 if second % 30 == 7 else 0.0
        position = round(second * 16_000 * 1.0001)  # a clock that is 0.01% too fast
        clock.note(position, 50_000.0 + second + late)
        assert clock.begin_s == pytest.approx(50_000.0 + second - position / 16_000, abs=0.02)


def test_time_before_anything_came_is_now() -> None:
    assert StreamClock().age_s(16_000, 1e6) == 0.0


def test_two_microphones_share_a_models_weights_and_hear_each_its_own(system: FakeSoundDevice, tmp_path: Path) -> None:
    system.plug([("Left", 1), ("Right", 1)])
    model = Model.open(ROOT / "data" / "models" / "tiny")
    demo, _ = soundfile.read(ROOT.parent / "spotter" / "data" / "demo.flac", dtype="float32")
    audio = {"Left": demo, "Right": demo[::-1].copy()}
    heard: dict[str, list[tuple[str, int, float]]] = {"Left": [], "Right": []}
    listeners = []
    for name in audio:
        listener = Listener(model, device=name, threshold=0.3)
        listener.on_any(lambda d, name=name: heard[name].append((d.keyword, d.time_sample, d.score)))
        listener.start()
        listeners.append(listener)

    def feed(stream: FakeStream, samples: np.ndarray) -> None:
        for at in range(0, len(samples), 16_000):
            say(stream, samples[at : at + 16_000])
            time.sleep(0.01)

    feeders = [
        threading.Thread(target=feed, args=(stream, audio[name]))
        for stream, name in zip(system.streams, audio, strict=True)
    ]
    for feeder in feeders:
        feeder.start()
    for feeder in feeders:
        feeder.join()
    for listener in listeners:
        listener.stop()
    for name, samples in audio.items():
        alone: list[tuple[str, int, float]] = []
        single = Listener(model, device=name, threshold=0.3)
        single.on_any(lambda d, alone=alone: alone.append((d.keyword, d.time_sample, d.score)))
        with single:
            feed(system.streams[-1], samples)
        assert heard[name] == alone  # to the bit, and beside the other
        assert len(alone) > 2
    assert heard["Left"] != heard["Right"]


def test_a_lost_microphone_does_not_disturb_another(system: FakeSoundDevice) -> None:
    system.plug([("Left", 1), ("Right", 1)])
    with Heard(device="left") as left, Heard(device="right") as right:
        system.plug([("Right", 1)])
        system.streams[0].die()
        until(lambda: left.of(DeviceLost))
        time.sleep(0.2)
        say(system.streams[1])
        until(lambda: right.of(Detection))
        assert system.initialised == 1  # it would have ended the other's stream
        assert system.streams[1].calls == ["start"]
    assert right.kinds() == ["detection"]


def test_one_channel_of_several_is_heard(system: FakeSoundDevice) -> None:
    system._refuses = {(RATE, 1)}
    with Heard(channel=2) as heard:
        both = np.stack((recording((1.2, "no"), seconds=2.0), WORD), axis=1)
        for at in range(0, len(both), 800):
            system.streams[0].deliver(both[at : at + 800])
        until(lambda: heard.of(Detection))
    assert [d.keyword for d in heard.of(Detection)] == ["yes"]


def test_one_channel_of_a_recording_is_heard() -> None:
    from spotter.sources.memory import Samples

    both = np.stack((recording((0.5, "no"), seconds=1.5), recording((0.5, "yes"), seconds=1.5)), axis=1)
    for channel, word in ((1, "no"), (2, "yes")):
        assert [d.keyword for d in Listener(ScriptedModel(), source=Samples(both), channel=channel)] == [word]
    with pytest.raises(BadInputError, match="no channel 3; give 1 to 2"):
        list(Listener(ScriptedModel(), source=Samples(both), channel=3))


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
