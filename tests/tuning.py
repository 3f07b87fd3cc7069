"""Scores, counts and curves that are made up, for the tests of tuning."""

from __future__ import annotations

from typing import Any

import numpy as np

from spotter.settings import DecoderConfig
from train.evaluate import Scored
from train.tune import THRESHOLDS, Aim, Curves
from train.tune_tally import Grid, Part, Tally, tally

LABELS = ("yes", "no", "_unknown_", "_silence_")
KEYWORDS = ("yes", "no")
HOP = 1_600
PRESENT = DecoderConfig()
RNG = np.random.default_rng
G = len(THRESHOLDS)


def scored(rows: np.ndarray[Any, Any], seconds: float | None = None, floor_dbfs: float = -90.0) -> Scored:
    ends, level, floor = (np.arange(len(rows)) + 1) * HOP, np.full(len(rows), -20, np.float32), np.float32(floor_dbfs)
    return Scored(ends, level, np.full(len(rows), floor), rows.astype(np.float32), seconds or len(rows) / 10)


def scored_yes(*values: float) -> Scored:
    rows = np.zeros((len(values), 4))
    rows[:, 0] = values
    rows[:, 3] = 1 - rows[:, 0]
    return scored(rows)


def plain_grid(**changes: Any) -> Grid:
    values = {
        "gate_dbfs": (-75.0,),
        "smooth_ms": (100.0,),
        "noise_share": (1.0,),
        "margin": (0.1,),
        "rearm": (0.6,),
        "refractory_ms": (500.0,),
        **changes,
    }
    return Grid(**{"base": PRESENT, **values})


def count(*parts: Part, grid: Grid | None = None, thresholds: Any = THRESHOLDS) -> Tally:
    return tally(parts, LABELS, KEYWORDS, grid or plain_grid(), np.asarray(thresholds), HOP)


def curves_of(gain: Any, false: Any, hours: float = 1.0, error: float = 0.0) -> Curves:
    """Shapes (keywords, settings, thresholds); what is expected is what was heard."""
    gain, false = np.asarray(gain, float), np.asarray(false, float)
    return Curves(gain, gain, false, false, hours, error)


def empty_tally(*configs: DecoderConfig) -> Tally:
    none = np.zeros((0, 2, len(configs), G), np.int32)
    return Tally((), np.zeros(0), np.zeros((0, 2), np.int32), none, none, none, KEYWORDS, configs, THRESHOLDS)


AIM = Aim(weights={"words": 1.0}, counted=("speech",), spread=100.0)
