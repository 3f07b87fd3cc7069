"""A microphone on a fake sound system, for tests."""

from __future__ import annotations

import sys
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

from spotter.ring import Lost, Ring
from spotter.sources import microphone as module
from spotter.sources.microphone import Microphone
from spotter.sources.portaudio import PortAudio
from tests.fakes import FakeSoundDevice, FakeStream

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


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


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline, "did not happen within a minute"
        time.sleep(0.002)
