"""Scores to detections: a pure state machine, (time, level, scores) in, events out.

For each keyword in this order: gate, smoothing, threshold, margin, fire once until re-armed,
refractory time. No clock, no threads, no input or output; times are counts of samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.settings import SAMPLE_RATE, SILENCE, UNKNOWN, DecoderConfig


@dataclass(frozen=True, slots=True)
class Fired:
    """A keyword was decided on at the window that was given."""

    keyword: str
    score: float  # smoothed


class Decoder:
    """Decides, window by window.

    Parameters
    ----------
    labels : names of the scores, in their order
    keywords : those that may fire
    config : the settings
    hop_samples : samples between two windows
    """

    def __init__(self, labels: Sequence[str], keywords: Sequence[str], config: DecoderConfig, hop_samples: int) -> None:
        for word in config.thresholds:
            if word not in keywords:
                raise BadInputError(
                    f"no keyword called {word!r} to set a threshold for; there are {', '.join(keywords)}"
                )
        self.config = config
        self._keywords = tuple(keywords)
        self._index = [labels.index(k) for k in keywords]
        self._unknown = labels.index(UNKNOWN) if UNKNOWN in labels else None
        self._silence = np.array([label == SILENCE for label in labels], np.float32)
        self._threshold = [config.threshold_of(k) for k in keywords]
        self._rearm = [config.rearm * t for t in self._threshold]
        self._refractory = round(config.refractory_ms * SAMPLE_RATE / 1_000)
        # Scores of windows that ended within the last smooth_ms, this one included.
        depth = max(1, round(config.smooth_ms * SAMPLE_RATE / 1_000 / hop_samples))
        self._depth = depth
        self._recent = np.zeros((2 * depth, len(labels)), np.float32)  # each row twice, so that the last lie together
        self.smoothed = np.zeros(len(labels), np.float32)
        self.reset()

    def reset(self) -> None:
        """Be as new."""
        self.gap()
        self._last_fired: list[int | None] = [None] * len(self._keywords)

    def gap(self) -> None:
        """Audio is missing: smoothing forgets and keywords are armed; refractory times go on."""
        self._count = 0
        self._armed = [True] * len(self._keywords)
        self.smoothed[:] = 0.0

    def step(self, scores: Floats, end_sample: int, level_dbfs: float) -> list[Fired]:
        """Take one window's scores; return the keywords heard, mostly none.

        Parameters
        ----------
        scores : float32, shape (labels,)
            Probabilities, 0..1, in the order of `labels`.
        end_sample : int
            First sample after the window, counted from the start of the stream.
        level_dbfs : float
            Level of the loudest hop of the window's last second.
        """
        # Scores that are no numbers would pass every comparison below; they say nothing.
        gated = level_dbfs < self.config.gate_dbfs or not math.isfinite(sum(scores.tolist()))
        at = self._count % self._depth
        self._recent[at] = self._recent[at + self._depth] = self._silence if gated else scores
        self._count += 1
        n = min(self._count, self._depth)
        last = at + self._depth + 1
        np.add.reduce(self._recent[last - n : last], axis=0, out=self.smoothed)
        self.smoothed /= np.float32(n)
        return self._decide(end_sample)

    def _decide(self, end_sample: int) -> list[Fired]:
        smoothed = self.smoothed.tolist()
        unknown = smoothed[self._unknown] if self._unknown is not None else 0.0
        fired = []
        for k, index in enumerate(self._index):
            score = smoothed[index]
            if score < self._rearm[k]:
                self._armed[k] = True
                continue
            if score < self._threshold[k] or not self._armed[k]:
                continue
            others = max((smoothed[i] for i in self._index if i != index), default=0.0)
            if score - max(unknown, others) < self.config.margin:
                continue
            last = self._last_fired[k]
            if last is not None and end_sample - last < self._refractory:
                continue
            self._armed[k] = False
            self._last_fired[k] = end_sample
            fired.append(Fired(self._keywords[k], score))
        return fired
