"""What the audio callback takes: a copy into the ring and a ring of the doorbell."""

from __future__ import annotations

import time
from queue import SimpleQueue
from types import SimpleNamespace

import numpy as np

from spotter.ring import Ring
from spotter.sources.intake import Intake


def callback_us(blocks: int = 20_000, block: int = 800) -> tuple[float, float]:
    """Median and 99th percentile in microseconds of the microphone's own callback, fed by hand."""
    intake = Intake()
    intake.sample_rate = 16_000
    ring, doorbell = Ring(block * 64, 1), SimpleQueue[None]()
    intake.sink, intake.doorbell = ring, doorbell
    data = np.random.default_rng(0).standard_normal((block, 1), np.float32).data.cast("B")
    flags = SimpleNamespace(input_overflow=False)
    taken = np.empty(blocks)
    for i in range(blocks):
        when = SimpleNamespace(inputBufferAdcTime=i * block / 16_000, currentTime=i * block / 16_000)
        began = time.perf_counter_ns()
        intake.on_audio(data, block, when, flags)
        taken[i] = time.perf_counter_ns() - began
        doorbell.get()
        while ring.read() is not None:
            pass
    if intake.failure:  # an error in the callback shows only here
        raise RuntimeError(intake.failure)
    return float(np.median(taken) / 1e3), float(np.percentile(taken, 99) / 1e3)
