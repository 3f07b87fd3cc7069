"""What an exported network costs: parameters, multiply-adds, microseconds in LiteRT on one thread.

Multiply-adds are counted from the exported file, of convolutions and dense layers (`benchmarks/`).
As a stream, a network with a stream form computes each layer's new outputs only; any other computes a
whole window ten times a second. Times are medians of many calls, the best of some rounds, and beside
them how many times the floor that is: the same multiply-adds as one matrix product on this machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import operations
from spotter.manifest import STREAM_NETWORK, WINDOW_NETWORK
from spotter.model import Model
from spotter.pipeline import hop_for
from spotter.settings import SAMPLE_RATE

WINDOWS_PER_SECOND = 10  # of a network without a stream form
_CALLS, _ROUNDS = 100, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Multiply-adds and microseconds, of one whole window and of a second of audio as a stream."""

    window_multiply_adds: int
    second_multiply_adds: int
    window_us: float
    second_us: float
    streams: bool  # whether there is a stream form

    def times_floor(self, peak: float) -> float:
        """How often the time of a matrix product with as many multiply-adds fits into that of a window.

        peak : multiply-adds per second of the best matrix product (`benchmarks.floor.peak`)
        """
        return self.window_us * 1e-6 * peak / self.window_multiply_adds


def costs(model: Model) -> Costs:
    """Count and time a model; other work on the machine makes the times worse."""
    data = (model.folder / WINDOW_NETWORK).read_bytes()
    streams = (model.folder / STREAM_NETWORK).exists()
    frames = np.random.default_rng(0).normal(-4.0, 4.0, (model.context_frames, model.frontend.bins)).astype(np.float32)
    whole = model.window_scorer()
    window = operations.multiply_adds(data)
    window_us = median_us(lambda: whole.score(frames, model.context_frames))
    if streams:
        second = round(operations.per_output(data) * SAMPLE_RATE / model.step)
        hop = hop_for(model, None)
        stream = model.scorer(hop)
        stream.score(frames, model.context_frames)
        new = hop // model.frontend.hop_samples
        second_us = median_us(lambda: stream.score(frames, new)) * SAMPLE_RATE / hop
    else:
        second, second_us = WINDOWS_PER_SECOND * window, WINDOWS_PER_SECOND * window_us
    return Costs(
        window_multiply_adds=window,
        second_multiply_adds=second,
        window_us=window_us,
        second_us=second_us,
        streams=streams,
    )


def parameters(model: Any) -> int:
    """Numbers that training finds; statistics of normalisation do not count."""
    return int(sum(np.prod(v.shape) for v in model.trainable_variables))


def median_us(call: Callable[[], object]) -> float:
    """Microseconds of a call: the median of a hundred, the best of five such rounds."""
    best = float("inf")
    for _ in range(_ROUNDS):
        times = []
        for _ in range(_CALLS):
            began = time.perf_counter()
            call()
            times.append(time.perf_counter() - began)
        best = min(best, float(np.median(times)))
    return best * 1e6
