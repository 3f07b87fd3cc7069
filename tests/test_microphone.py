"""The microphone, on a fake sound system: which device, which format, and a callback that only copies."""

from __future__ import annotations

import _thread
import builtins
import signal
import subprocess
import sys
import threading
import time
from queue import SimpleQueue
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.errors import BadInputError, DeviceLostError, MicrophoneError
from spotter.listener import Listener
from spotter.ring import Lost, Ring
from spotter.sources import microphone as module
from spotter.sources.device_clock import DeviceClock
from spotter.sources.devices import Device, input_devices
from spotter.sources.microphone import Microphone, formats
from spotter.sources.portaudio import PortAudio
from tests.fakes import FakePortAudioError, FakeSoundDevice, FakeStream, ScriptedModel, recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from spotter.events import Detection


def system(monkeypatch: pytest.MonkeyPatch, *args: Any, **settings: Any) -> FakeSoundDevice:
    fake = FakeSoundDevice(*args, **settings)
    monkeypatch.setattr(module, "PORTAUDIO", PortAudio())  # other tests leave microphones open
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


def started(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> tuple[Microphone, FakeStream, Ring, SimpleQueue[None]]:
    fake = system(monkeypatch, **{"own_rate": 16_000.0, **settings})
    microphone = Microphone()
    microphone.open()
    ring = Ring(200_000, microphone.channels)
    bell: SimpleQueue[None] = SimpleQueue()
    microphone.start(ring, bell)
    return microphone, fake.streams[0], ring, bell


def frames(first: int, count: int, channels: int = 1) -> np.ndarray:
    return np.repeat(np.arange(first, first + count, dtype=np.float32)[:, None], channels, axis=1)


def drained(ring: Ring) -> list[object]:
    out: list[object] = []
    while (piece := ring.read()) is not None:
        out.extend([piece] if isinstance(piece, Lost) else piece[:, 0].tolist())
    return out


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000, 96_000])
def test_the_devices_own_rate_is_asked_for_in_mono_in_blocks_of_50_ms(
    monkeypatch: pytest.MonkeyPatch, rate: int
) -> None:
    microphone, stream, _, _ = started(monkeypatch, own_rate=float(rate))
    assert (microphone.name, microphone.sample_rate, microphone.channels) == ("Built-in Microphone", rate, 1)
    wanted = {"samplerate": rate, "channels": 1, "blocksize": rate // 20, "dtype": "float32", "device": 0}
    assert {key: stream.settings[key] for key in wanted} == wanted
    assert stream.calls == ["start"]


@pytest.mark.parametrize(
    ("refuses", "rate", "channels"),
    [
        ([], 44_100, 1),
        ([(44_100, 1)], 44_100, 2),
        ([(44_100, 1), (44_100, 2)], 44_100, 8),
        ([(44_100, 1), (44_100, 2), (44_100, 8)], 16_000, 1),
    ],
)
def test_as_few_channels_as_work_and_16_khz_where_the_own_rate_does_not(
    monkeypatch: pytest.MonkeyPatch, refuses: list[tuple[int, int]], rate: int, channels: int
) -> None:
    microphone, stream, _, _ = started(monkeypatch, devices=[("Array", 8)], refuses=refuses, own_rate=44_100.0)
    assert (microphone.sample_rate, microphone.channels) == (rate, channels)
    assert stream.settings["blocksize"] == rate // 20


def device(channels: int, host: str = "Core Audio", rate: float = 44_100.0) -> Device:
    return Device(0, "Array", host, channels, rate, default=True)


def test_alsa_calls_everything_44100_hz_that_can_convert_so_48000_comes_first() -> None:
    assert formats(device(32, "ALSA"))[0] == (48_000, 1)
    assert formats(device(32, "ALSA", 16_000.0))[0] == (16_000, 1)
    assert formats(device(1)) == [(44_100, 1), (16_000, 1)]


def test_for_one_channel_an_array_is_opened_with_all_it_has() -> None:
    assert [count for rate, count in formats(device(6), channel=3) if rate == 44_100] == [6, 3]
    assert [count for rate, count in formats(device(32), channel=1) if rate == 44_100] == [2, 32]
    assert [count for rate, count in formats(device(1), channel=1) if rate == 44_100] == [1]


def test_a_channel_that_the_device_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch)
    with pytest.raises(BadInputError, match=r"no channel 3; give 1 to 2"):
        Microphone(channel=3).open()
    for wrong in (0, -1, 65, 1.0, True):
        with pytest.raises(BadInputError, match="give 1 to 64"):
            Microphone(channel=wrong)  # type: ignore[arg-type]
    assert not fake.streams


