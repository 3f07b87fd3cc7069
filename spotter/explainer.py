"""Collects explanations while a stream is decided; pure, and its memory is bounded.

`Spotter` shows it every window's decision. It keeps the last seconds, and an explanation of each event and of
each near miss: a keyword that came above half its threshold and fell again without an event.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np

from spotter.arrays import Floats
from spotter.decoder import RULES, Verdict
from spotter.explain import Explanation, Moment
from spotter.settings import SAMPLE_RATE, UNKNOWN, DecoderConfig

_HISTORY_S: Final = 2.0
_NEAR: Final = 0.5  # of the threshold: what comes so far and no further is worth a word
_MOST_WAITING: Final = 10_000  # explanations that nobody fetched


class Explainer:
    """Collects explanations while a `Spotter` runs.

    Parameters
    ----------
    labels : the network's, in their order
    config : the decoder's settings
    hop_samples : samples between two windows
    at : (first, last) in seconds, optional
        Explain only what happens there; where both are the same, every keyword at that moment.
    """

    def __init__(
        self,
        labels: Sequence[str],
        config: DecoderConfig,
        hop_samples: int,
        *,
        at: tuple[float, float] | None = None,
    ) -> None:
        self.found: deque[Explanation] = deque(maxlen=_MOST_WAITING)  # another thread may take from the left
        self.dropped = 0
        self._labels = tuple(labels)
        self._gate = config.gate_dbfs
        self._hop = hop_samples
        self._at = at
        self._history: deque[Floats] = deque(maxlen=max(1, math.ceil(_HISTORY_S * SAMPLE_RATE / hop_samples)))
        self._end: int | None = None
        self._asked = False
        self._nearest: dict[str, Explanation] = {}  # of a rise that goes on, what came furthest
        self._after: dict[str, bool] = {}  # a rise that has fired; whether it has fallen below its threshold since

    def see(self, moment: Moment) -> None:
        """Take the next window's decision."""
        if self._end is not None and moment.end_sample != self._end + self._hop:
            self.finish()  # a gap: nothing from before it bears on what follows
        self._end = moment.end_sample
        self._history.append(moment.scores)
        if self._at is not None and self._at[0] == self._at[1]:
            if not self._asked and moment.time >= self._at[0]:
                self._asked = True
                for verdict in sorted(moment.verdicts, key=_came, reverse=True):
                    self._add(self._explanation(moment, verdict, asked=True))
            return
        for verdict in moment.verdicts:
            self._follow(moment, verdict)

    def finish(self) -> None:
        """No more windows will come, or none that follow on."""
        for keyword in tuple(self._nearest):
            self._add(self._nearest.pop(keyword))
        self._after.clear()
        self._history.clear()

    def _follow(self, moment: Moment, verdict: Verdict) -> None:
        """Tell rises from the rest; explain one when it fires, or when it is over and has not."""
        keyword = verdict.keyword
        if verdict.rule == "fired":
            self._nearest.pop(keyword, None)
            self._after[keyword] = False
            self._add(self._explanation(moment, verdict))
            return
        silenced = verdict.rule == "gate"
        if max(verdict.smoothed, verdict.score if silenced else 0.0) < _NEAR * verdict.threshold:
            self._after.pop(keyword, None)
            if keyword in self._nearest:
                self._add(self._nearest.pop(keyword))
            return
        if keyword in self._after:  # the end of the word that fired is no near miss, unless it rises again
            self._after[keyword] |= verdict.smoothed < verdict.threshold
            if not self._after[keyword] or verdict.smoothed < verdict.threshold:
                return
        best = self._nearest.get(keyword)
        if best is None or _came(verdict) > _came(best.verdict):
            self._nearest[keyword] = self._explanation(moment, verdict)

    def _explanation(self, moment: Moment, verdict: Verdict, *, asked: bool = False) -> Explanation:
        names = [verdict.keyword] if asked else [verdict.keyword, verdict.rival, UNKNOWN]
        labels = tuple(n for n in dict.fromkeys(names) if n in self._labels)
        columns = [self._labels.index(n) for n in labels]
        return Explanation(
            verdict=verdict,
            end_sample=moment.end_sample,
            level_dbfs=moment.level_dbfs,
            gate_dbfs=self._gate,
            hop_samples=self._hop,
            labels=labels,
            scores=np.stack(self._history)[:, columns].T.copy(),
            asked=asked,
        )

    def _add(self, explanation: Explanation) -> None:
        if self._at is not None and not explanation.asked and not self._at[0] <= explanation.time <= self._at[1]:
            return
        self.dropped += len(self.found) == _MOST_WAITING
        self.found.append(explanation)


class Kept:
    """The moments of a stretch that is to be looked at closely, so many seconds at most.

    Parameters
    ----------
    stretch : (first, last) in seconds, optional
        Left out, it is the first in which something happens: a keyword comes above half its threshold.
    seconds, lead : float
        How long such a stretch is, and how much of it lies before that.
    """

    def __init__(self, stretch: tuple[float, float] | None, *, seconds: float = 30.0, lead: float = 8.0) -> None:
        self.stretch = stretch
        self.moments: deque[Moment] = deque()
        self._seconds, self._lead = seconds, lead

    def see(self, moment: Moment) -> None:
        """Take the next window's decision."""
        if self.stretch is None and any(v.smoothed >= _NEAR * v.threshold for v in moment.verdicts):
            first = max(0.0, moment.time - self._lead)
            self.stretch = first, first + self._seconds
        first, last = self.stretch or (moment.time - self._seconds, moment.time)
        if moment.time <= last:
            self.moments.append(moment)
        while self.moments and self.moments[0].time < first:
            self.moments.popleft()


def _came(verdict: Verdict) -> tuple[int, float]:
    """How far a keyword came: by rules passed, then by score."""
    return RULES.index(verdict.rule), verdict.score if verdict.rule == "gate" else verdict.smoothed
