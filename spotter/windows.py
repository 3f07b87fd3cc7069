"""16 kHz samples to windows of frames at absolute positions, a hop apart.

A segment (from the start of the stream, or from the end of a gap, to the next gap) has its own
grid: its first window ends when `context` samples are there, the next ones every `hop` after that.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from spotter.arrays import Floats
from spotter.frontend import StreamingFrontend
from spotter.settings import FrontendConfig

SILENT_DBFS: Final = -120.0  # no level is lower
_LOUDEST_S = 1.0
_FLOOR_S = 1.5  # words have pauses in that
_FLOOR_MEAN_S = 0.1  # a shorter lull is no pause, and the same at every hop
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
    floor_dbfs: float = SILENT_DBFS  # of the quietest tenth of a second of its last second and a half


@dataclass(slots=True)
class Stretch:
    """Windows that follow one another a hop apart: one where audio comes as it is said, many of a file.

    frames : float32, shape (frames, bins), all that they see, a view that holds until the next stretch
    new : how many of each one's last frames no window before it in its segment had
    """

    end_sample: int  # first sample after the first window
    hop_samples: int
    frames: Floats
    hop_frames: int
    new: int
    levels_dbfs: list[float]  # of each window, as in `Window`
    loudest_dbfs: list[float]
    floor_dbfs: list[float]

    def __len__(self) -> int:
        """Return how many windows these are."""
        return len(self.levels_dbfs)

    @property
    def ends(self) -> range:
        """Return where the windows end, in samples of stream time."""
        return range(self.end_sample, self.end_sample + len(self) * self.hop_samples, self.hop_samples)

    def part(self, first: int, last: int) -> Stretch:
        """Return some of the windows, counted from 0, without the last."""
        frames = self.frames[first * self.hop_frames : len(self.frames) - (len(self) - last) * self.hop_frames]
        return Stretch(
            self.ends[first],
            self.hop_samples,
            frames,
            self.hop_frames,
            self.new,
            self.levels_dbfs[first:last],
            self.loudest_dbfs[first:last],
            self.floor_dbfs[first:last],
        )

    def window(self, number: int) -> Window:
        """Return one of the windows, counted from 0."""
        first = number * self.hop_frames
        return Window(
            end_sample=self.end_sample + number * self.hop_samples,
            frames=self.frames[first : first + len(self.frames) - (len(self) - 1) * self.hop_frames],
            new=self.new,
            level_dbfs=self.levels_dbfs[number],
            loudest_dbfs=self.loudest_dbfs[number],
            floor_dbfs=self.floor_dbfs[number],
        )


class Windows:
    """Cuts one stream; memory is allocated once, work per hop is that of the new samples."""

    def __init__(self, config: FrontendConfig, context_samples: int, hop_samples: int) -> None:
        self.config = config
        self.context_samples = context_samples
        self.hop_samples = hop_samples
        self._context = config.frames_in(context_samples)
        if config.samples_for(self._context) != context_samples or hop_samples % config.hop_samples:
            raise ValueError(f"a context of {context_samples} or a hop of {hop_samples} samples is no whole frames")
        self._hop_frames = hop_samples // config.hop_samples
        self._frontend = StreamingFrontend(config, self._context, self._hop_frames, _AT_ONCE_S)
        hops_per_s = config.sample_rate / hop_samples
        self._levels: deque[float] = deque(maxlen=max(1, int(_LOUDEST_S * hops_per_s)))
        self._powers: deque[float] = deque(maxlen=max(1, round(_FLOOR_MEAN_S * hops_per_s)))
        self._means: deque[float] = deque(maxlen=max(1, round(_FLOOR_S * hops_per_s)))
        self._frames = np.zeros((self._context + 4 * self._frontend.most_frames, config.bins), np.float32)
        self.begin(0)

    def begin(self, start_sample: int) -> None:
        """Begin a segment at a position of the stream; nothing from before is kept."""
        self._frontend.reset()
        self._have = 0  # frames held; 0 until the first window
        self._end = start_sample + self.context_samples  # of the next window

    def push(self, samples: Floats) -> Iterator[Window]:
        """Take 16 kHz samples, shape (samples,); yield every window that is complete."""
        for stretch in self.stretches(samples):
            for number in range(len(stretch)):
                yield stretch.window(number)

    def stretches(self, samples: Floats) -> Iterator[Stretch]:
        """Take 16 kHz samples, shape (samples,); yield the windows that are complete, all of a second together.

        The first of a segment comes alone.
        """
        while len(samples):
            samples = samples[self._frontend.take(samples) :]
            while new := self._frontend.complete():
                yield self._stretch(new)

    def _stretch(self, came: int) -> Stretch:
        have, context, hop = self._have, self._context, self._hop_frames
        if have + came > len(self._frames):
            self._frames[:context] = self._frames[have - context : have]
            have = context
        self._have = after = have + came
        fresh = self._frontend.give(self._frames[have:after])
        if have:
            count, new = came // hop, min(hop, context)
            heard = fresh.reshape(count, -1)
        else:
            count, new = 1, context
            heard = self._begin_levels(fresh)
        levels, loudest, floors = self._follow(powers(heard))
        end = self._end
        self._end = end + count * self.hop_samples
        frames = self._frames[after - context - (count - 1) * hop : after]
        return Stretch(end, self.hop_samples, frames, hop, new, levels, loudest, floors)

    def _begin_levels(self, context: Floats) -> Floats:
        """Begin with the levels of the first window's hops; return its last hop, shape (1, samples)."""
        hops = max(1, min(len(context) // self.hop_samples, self._means.maxlen or 1))
        rows = context[max(0, len(context) - hops * self.hop_samples) :].reshape(hops, -1)
        for followed in (self._levels, self._powers, self._means):
            followed.clear()
        self._follow(powers(rows[:-1]))
        return rows[-1:]

    def _follow(self, hops: list[float]) -> tuple[list[float], list[float], list[float]]:
        """Take the mean squares of hops; return of each its level, that of the loudest, and the floor, in dBFS."""
        levels, loudest, floors = [], [], []
        for power in hops:
            self._powers.append(power)
            self._means.append(sum(self._powers) / len(self._powers))
            level = dbfs(power)
            self._levels.append(level)
            levels.append(level)
            loudest.append(max(self._levels))
            floors.append(dbfs(min(self._means)))
        return levels, loudest, floors


def powers(rows: Floats) -> list[float]:
    """Mean square of each row of samples; shape (rows, samples)."""
    energies: list[float] = np.add.reduce(rows * rows, axis=1).tolist()
    return [energy / rows.shape[1] for energy in energies]


def dbfs(power: float) -> float:
    """Mean square in dB under full scale, -120 at least."""
    return 10.0 * math.log10(max(power, 1e-12))
