"""Misses against false accepts per hour while one threshold moves: a curve per condition, as numbers and picture.

Every point is decoded anew by the listener's decoder. Stretches in which no keyword comes near the threshold
cannot change anything and are left out, which makes that quick.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from spotter.model import Model
from spotter.settings import DecoderConfig
from train.evaluate import Scored, decode, worth_a_look
from train.metrics import Matched, Word, match, together

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99, 0.995)
_TICKS = (0.5, 1, 2, 5, 10, 20, 30, 40, 50, 60, 80, 90)  # percent missed
Heard: TypeAlias = tuple[Sequence[Word], Scored]  # a stream's words and scores


def at_threshold(
    model: Model, streams: Iterable[Heard], config: DecoderConfig, hop_samples: int, threshold: float
) -> Matched:
    """What is found and what is false with one threshold for all keywords."""
    moved = dataclasses.replace(config, threshold=threshold, thresholds={})
    return together(
        match(decode(model, worth_a_look(model, s, moved), moved, hop_samples), words, model.keywords)
        for words, s in streams
    )


def curves(
    model: Model,
    said: Mapping[str, Sequence[Heard]],
    silent: Sequence[Heard],
    config: DecoderConfig,
    hop_samples: int,
    thresholds: Sequence[float] = THRESHOLDS,
) -> list[dict[str, Any]]:
    """For each threshold: share missed in each condition, and false accepts in the streams without keywords."""
    hours = sum(s.seconds for _, s in silent) / 3_600
    points: list[dict[str, Any]] = []
    for threshold in thresholds:
        false = len(at_threshold(model, silent, config, hop_samples, threshold).false)
        point: dict[str, Any] = {"threshold": threshold, "false": false, "false_per_hour": false / hours}
        missed = {}
        for name, streams in said.items():
            m = at_threshold(model, streams, config, hop_samples, threshold)
            missed[name] = len(m.missed) / max(1, len(m.found) + len(m.missed))
        points.append({**point, "missed": missed})
    return points


def picture(
    points: Sequence[Mapping[str, Any]], now: Mapping[str, Any] | None, hours: float, what: str, path: Path
) -> None:
    """Write the curves as PNG; both axes as is usual for DET curves (Martin et al. 1997), false accepts per hour.

    now : a point as in `points`, of the settings that were measured; drawn as a star
    hours : of the streams without keywords, which `what` names
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    from train.pictures import drawing

    floor = 0.5 / hours  # where a curve ends that has no false accept left
    with drawing(path, figsize=(8, 6)) as figure:
        axes = figure.subplots()
        for name in points[0]["missed"]:
            rates = np.array([p["false_per_hour"] for p in points])
            missed = np.array([p["missed"][name] for p in points])
            (line,) = axes.plot(np.maximum(rates, floor), _spread(missed), marker=".", label=name)
            none = rates == 0
            axes.plot(np.full(none.sum(), floor), _spread(missed[none]), "o", mfc="white", color=line.get_color())
            if now is not None:
                star = max(now["false_per_hour"], floor), _spread(np.array([now["missed"][name]]))[0]
                axes.plot(*star, marker="*", ms=14, color=line.get_color(), mec="black", ls="none")
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        lacking = any(p["false_per_hour"] == 0 for p in points)
        if lacking:
            axes.set_xlim(floor / 1.2, None)
            axes.axvspan(floor / 1.2, floor * 1.2, color="gray", alpha=0.15, lw=0)
        ticks = [t for t in _TICKS if axes.get_ylim()[0] <= _spread(np.array([t / 100]))[0] <= axes.get_ylim()[1]]
        axes.set_yticks(_spread(np.array(ticks) / 100), [f"{t:g}%" for t in ticks])
        axes.set_xlabel(f"false accepts per hour of {what} ({hours:.2f} h)" + "; gray: none was heard" * lacking)
        axes.set_ylabel("keywords missed")
        axes.grid(alpha=0.3)
        axes.legend(title="star: the settings measured" if now is not None else None)


def _spread(shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Normal deviates of shares; none and all are drawn at 0.2% and 99.8%."""
    return np.asarray(norm.ppf(np.clip(shares, 0.002, 0.998)), np.float64)
