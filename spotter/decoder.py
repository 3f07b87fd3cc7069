"""Scores to detections: a pure state machine, (time, level, scores) in, events out.

For each keyword in this order: gate, smoothing, threshold (lower in noise), margin, fire once until
re-armed, refractory time. No clock, no threads, no input or output; times are counts of samples. Why a window
did or did not fire is worked out only for those who ask (`Decoder.verdicts`), by the same rules.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.settings import SAMPLE_RATE, SILENCE, UNKNOWN, DecoderConfig

Rule: TypeAlias = Literal["gate", "no numbers", "threshold", "margin", "re-arming", "refractory", "fired"]
_NO_NOISE_DBFS: Final = -240.0
RULES: Final[tuple[Rule, ...]] = ("gate", "no numbers", "threshold", "margin", "re-arming", "refractory", "fired")


@dataclass(frozen=True, slots=True)
class Fired:
    """A keyword was decided on at the window that was given."""

    keyword: str
    score: float  # smoothed


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the rules said of one keyword at one window, with the numbers that they looked at.

    `rule` is the first one that held the keyword back, in the order of `RULES`, or "fired".
    """

    keyword: str
    rule: Rule
    score: float  # of this window alone, as the network gave it
    smoothed: float  # a window under the gate counts as silence here
    threshold: float  # what it takes here: in noise a share of the keyword's own
    noise_share: float  # that share; 1 where it is quiet
    rearm: float  # after an event the smoothed score has to fall below it
    rival: str  # `_unknown_` or the other keyword that is furthest up; "" where there is none
    rival_smoothed: float
    margin: float  # how far `smoothed` has to be ahead of it
    refractory_samples: int  # left of the refractory time after this window


class Decoder:
    """Decides, window by window.

    A window's score holds for the hop before the window's end, and smoothing is the mean of the last
    `smooth_ms` of that: where these are no whole number of hops, the oldest score counts for a part.
    A mean needs no more than there is: after the start, or a gap, it is that of the scores so far.

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
        self._labels = tuple(labels)
        self._rivals = [*([labels.index(UNKNOWN)] if UNKNOWN in labels else []), *self._index]
        self._silence = np.array([label == SILENCE for label in labels], np.float32)
        self._threshold = [config.threshold_of(k) for k in keywords]
        self._share = 1.0  # of the thresholds that suffices at this window
        self._refractory = round(config.refractory_ms * SAMPLE_RATE / 1_000)
        hops = max(1.0, round(config.smooth_ms * SAMPLE_RATE / 1_000) / hop_samples)
        self._depth = depth = math.ceil(hops)
        self._hops = np.float32(hops)
        self._part = np.float32(hops - (depth - 1)) if depth > hops else None  # how much the oldest score counts
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
        self._gated = False
        self._armed = [True] * len(self._keywords)
        self.smoothed[:] = 0.0

    def step(
        self, scores: Floats, end_sample: int, level_dbfs: float, floor_dbfs: float = _NO_NOISE_DBFS
    ) -> list[Fired]:
        """Take one window's scores; return the keywords heard, mostly none.

        Parameters
        ----------
        scores : float32, shape (labels,)
            Probabilities, 0..1, in the order of `labels`.
        end_sample : int
            First sample after the window, counted from the start of the stream.
        level_dbfs : float
            Level of the loudest hop of the window's last second.
        floor_dbfs : float
            Level of the quietest tenth of a second of its last second and a half.
        """
        # Scores that are no numbers would pass every comparison below; they say nothing.
        gated = self._gated = level_dbfs < self.config.gate_dbfs or not math.isfinite(sum(scores.tolist()))
        at = self._count % self._depth
        self._recent[at] = self._recent[at + self._depth] = self._silence if gated else scores
        self._count += 1
        last = at + self._depth + 1
        if self._count < self._depth:
            np.add.reduce(self._recent[last - self._count : last], axis=0, out=self.smoothed)
            self.smoothed /= np.float32(self._count)
        else:
            first = last - self._depth
            if self._part is None:
                np.add.reduce(self._recent[first:last], axis=0, out=self.smoothed)
            else:
                np.add.reduce(self._recent[first + 1 : last], axis=0, out=self.smoothed)
                self.smoothed += self._part * self._recent[first]
            self.smoothed /= self._hops
        self._share = self.config.share_in_noise(level_dbfs - floor_dbfs)
        return self._decide(end_sample)

    def verdicts(self, scores: Floats, end_sample: int) -> tuple[Verdict, ...]:
        """Say of every keyword why it fired or did not; right after `step`, with the same arguments."""
        smoothed, plain = self.smoothed.tolist(), scores.tolist()
        silenced: Rule | None = None
        if self._gated:
            silenced = "gate" if math.isfinite(sum(plain)) else "no numbers"
        return tuple(self._verdict(k, plain[i], smoothed, end_sample, silenced) for k, i in enumerate(self._index))

    def _decide(self, end_sample: int) -> list[Fired]:
        smoothed = self.smoothed.tolist()
        fired = []
        for k, index in enumerate(self._index):
            score = smoothed[index]
            threshold = self._share * self._threshold[k]
            if score < threshold:
                if score < self.config.rearm * threshold:
                    self._armed[k] = True
            elif self._armed[k] and self._held_by(k, smoothed, end_sample) is None:
                self._armed[k] = False
                self._last_fired[k] = end_sample
                fired.append(Fired(self._keywords[k], score))
        return fired

    def _held_by(self, k: int, smoothed: list[float], end_sample: int) -> Rule | None:
        """Return the first rule after the threshold that holds a keyword back; None lets it fire."""
        rival = self._rival(k, smoothed)
        if rival is not None and smoothed[self._index[k]] - smoothed[rival] < self.config.margin:
            return "margin"
        if not self._armed[k]:
            return "re-arming"
        return "refractory" if self._refractory_left(k, end_sample) > 0 else None

    def _rival(self, k: int, smoothed: list[float]) -> int | None:
        """Return the label that is furthest up of `_unknown_` and the other keywords."""
        return max((i for i in self._rivals if i != self._index[k]), key=smoothed.__getitem__, default=None)

    def _refractory_left(self, k: int, end_sample: int) -> int:
        last = self._last_fired[k]
        return 0 if last is None else max(0, last + self._refractory - end_sample)

    def _verdict(self, k: int, score: float, smoothed: list[float], end_sample: int, silenced: Rule | None) -> Verdict:
        value, rival = smoothed[self._index[k]], self._rival(k, smoothed)
        threshold = self._share * self._threshold[k]
        rule: Rule
        if self._last_fired[k] == end_sample:
            rule = "fired"
        elif value < threshold:
            rule = silenced or "threshold"
        else:  # nothing that it looks at has changed since the window was decided
            rule = self._held_by(k, smoothed, end_sample) or "fired"
        return Verdict(
            keyword=self._keywords[k],
            rule=rule,
            score=score,
            smoothed=value,
            threshold=threshold,
            noise_share=self._share,
            rearm=self.config.rearm * threshold,
            rival="" if rival is None else self._labels[rival],
            rival_smoothed=0.0 if rival is None else smoothed[rival],
            margin=self.config.margin,
            refractory_samples=self._refractory_left(k, end_sample),
        )
