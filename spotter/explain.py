"""Why a keyword fired or was held back: the rule, its numbers, and the scores of the seconds before, as plain data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from spotter.arrays import Floats
from spotter.decoder import Rule, Verdict
from spotter.settings import SAMPLE_RATE

_LEVELS: Final = "▁▂▃▄▅▆▇█"
_DIGITS: Final = "0123456789"
_CELLS: Final = 40  # of a row of scores


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """One window's decision.

    scores, smoothed : float32, shape (labels,), as the network gave them and as the decoder looked at them
    """

    end_sample: int
    level_dbfs: float  # of the loudest hop of the window's last second, which the gate looks at
    scores: Floats
    smoothed: Floats
    verdicts: tuple[Verdict, ...]  # one for each keyword

    @property
    def time(self) -> float:
        """Where the window ends, in seconds of stream time."""
        return self.end_sample / SAMPLE_RATE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explanation:
    """A keyword at one window, and what came before.

    scores : float32, shape (labels, windows), each window's score; the last is the explained one's
    """

    verdict: Verdict
    end_sample: int
    level_dbfs: float
    gate_dbfs: float
    hop_samples: int
    labels: tuple[str, ...]  # the keyword; for an event or a near miss its rival and `_unknown_` as well
    scores: Floats
    asked: bool = False  # for a moment that somebody chose, not for what happened there

    @property
    def time(self) -> float:
        """Where the window ends, in seconds of stream time."""
        return self.end_sample / SAMPLE_RATE

    @property
    def since(self) -> float:
        """Where the first of the windows ends whose scores are kept."""
        return (self.end_sample - (len(self.scores[0]) - 1) * self.hop_samples) / SAMPLE_RATE

    @property
    def why(self) -> str:
        """One sentence: the rule, and the numbers that it looked at."""
        if self.verdict.rule == "fired":
            return f"fired: {self._score}, {self._threshold}, {self._ahead}"
        return f"held back by {self._rule()}"

    def _rule(self) -> str:
        v = self.verdict
        sentences: dict[Rule, str] = {
            "gate": f"the gate: the loudest hop of the last second has {self.level_dbfs:.0f} dBFS, the gate "
            f"{self.gate_dbfs:g}, so the score of {v.score:.3f} counts as silence",
            "no numbers": "scores that are no numbers, which count as silence",
            "threshold": f"the threshold: {self._score}, {self._threshold}",
            "margin": f"the margin: {self._score}, {self._ahead}",
            "re-arming": f"re-arming: {self._score}, not below {v.rearm:.3f} since its last event",
            "refractory": f"the refractory time: {self._score}, {v.refractory_samples / SAMPLE_RATE:.2f} s are left",
        }
        return sentences[v.rule]

    @property
    def _score(self) -> str:
        return f"smoothed {self.verdict.smoothed:.3f}"

    @property
    def _threshold(self) -> str:
        v = self.verdict
        of = "" if v.noise_share == 1.0 else f" (in noise {v.noise_share:.2f} of {v.threshold / v.noise_share:.3g})"
        return f"threshold {round(v.threshold, 4):g}{of}"

    @property
    def _ahead(self) -> str:
        v = self.verdict
        lead = f"{v.smoothed - v.rival_smoothed:.3f} ahead of {v.rival}" if v.rival else "no rival"
        return f"{lead}, margin {v.margin:g}"

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints; times in seconds, null for what is no number."""
        v = self.verdict
        return {
            "type": "explain",
            "keyword": v.keyword,
            "time": round(self.time, 4),
            "rule": v.rule,
            "why": self.why,
            "score": number(v.score),
            "smoothed": number(v.smoothed),
            "threshold": round(v.threshold, 4),
            "noise_share": round(v.noise_share, 4),
            "rearm": round(v.rearm, 4),
            "rival": v.rival or None,
            "rival_smoothed": number(v.rival_smoothed),
            "margin": v.margin,
            "refractory_left": round(v.refractory_samples / SAMPLE_RATE, 4),
            "level_dbfs": round(self.level_dbfs, 1),
            "gate_dbfs": self.gate_dbfs,
            "since": round(self.since, 4),
            "hop": self.hop_samples / SAMPLE_RATE,
            "scores": {
                label: [number(s) for s in row.tolist()] for label, row in zip(self.labels, self.scores, strict=True)
            },
        }

    def text(self, *, plain: bool = False) -> str:
        """Return a block for people: a sentence, then a row of scores for the keyword and its rivals."""
        widest = max(map(len, self.labels))
        rows = [
            f"      {n:{widest}}  {spark(row, plain=plain)}" for n, row in zip(self.labels, self.scores, strict=True)
        ]
        rows[0] += f"  scores, {self.since:.2f} to {self.time:.2f} s"
        return "\n".join([f"    {self.time:.2f} s  {self.verdict.keyword}  {self.why}", *rows])


def spark(scores: Floats, *, plain: bool = False) -> str:
    """Draw scores, shape (windows,), as a row of bars, or of digits; where they are many, the greatest of some."""
    group = math.ceil(len(scores) / _CELLS)
    marks = _DIGITS if plain else _LEVELS
    most = (max(scores[at : at + group].tolist()) for at in range(0, len(scores), group))
    return "".join(marks[min(len(marks) - 1, max(0, int(s * len(marks))))] if math.isfinite(s) else "?" for s in most)


def number(value: float) -> float | None:
    """Return a number for JSON; None for what is none."""
    return round(value, 4) if math.isfinite(value) else None
