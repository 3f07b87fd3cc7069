"""A room and words in it, made of noise and tones, and a microphone that hears them."""

from __future__ import annotations

from queue import SimpleQueue

import numpy as np

from spotter.arrays import Floats
from spotter.errors import MicrophoneError
from spotter.sources import Sink
from train.recording.guide import Pace
from train.recording.takes import MANNERS

RATE = 16_000
USUAL, ROOM = MANNERS[0], MANNERS[-1]
ASKED = Pace(asks=True, countdown_s=0.4, take_s=3.0, plays=True)


def room(seconds: float, level: float = 1e-3, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(round(seconds * RATE)) * level).astype(np.float32)


def said(seconds: float = 0.5, peak: float = 0.3, hz: float = 300.0) -> Floats:
    """A swelling tone that stands for a word."""
    times = np.arange(round(seconds * RATE)) / RATE
    swell = np.minimum(1.0, 20.0 * np.minimum(times, seconds - times))
    return (peak * swell * np.sin(2 * np.pi * hz * times)).astype(np.float32)


def talk(*gaps_and_words: float | Floats) -> Floats:
    """Seconds of a room, and words, in this order."""
    parts = [room(p, seed=at) if isinstance(p, float) else p for at, p in enumerate(gaps_and_words)]
    return np.concatenate(parts)


def babble(seconds: float) -> Floats:
    """Syllables without a pause."""
    return np.concatenate([said(0.25, 0.2 + 0.1 * (at % 2)) for at in range(round(seconds * 4))])


class Spoken:
    """A live source that says what it was given, as fast as it is heard, and then vanishes or stays silent."""

    name = "spoken"
    stuck = False

    def __init__(self, samples: Floats, *, sample_rate: int = RATE, channels: int = 1, vanishes: bool = True) -> None:
        self.sample_rate, self.channels = sample_rate, channels
        self._samples, self._vanishes = samples, vanishes
        self._at = 0
        self.closed = 0

    def open(self) -> None:
        pass

    def start(self, sink: Sink, doorbell: SimpleQueue[None]) -> None:
        self._sink, self._bell = sink, doorbell
        self._bell.put(None)

    def check(self) -> None:
        block = self._samples[self._at : self._at + self.sample_rate // 20]
        if not len(block) and self._vanishes:
            raise MicrophoneError("the microphone 'spoken' stopped by itself; connect it again and restart")
        self._at += len(block)
        frames = np.repeat(block[:, None], self.channels, axis=1)
        self._sink.write(frames if len(block) else np.zeros((self.sample_rate // 20, self.channels), np.float32))
        self._bell.put(None)

    def close(self) -> None:
        self.closed += 1


THREE = talk(1.0, said(0.4), 1.5, said(0.5), 1.5, said(0.6), 1.5)
