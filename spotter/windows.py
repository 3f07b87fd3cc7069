"""16 kHz samples to windows of frames at absolute positions, a hop apart.

A segment (from the start of the stream, or from the end of a gap, to the next gap) has its own
grid: its first window ends when `context` samples are there, the next ones every `hop` after that.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spotter.arrays import Floats
from spotter.frontend import Frontend
from spotter.settings import FrontendConfig

_AT_ONCE_S = 1.0  # the front-end costs least in blocks of 0.1 s or more; files come in large ones


@dataclass(frozen=True, slots=True)
class Window:
    """What the network sees, and where in the stream that is.

    frames : float32, shape (context frames, bins), a view that holds until the next window
    new : how many of the last frames no window before this one in its segment had
    """

    end_sample: int  # first sample after the window
    frames: Floats
    new: int
    level_dbfs: float  # root mean square of the window's last hop
    loudest_dbfs: float  # of the hops of the window's last second; decisions fall after the word, maybe in dead silence


class Windows:
    """Cuts one stream; memory is allocated once, work per hop is that of the new samples."""

    def __init__(self, config: FrontendConfig, context_samples: int, hop_samples: int) -> None:
        self.config = config
        self.context_samples = context_samples
        self.hop_samples = hop_samples
        self._frontend = Frontend(config)
        self._context = config.frames_in(context_samples)
        if config.samples_for(self._context) != context_samples or hop_samples % config.hop_samples:
            raise ValueError(f"a context of {context_samples} or a hop of {hop_samples} samples is no whole frames")
        self._hop_frames = hop_samples // config.hop_samples
        self._overlap = config.frame_samples - config.hop_samples
        self._hops_at_once = max(1, int(_AT_ONCE_S * config.sample_rate) // hop_samples)
        most = max(context_samples, self._overlap + self._hops_at_once * hop_samples)
        self._samples = np.zeros(most, np.float32)
        most_frames = self._hops_at_once * self._hop_frames
        self._levels: deque[float] = deque(maxlen=max(1, config.sample_rate // hop_samples))
        self._frames = np.zeros((self._context + max(4 * self._context, 2 * most_frames), config.bins), np.float32)
        self.begin(0)

    def begin(self, start_sample: int) -> None:
        """Begin a segment at a position of the stream; nothing from before is kept."""
        self._fill = 0  # samples held
        self._have = 0  # frames held; 0 until the first window
        self._end = start_sample + self.context_samples  # of the next window

    def push(self, samples: Floats) -> Iterator[Window]:
        """Take 16 kHz samples, shape (samples,); yield every window that is complete."""
        at = 0
        while at < len(samples):
            take = min(len(samples) - at, len(self._samples) - self._fill)
            self._samples[self._fill : self._fill + take] = samples[at : at + take]
            self._fill += take
            at += take
            if not self._have and self._fill >= self.context_samples:
                yield self._first()
            if self._have:
                yield from self._next()

    def _first(self) -> Window:
        n = self.context_samples
        self._frames[: self._context] = self._frontend(self._samples[:n])
        self._have = self._context
        hops = max(1, min(n // self.hop_samples, self._levels.maxlen or 1))
        rows = self._samples[max(0, n - hops * self.hop_samples) : n].reshape(hops, -1)
        self._levels.clear()
        self._levels.extend(dbfs(rows))
        self._drop(n - self._overlap)
        self._end += self.hop_samples
        return self._window(self._end - self.hop_samples, self._context)

    def _next(self) -> Iterator[Window]:
        while hops := min((self._fill - self._overlap) // self.hop_samples, self._hops_at_once):
            count, new = hops * self.hop_samples, hops * self._hop_frames
            if self._have + new > len(self._frames):
                self._frames[: self._context] = self._frames[self._have - self._context : self._have]
                self._have = self._context
            frames = self._frontend(self._samples[: self._overlap + count])
            self._frames[self._have : self._have + new] = frames
            levels = dbfs(self._samples[self._overlap : self._overlap + count].reshape(hops, -1))
            self._drop(count)
            for hop in range(hops):
                self._have += self._hop_frames
                self._end += self.hop_samples
                self._levels.append(levels[hop])
                yield self._window(self._end - self.hop_samples, self._hop_frames)

    def _window(self, end: int, new: int) -> Window:
        frames = self._frames[self._have - self._context : self._have]
        return Window(end, frames, new, self._levels[-1], max(self._levels))

    def _drop(self, samples: int) -> None:
        """Forget the oldest samples."""
        left = self._fill - samples
        self._samples[:left] = self._samples[samples : self._fill].copy()
        self._fill = left


def dbfs(rows: Floats) -> list[float]:
    """Root mean square of each row of samples in dB under full scale, -120 at least; shape (rows, samples)."""
    energies: list[float] = np.einsum("ij,ij->i", rows, rows).tolist()
    return [10.0 * math.log10(max(energy / rows.shape[1], 1e-12)) for energy in energies]