def test_a_device_that_takes_nothing_is_an_error_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch, devices=[("Broken", 1)], refuses=[(16_000, 1), (44_100, 1)])
    with pytest.raises(MicrophoneError, match=r"'Broken' cannot be opened \(Invalid sample rate"):
        Microphone().open()
    assert fake.initialised == 2  # the list of devices was made anew, in vain


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (None, "Built-in Microphone"),
        (2, "USB Headset"),
        ("2", "USB Headset"),
        ("usb", "USB Headset"),
        ("MICRO", "Built-in Microphone"),
        ("usb fake", "USB Headset"),  # the host's name helps
    ],
)
def test_a_device_is_its_number_or_a_part_of_its_name(
    monkeypatch: pytest.MonkeyPatch, wanted: int | str | None, name: str
) -> None:
    system(monkeypatch)
    microphone = Microphone(wanted)
    microphone.open()
    assert microphone.name == name


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ("piano", r"no input device is called 'piano'; there are: 0 'Built-in Microphone' .*, 2 'USB Headset'"),
        ("speakers", "no input device is called"),  # it has no input
        ("b", r"2 input devices match 'b': 0 'Built-in Microphone' .*, 2 'USB Headset'"),
        (1, "no input device has the number 1; there are: 0"),
        ("7", "no input device has the number 7"),
        (-1, "no input device has the number -1"),
    ],
)
def test_a_device_that_is_not_there_or_not_one_is_an_error_that_lists_them(
    monkeypatch: pytest.MonkeyPatch, wanted: int | str, hint: str
) -> None:
    system(monkeypatch)
    with pytest.raises(MicrophoneError, match=hint):
        Microphone(wanted).open()


def test_the_whole_name_wins_over_longer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch, devices=[("Mic 2", 1), ("Mic", 1)])
    Microphone("mic").open()
    assert fake.streams[0].settings["device"] == 1


@pytest.mark.parametrize("wanted", ["Other Audio", "other"])
def test_a_hosts_name_means_the_input_that_the_host_would_choose(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    fake = system(monkeypatch, devices=[("Mic", 1), ("Line", 1), ("USB Mic", 1)], hosts=[0, 1, 1])
    fake.host_defaults = [0, 2]
    Microphone(wanted).open()
    assert fake.streams[0].settings["device"] == 2


def lost(monkeypatch: pytest.MonkeyPatch, wanted: int | str | None, name: str) -> tuple[FakeSoundDevice, Microphone]:
    """Return a microphone that was open and has gone, and a system in which nothing is where it was."""
    fake = system(monkeypatch, devices=[("Mic", 1), (name, 1), ("Line", 1)], default=1)
    microphone = Microphone(wanted)
    microphone.start(Ring(10, 1), SimpleQueue())
    assert fake.streams[0].settings["device"] == 1
    fake.streams[0].die()
    with pytest.raises(DeviceLostError):
        microphone.check()
    microphone.close()
    return fake, microphone


@pytest.mark.parametrize("wanted", [1, "1", "usb", "USB Mic: - (hw:1,0)"])
@pytest.mark.parametrize("now", ["USB Mic: - (hw:1,0)", "USB Mic: - (hw:3,0)"])
def test_a_device_that_comes_back_is_found_by_its_name_wherever_it_stands_now(
    monkeypatch: pytest.MonkeyPatch, wanted: int | str, now: str
) -> None:
    fake, microphone = lost(monkeypatch, wanted, "USB Mic: - (hw:1,0)")
    fake.plug([("Mic", 1), ("Line", 1), ("Other", 1), (now, 1)], default=1)
    microphone.open()
    assert fake.streams[1].settings["device"] == 3
    assert fake.initialised == 2  # only so does PortAudio list what was plugged in


@pytest.mark.parametrize("wanted", [1, "usb"])
def test_another_device_is_never_taken_for_one_that_was_chosen(
    monkeypatch: pytest.MonkeyPatch, wanted: int | str
) -> None:
    fake, microphone = lost(monkeypatch, wanted, "USB Mic")
    fake.plug([("Mic", 1), ("Line", 1)])
    with pytest.raises(MicrophoneError, match="there are: 0 'Mic'"):
        microphone.open()


def test_of_two_devices_of_one_name_the_one_in_the_same_place_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, microphone = lost(monkeypatch, 1, "USB Mic")
    fake.plug([("USB Mic", 1), ("USB Mic", 1), ("USB Mic", 1)])
    microphone.open()
    assert fake.streams[1].settings["device"] == 1


def test_the_default_is_whatever_the_system_says_when_it_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, microphone = lost(monkeypatch, None, "USB Mic")
    fake.plug([("Mic", 1), ("USB Mic", 1), ("Headset", 1)], default=2)
    microphone.open()
    assert fake.streams[1].settings["device"] == 2


def test_the_list_is_not_made_anew_while_another_microphone_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch)
    other, mine = Microphone(0), Microphone("new")
    other.open()
    for _ in range(2):
        with pytest.raises(MicrophoneError, match="no input device is called 'new'"):
            mine.open()
    assert fake.initialised == 1
    other.close()
    fake.plug([("New", 1)])
    mine.open()
    assert (fake.initialised, mine.name) == (2, "New")


