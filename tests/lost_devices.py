"""A microphone that can be lost, on a fake sound system where everything goes ten times as fast, for tests."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from spotter.clock import elapsed_s
from spotter.listener import Listener
from spotter.sources import microphone as module
from spotter.sources.portaudio import PortAudio
from tests.fakes import FakeSoundDevice, FakeStream, ScriptedModel, recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from spotter.events import Event

RATE = 16_000
WORD = recording((1.2, "yes"), seconds=2.0)
SILENCE = np.zeros((800, 1), np.float32)


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
    deadline = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline, "did not happen within a minute"
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
        assert time.monotonic() - began < 8.0  # two are promised; who waits for what hangs takes ten

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def kinds(self) -> list[str]:
        return [event.as_dict()["type"] for event in self.events]


def say(stream: FakeStream, samples: np.ndarray = WORD, channels: int = 1) -> None:
    """Deliver samples in blocks of 50 ms, all at once."""
    block = round(stream.samplerate / 20)
    for at in range(0, len(samples), block):
        stream.deliver(np.repeat(samples[at : at + block, None], channels, axis=1))


@pytest.fixture
def nap(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return what lets the machine sleep for so many seconds."""
    slept_s, really = [0.0], elapsed_s
    for module_name in ("spotter.clock", "spotter.reopening"):
        monkeypatch.setattr(f"{module_name}.elapsed_s", lambda: really() + slept_s[0])
    return lambda seconds: slept_s.__setitem__(0, slept_s[0] + seconds)
