"""What the audio callback takes: a copy into the ring and a ring of the doorbell."""

from __future__ import annotations

import time
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import numpy as np

from spotter.ring import Ring
from spotter.sources.microphone import Microphone


def callback_us(blocks: int = 20_000, block: int = 800) -> tuple[float, float]:
    """Median and 99th percentile in microseconds of the microphone's own callback, fed by hand."""
    ring, doorbell = Ring(block * 64, 1), SimpleQueue[None]()
    microphone: Any = Microphone()
    microphone._sink, microphone._doorbell = ring, doorbell  # noqa: SLF001 - as `start` would
    data = np.random.default_rng(0).standard_normal((block, 1), np.float32).data.cast("B")
    flags = SimpleNamespace(input_overflow=False)
    taken = np.empty(blocks)
    for i in range(blocks):
        when = SimpleNamespace(inputBufferAdcTime=i * block / 16_000, currentTime=0.0)
        began = time.perf_counter_ns()
        microphone.on_audio(data, block, when, flags)
        taken[i] = time.perf_counter_ns() - began
        doorbell.get()
        while ring.read() is not None:
            pass
    microphone.check()  # an error in the callback shows only here
    return float(np.median(taken) / 1e3), float(np.percentile(taken, 99) / 1e3)