def test_one_microphone_under_two_hosts_is_the_default_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch, devices=[("USB Mic", 1), ("USB Mic", 1)], hosts=[0, 1], default=1)
    Microphone("usb").open()
    assert fake.streams[0].settings["device"] == 1


def test_without_a_default_the_first_input_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch, devices=[("Speakers", 0), ("Mic", 1)], default=-1)
    Microphone().open()
    assert fake.streams[0].settings["device"] == 1


def test_no_input_device_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    system(monkeypatch, devices=[("Speakers", 0)])
    with pytest.raises(MicrophoneError, match="no input device found"):
        Microphone().open()
    assert input_devices() == []


@pytest.mark.parametrize(
    ("error", "platform", "hint"),
    [
        (OSError("PortAudio library not found"), "darwin", "PortAudio library not found; run `brew install portaudio`"),
        (OSError("PortAudio library not found"), "win32", "pip install --force-reinstall"),
        (OSError("PortAudio library not found"), "linux", "run `sudo "),
        (ImportError("No module named 'sounddevice'"), "linux", "python -m pip install sounddevice"),
        (RuntimeError("Error initializing PortAudio"), "linux", "PortAudio does not start"),
    ],
)
def test_without_portaudio_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, error: Exception, platform: str, hint: str
) -> None:
    really = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "sounddevice":
            raise error
        return really(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(MicrophoneError, match=hint):
        Microphone().open()


def test_the_callback_copies_since_the_driver_takes_its_buffer_back(monkeypatch: pytest.MonkeyPatch) -> None:
    microphone, stream, ring, _ = started(monkeypatch)
    for turn in range(3):
        stream.deliver(frames(turn * 320, 320))
    assert drained(ring) == list(range(960))
    assert (microphone.callbacks, microphone.overflow_flags) == (3, 0)


def test_the_doorbell_rings_once_however_late_the_reader_is(monkeypatch: pytest.MonkeyPatch) -> None:
    _, stream, _, bell = started(monkeypatch)
    for turn in range(40):
        stream.deliver(frames(turn, 1))
    assert bell.qsize() == 1


@pytest.mark.parametrize(("lost_s", "lost_frames"), [(0.5, 8_000), (0.0, 1)])
def test_an_overflow_flag_becomes_a_loss_at_its_place(
    monkeypatch: pytest.MonkeyPatch, lost_s: float, lost_frames: int
) -> None:
    microphone, stream, ring, _ = started(monkeypatch)
    stream.deliver(frames(0, 320))
    stream.deliver(frames(320, 320), lost_s=lost_s, overflow=True)
    assert drained(ring) == [*range(320), Lost(lost_frames, "driver"), *range(320, 640)]
    assert microphone.overflow_flags == 1


def losses(stream: FakeStream, ring: Ring, late_s: list[float], lost_s: dict[int, float]) -> list[Lost]:
    """Deliver blocks, late by so much and after such losses that nobody flags; what the ring says is lost."""
    for turn, late in enumerate(late_s):
        stream.deliver(frames(turn * 800, 800), lost_s=lost_s.get(turn, 0.0), overflow=False, late_s=late)
    return [piece for piece in drained(ring) if isinstance(piece, Lost)]


def test_a_loss_that_nobody_flags_is_found_by_the_devices_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    microphone, stream, ring, _ = started(monkeypatch)
    assert losses(stream, ring, [0.0, 0.04, 0.0, 0.0], {3: 0.5}) == [Lost(8_000, "driver")]
    assert microphone.overflow_flags == 1


def test_audio_that_comes_in_a_burst_with_a_hole_in_it_lost_something(monkeypatch: pytest.MonkeyPatch) -> None:
    _, stream, ring, _ = started(monkeypatch)
    # Four blocks at once after a stall, and two seconds are missing between them: no lateness explains that.
    assert losses(stream, ring, [0.0, 3.0, 2.95, 2.9 - 2.0], {3: 2.0}) == [Lost(32_000, "driver")]


@pytest.mark.parametrize("late_s", [[0.0, 0.3, 0.25, 0.2, 0.0], [0.01, 0.0, 0.02, 5.0, 4.95, 4.9, 0.0], [0.2] * 9])
def test_calls_that_are_late_or_come_in_bursts_lose_nothing(
    monkeypatch: pytest.MonkeyPatch, late_s: list[float]
) -> None:
    _, stream, ring, _ = started(monkeypatch)
    assert losses(stream, ring, late_s, {}) == []


def test_a_clock_that_only_follows_the_calls_makes_no_loss_of_a_late_one(monkeypatch: pytest.MonkeyPatch) -> None:
    _, stream, ring, _ = started(monkeypatch)
    # As some systems have it: what is recorded is said to be recorded just before the call.
    for turn, came in enumerate([0.0, 0.05, 0.10, 0.65, 0.65, 0.65, 0.70]):
        stream._time = 100.0 + came
        stream.deliver(frames(turn * 800, 800))
    assert not [piece for piece in drained(ring) if isinstance(piece, Lost)]


@settings(max_examples=50)
@given(st.lists(st.floats(0.0, 0.08), min_size=5, max_size=40), st.lists(st.integers(1, 4_000), min_size=1, max_size=6))
def test_jitter_of_the_calls_and_blocks_of_any_size_lose_nothing(late_s: list[float], sizes: list[int]) -> None:
    clock, began = DeviceClock(), 1_000.0
    for turn, late in enumerate(late_s):
        length = sizes[turn % len(sizes)] / 48_000
        assert clock.missing_s(began, began + length + late, length, flagged=False) == 0.0
        began += length


@pytest.mark.parametrize("clock", [0.0, float("nan"), float("inf"), -5.0, 1e12])
def test_a_clock_that_makes_no_sense_does_no_harm(monkeypatch: pytest.MonkeyPatch, clock: float) -> None:
    microphone, stream, ring, _ = started(monkeypatch)
    stream.deliver(frames(0, 10))
    stream._time = clock
    stream.deliver(frames(10, 10), overflow=True)
    stream._time = 200.0
    stream.deliver(frames(20, 10), overflow=True)
    out = drained(ring)
    losses = [piece.frames for piece in out if isinstance(piece, Lost)]
    assert [piece for piece in out if not isinstance(piece, Lost)] == list(range(30))
    assert len(losses) == 2
    assert all(1 <= lost <= 60 * 16_000 for lost in losses)
    microphone.check()


@pytest.mark.parametrize("clock", [0.0, float("nan"), float("inf"), -5.0, 1e12])
def test_a_clock_that_makes_no_sense_makes_no_loss_that_nobody_flags(
    monkeypatch: pytest.MonkeyPatch, clock: float
) -> None:
    _, stream, ring, _ = started(monkeypatch)
    for turn, now in enumerate([100.0, clock, clock, 100.15]):
        stream._time = now
        stream.deliver(frames(10 * turn, 10))
    assert drained(ring) == list(range(40))


def test_no_exception_leaves_the_callback_and_the_reader_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    microphone, stream, _, _ = started(monkeypatch)

    class Broken:
        def write(self, block: object) -> int:
            raise MemoryError("no more")

        def write_raw(self, data: object, count: int) -> int:
            raise MemoryError("no more")

        def lose(self, count: int, reason: str = "driver") -> None:
            raise MemoryError("no more")

    microphone.start(Broken(), SimpleQueue())
    microphone.check()
    stream.deliver(frames(0, 10))
    with pytest.raises(MicrophoneError, match="MemoryError: no more"):
        microphone.check()


def test_a_device_that_goes_away_is_an_error_for_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    microphone, stream, _, bell = started(monkeypatch)
    microphone.check()
    stream.die()
    assert bell.get(timeout=1.0) is None
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
    assert time.monotonic() - began < 1.0
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
        assert free.wait(5.0)
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
        assert free.wait(5.0)

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
        assert free.wait(5.0)
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
    assert going.wait(5.0)
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
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20.0)
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
            system.run(free.wait, 20.0)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < 2.0
    assert system.hangs
    free.set()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5.0
    while not condition():
        assert time.monotonic() < deadline, "did not happen within 5 s"
        time.sleep(0.002)


