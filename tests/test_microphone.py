"""The microphone, on a fake sound system: which device, which format, and a callback that only copies."""

from __future__ import annotations

import builtins
import sys
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from spotter.errors import MicrophoneError
from spotter.listener import Listener
from spotter.ring import Lost, Ring
from spotter.sources import microphone as module
from spotter.sources.devices import input_devices
from spotter.sources.microphone import Microphone
from tests.fakes import FakeSoundDevice, FakeStream, ScriptedModel, recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from spotter.events import Detection


def system(monkeypatch: pytest.MonkeyPatch, *args: Any, **settings: Any) -> FakeSoundDevice:
    fake = FakeSoundDevice(*args, **settings)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


def started(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> tuple[Microphone, FakeStream, Ring, SimpleQueue[None]]:
    fake = system(monkeypatch, **settings)
    microphone = Microphone()
    microphone.open()
    ring: Ring = Ring(16_000, microphone.channels)
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


def test_16_khz_mono_is_asked_for_in_blocks_of_50_ms(monkeypatch: pytest.MonkeyPatch) -> None:
    microphone, stream, _, _ = started(monkeypatch)
    assert (microphone.name, microphone.sample_rate, microphone.channels) == ("Built-in Microphone", 16_000, 1)
    wanted = {"samplerate": 16_000, "channels": 1, "blocksize": 800, "dtype": "float32", "device": 0}
    assert {key: stream.settings[key] for key in wanted} == wanted
    assert stream.calls == ["start"]


@pytest.mark.parametrize(
    ("refuses", "rate", "channels"),
    [
        ([(16_000, 1)], 44_100, 1),
        ([(16_000, 1), (44_100, 1)], 44_100, 2),
        ([(16_000, 1), (44_100, 1), (44_100, 2)], 44_100, 8),
    ],
)
def test_else_the_devices_own_rate_and_as_few_channels_as_work(
    monkeypatch: pytest.MonkeyPatch, refuses: list[tuple[int, int]], rate: int, channels: int
) -> None:
    microphone, stream, _, _ = started(monkeypatch, devices=[("Array", 8)], refuses=refuses)
    assert (microphone.sample_rate, microphone.channels) == (rate, channels)
    assert stream.settings["blocksize"] == 2_205


def test_a_device_that_takes_nothing_is_an_error_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    system(monkeypatch, devices=[("Broken", 1)], refuses=[(16_000, 1), (44_100, 1)])
    with pytest.raises(MicrophoneError, match=r"'Broken' cannot be opened \(Invalid sample rate"):
        Microphone().open()


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
    monkeypatch.setattr(module, "_OPEN_LIMIT_S", 0.05)
    monkeypatch.setattr(fake, "RawInputStream", lambda **_: free.wait())
    microphone = Microphone()
    with pytest.raises(MicrophoneError, match=r"did not open .* within"):
        microphone.open()
    assert microphone.stuck
    free.set()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5.0
    while not condition():
        assert time.monotonic() < deadline, "did not happen within 5 s"
        time.sleep(0.002)


def test_a_listener_hears_a_microphone_of_another_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch, refuses=[(16_000, 1), (44_100, 1)])
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


@pytest.mark.parametrize(("hop_ms", "frames_each"), [(20, 320), (None, 800), (200, 800)])
def test_blocks_are_no_longer_than_the_hop(
    monkeypatch: pytest.MonkeyPatch, hop_ms: float | None, frames_each: int
) -> None:
    fake = system(monkeypatch)
    with Listener(ScriptedModel(), hop_ms=hop_ms):
        assert fake.streams[0].settings["blocksize"] == frames_each


def test_a_listener_whose_microphone_goes_away_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch)
    listener = Listener(ScriptedModel())
    listener.start()
    fake.streams[0].die()
    until(lambda: not listener.running)
    with pytest.raises(MicrophoneError, match="stopped by itself"):
        listener.stop()
    assert "abort" in fake.streams[0].calls
