"""CPU time of the whole chain and of its stages, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from spotter.arrays import Floats
from spotter.decoder import Decoder
from spotter.frontend import Frontend
from spotter.model import Model
from spotter.pipeline import Spotter, hop_for
from spotter.settings import SAMPLE_RATE


def audio(seconds: int) -> Floats:
    """Noise that comes and goes, shape (samples,)."""
    rng = np.random.default_rng(0)
    swell = np.repeat(rng.uniform(0.01, 0.3, seconds * 2), SAMPLE_RATE // 2).astype(np.float32)
    return np.asarray(rng.standard_normal(seconds * SAMPLE_RATE, np.float32) * swell, np.float32)


def poured(model: Model, hop_ms: float, seconds: int = 120, repeats: int = 3) -> float:
    """CPU seconds per second of audio that comes in blocks of a second, as from a file; the best of some runs."""
    samples = audio(seconds)
    spotter = Spotter(model, hop_ms=hop_ms)
    best = float("inf")
    for _ in range(repeats):
        spotter.reset()
        began = time.process_time()
        for at in range(0, len(samples), SAMPLE_RATE):
            spotter.write(samples[at : at + SAMPLE_RATE])
            for _event in spotter.events():
                pass
        best = min(best, (time.process_time() - began) / seconds)
    return best


def at_real_time_pace(model: Model, hop_ms: float, seconds: int = 20) -> float:
    """CPU seconds per second of audio that comes in blocks of a hop when it would from a microphone."""
    samples = audio(seconds)
    spotter = Spotter(model, hop_ms=hop_ms)
    block = spotter.hop_samples
    began, start = time.process_time(), time.monotonic()
    for at in range(0, len(samples), block):
        time.sleep(max(0.0, start + (at + block) / SAMPLE_RATE - time.monotonic()))
        spotter.write(samples[at : at + block])
        for _event in spotter.events():
            pass
    return (time.process_time() - began) / seconds


def stages(model: Model, hop_ms: float) -> dict[str, float]:
    """Microseconds per hop of the front-end, the network and the decoder, each for itself."""
    hop = hop_for(model, hop_ms)
    config = model.frontend
    new = hop // config.hop_samples
    frontend, samples = Frontend(config), audio(1)[: config.samples_for(new)]
    frames = Frontend(config)(audio(3))[: model.context_frames].copy()
    scorer = model.scorer(hop)
    scorer.score(frames, model.context_frames)
    decoder = Decoder(model.labels, model.keywords, model.decoder, hop)
    scores = np.full(len(model.labels), 1 / len(model.labels), np.float32)
    ends = iter(range(hop, 10**9, hop))
    return {
        "front-end": _each(lambda: frontend(samples)),
        "network": _each(lambda: scorer.score(frames, new)),
        "decoder": _each(lambda: decoder.step(scores, next(ends), -20.0)),
    }


def _each(call: Callable[[], object], times: int = 400, repeats: int = 5) -> float:
    best = float("inf")
    for _ in range(repeats):
        began = time.process_time()
        for _ in range(times):
            call()
        best = min(best, (time.process_time() - began) / times)
    return best * 1e6
