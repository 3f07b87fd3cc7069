"""What a model hears in one file: the scores over time, and the moment that says most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.resample import Resampler
from spotter.settings import SAMPLE_RATE
from spotter.sources.files import AudioFile
from train.hearing import Hearing

_WIDTH = 30  # characters of the longest bar
_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One file, heard.

    labels : in the order of the scores
    scores : float32, shape (labels,), at the most telling moment, which ends at `time` seconds
    ends, over_time : float64, shape (windows,), seconds, and float32, shape (windows, labels)
    """

    file: str
    seconds: float
    labels: tuple[str, ...]
    scores: Floats
    time: float
    ends: npt.NDArray[np.float64]
    over_time: Floats

    @property
    def label(self) -> str:
        """The one with the highest score."""
        return self.labels[int(self.scores.argmax())]

    def as_dict(self, every_ms: float | None = None) -> dict[str, Any]:
        """Return plain data for a line of JSON; with `every_ms` the scores over time, too."""
        out: dict[str, Any] = {
            "file": self.file,
            "seconds": round(self.seconds, 3),
            "label": self.label,
            "score": round(float(self.scores.max()), 4),
            "time": round(self.time, 2),
            "scores": _rounded(self.labels, self.scores),
        }
        if every_ms is not None:
            rows = self._rows(every_ms)
            out["over_time"] = [
                {"time": round(float(self.ends[i]), 2), "scores": _rounded(self.labels, self.over_time[i])}
                for i in rows
            ]
        return out

    def lines(self, every_ms: float | None = None) -> list[str]:
        """Return the scores as bars, the highest first; with `every_ms` the winner over time, too."""
        wide = max(len(label) for label in self.labels)
        out = [f"{self.file} ({self.seconds:.2f} s): {self.label} at {self.time:.2f} s"]
        order = np.argsort(-self.scores, kind="stable").tolist()
        out += [f"  {self._line(i, float(self.scores[i]), wide)}" for i in order]
        rows = self._rows(every_ms) if every_ms is not None else ()
        best = [(row, int(self.over_time[row].argmax())) for row in rows]
        out += [f"  {self.ends[row]:8.2f} s {self._line(i, float(self.over_time[row, i]), wide)}" for row, i in best]
        return out

    def _line(self, label: int, score: float, wide: int) -> str:
        return f"{self.labels[label]:<{wide}} {score:6.1%} {_bar(score)}".rstrip()

    def _rows(self, every_ms: float) -> range:
        step_s = float(self.ends[0])
        return range(0, len(self.ends), max(1, round(every_ms / 1_000 / step_s)))


def predict(hearing: Hearing, name: str, samples: Floats) -> Prediction:
    """Hear samples at 16 kHz, shape (samples,), alone in silence."""
    over_time = hearing.windows(samples)
    scores, time = hearing.moment(over_time)
    ends = np.arange(1.0, len(over_time) + 1.0, dtype=np.float64) * (hearing.model.step / SAMPLE_RATE)
    return Prediction(name, len(samples) / SAMPLE_RATE, hearing.model.labels, scores, time, ends, over_time)


def load(path: Path) -> Floats:
    """Read a whole sound file of any rate and format as 16 kHz mono, shape (samples,).

    Raises
    ------
    BadInputError
        It cannot be read to its end, or holds samples that are no numbers.
    """
    file = AudioFile(path)
    resampler = Resampler(file.sample_rate, file.channels)
    pieces = [resampler.push(block).copy() for block in file.blocks()]
    samples = np.concatenate([*pieces, resampler.finish()])
    if not np.isfinite(samples).all():
        raise BadInputError(f"{str(path)!r} holds samples that are no numbers; export it again")
    return samples


def _rounded(labels: Sequence[str], scores: Floats) -> dict[str, float]:
    return {label: round(float(score), 4) for label, score in zip(labels, scores, strict=True)}


def _bar(score: float) -> str:
    eighths = round(score * _WIDTH * 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