def test_a_listener_hears_a_microphone_of_another_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch, refuses=[(44_100, 1)])
    listener = Listener(ScriptedModel(), device="built-in")
    heard: list[Detection] = []
    listener.on_any(heard.append)
    with listener:
        talk = recording((1.5, "yes"), (3.0, "no"), seconds=4.5, sample_rate=44_100)
        for at in range(0, len(talk), 882):
            fake.streams[0].deliver(np.repeat(talk[at : at + 882, None], 2, axis=1))
        until(lambda: len(heard) == 2)
    assert [detection.keyword for detection in heard] == ["yes", "no"]
    assert fake.streams[0].calls == ["start", "abort", "close"]


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a_word_is_heard_at_its_time_at_every_rate_with_any_channels(
    monkeypatch: pytest.MonkeyPatch, rate: int, channels: int
) -> None:
    refuses = [(r, c) for r in (rate, 16_000) for c in (1, 2) if c < channels]
    fake = system(monkeypatch, [("Array", channels)], own_rate=float(rate), refuses=refuses)
    heard: list[Detection] = []
    listener = Listener(ScriptedModel())
    listener.on_any(heard.append)
    with listener:
        talk = np.repeat(recording((1.5, "yes"), seconds=2.5, sample_rate=rate)[:, None], channels, axis=1)
        for at in range(0, len(talk), rate // 20):
            fake.streams[0].deliver(talk[at : at + rate // 20])
        until(lambda: heard)
    assert (fake.streams[0].samplerate, fake.streams[0].settings["channels"]) == (rate, channels)
    assert heard[0].start == pytest.approx(1.5, abs=0.03)


@pytest.mark.parametrize(("hop_ms", "frames_each"), [(20, 320), (None, 800), (200, 800)])
def test_blocks_are_no_longer_than_the_hop(
    monkeypatch: pytest.MonkeyPatch, hop_ms: float | None, frames_each: int
) -> None:
    fake = system(monkeypatch, own_rate=16_000.0)
    with Listener(ScriptedModel(), hop_ms=hop_ms):
        assert fake.streams[0].settings["blocksize"] == frames_each


def test_a_listener_that_listens_once_raises_when_its_microphone_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch)
    listener = Listener(ScriptedModel(), once=True)
    listener.start()
    fake.streams[0].die()
    until(lambda: not listener.running)
    with pytest.raises(MicrophoneError, match="stopped by itself"):
        listener.stop()
    assert "abort" in fake.streams[0].calls
