"""Thresholds for a wanted number of false accepts an hour, from scores of background that a head never saw.

A bank holds a few hours, and one false accept in two hours is wanted: too few to count. The tail of peak
scores is close to exponential, so it is fitted to the highest peaks and drawn on (peaks over threshold,
Pickands 1975, with the shape that bounds nothing).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.special import ndtr

from spotter.arrays import Floats
from train.metrics import rate_limits, share_limits

_IN_TAIL: Final = 40  # peaks that the tail is fitted to
_FEWEST: Final = 5
_USUAL_STEEPNESS: Final = 0.7  # from 10 to 30 recordings of phrases that were tried (`train trial`)
_RAREST_PER_H: Final = 0.02  # nothing rarer than that is promised


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """Peak scores of background, highest first, and in how many hours they were."""

    peaks: Floats
    hours: float

    def threshold(self, per_hour: float) -> float:
        """Score that background exceeds so often an hour."""
        count, over, mean = self._tail()
        return over + mean * float(np.log(count / (max(per_hour, _RAREST_PER_H) * self.hours)))

    def per_hour(self, threshold: float) -> float:
        """How often an hour background exceeds a score: counted where there are many, else from the tail."""
        count, over, mean = self._tail()
        if threshold < over:
            return float((self.peaks > threshold).sum() / self.hours)
        return float(count * np.exp((over - threshold) / mean) / self.hours)

    def promise(self, threshold: float) -> dict[str, Any]:
        """Return what a threshold means for false accepts, as plain data: counted, with limits, and expected."""
        count = int((self.peaks > threshold).sum())
        low, high = rate_limits(count, self.hours)
        return {
            "hours": self.hours,
            "counted": count,
            "per_hour": count / self.hours,
            "low_per_hour": low,
            "high_per_hour": high,
            "expected_per_hour": self.per_hour(threshold),
        }

    def _tail(self) -> tuple[int, float, float]:
        """How many peaks are in the tail, above which score, and by how much on the mean."""
        if len(self.peaks) <= _FEWEST:  # nothing to go by
            return 1, float(self.peaks[0]) if len(self.peaks) else 0.0, 1.0
        count = min(_IN_TAIL, len(self.peaks) - 1)
        over = float(self.peaks[count])
        return count, over, max(1e-3, float(np.mean(self.peaks[:count])) - over)


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """Scores that recordings had from heads that did not see them, shape (clips,)."""

    scores: Floats

    def recall(self, threshold: float) -> dict[str, Any]:
        """Return the share that is found, with limits, as plain data."""
        hits, of = int((self.scores > threshold).sum()), len(self.scores)
        low, high = share_limits(hits, of)
        return {"found": hits, "of": of, "recall": hits / max(1, of), "low": low, "high": high}

    def missed(self, threshold: float) -> float:
        """Share that would be missed, smoothed: as if scores were normally distributed."""
        spread = float(np.std(self.scores)) + 1e-3
        return float(ndtr((threshold - float(np.mean(self.scores))) / spread))


def more_recordings(half: float, whole: float, clips: int) -> dict[str, float]:
    """Expected share of misses with two and four times the recordings, where misses fall as a power of their number.

    half, whole : share missed after half of the recordings, and after all; so few say little, so the usual power
        counts as much as what they say
    """
    measured = np.log2(max(half, 1e-4) / max(whole, 1e-4))
    steepness = float(np.clip((measured + _USUAL_STEEPNESS) / 2.0, 0.0, 1.0))
    return {str(clips * times): whole * times**-steepness for times in (2, 4)}
