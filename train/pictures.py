"""Pictures where looking beats reading: what a measurement found, and what a model hears in a recording."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.settings import SAMPLE_RATE, SILENCE, UNKNOWN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 120
_DULL = {UNKNOWN: "black", SILENCE: "gray"}
_POINTS = 4_000  # of a waveform, enough for any width


def confusion_matrix(table: npt.NDArray[np.intp], labels: Sequence[str], path: Path) -> None:
    """Write a confusion matrix, rows as shares of what was said, counts as numbers, as PNG."""
    share = table / np.maximum(1, table.sum(axis=1, keepdims=True))
    with drawing(path, figsize=(7, 6)) as figure:
        axes = figure.subplots()
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
        axes.set_yticks(range(len(labels)), labels)
        axes.set_xlabel("given")
        axes.set_ylabel("said")
        for (row, column), count in np.ndenumerate(table):
            if count:
                _write(axes, column, row, str(count), dark=bool(share[row, column] > 0.5))


def label_bars(figures: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Write precision and recall of each label as bars, recall with its limits, as PNG."""
    names = list(figures)
    recall = np.array([figures[n]["recall"] for n in names])
    limits = np.array([figures[n]["recall_limits"] for n in names])
    at = np.arange(len(names))
    with drawing(path, figsize=(8, 4)) as figure:
        axes = figure.subplots()
        axes.bar(at - 0.2, [figures[n]["precision"] for n in names], 0.38, label="precision", color="tab:orange")
        axes.bar(at + 0.2, recall, 0.38, label="recall, with 95% limits", color="tab:blue")
        spread = np.maximum(0.0, np.abs(limits - recall[:, None]).T)
        axes.errorbar(at + 0.2, recall, spread, fmt="none", ecolor="black", lw=1, capsize=2)
        axes.set_ylim(max(0.0, min(float(limits.min()), *(figures[n]["precision"] for n in names)) - 0.05), 1.0)
        axes.set_xticks(at, names, rotation=30, ha="right")
        axes.grid(axis="y", alpha=0.3)
        figure.legend(loc="outside upper center", ncols=2, frameon=False)


def learning_curve(looks: Sequence[Mapping[str, float]], path: Path) -> None:
    """Write the losses of a run and the share of keywords given rightly, look by look, as PNG.

    looks : lines of history.csv, their steps counted from the start of the run
    """
    steps = [look["steps"] for look in looks]
    rounds = [a["steps"] for a, b in itertools.pairwise(looks) if b.get("round") != a.get("round")]
    with drawing(path, figsize=(8, 3.2)) as figure:
        loss, right = figure.subplots(1, 2)
        for side, style in (("training", "o:"), ("validation", "o-")):
            loss.plot(steps, [look[f"{side}_loss"] for look in looks], style, ms=3, label=f"{side} speakers")
        loss.set_ylabel("loss")
        right.plot(steps, [look["validation_keywords"] for look in looks], "o-", ms=3, color="tab:green")
        right.set_ylabel("keyword judgements that are right")
        for axes in (loss, right):
            axes.set_ylim(0.0, None)
            axes.set_xlabel("steps")
            axes.grid(alpha=0.3)
            axes.locator_params(axis="x", nbins=6)
            for at, step in enumerate(rounds):
                axes.axvline(step, color="gray", ls="--", lw=1, label=None if at else "mined, then learned on")
        right.set_ylim(0.0, 1.0)
        loss.legend(frameon=False, fontsize=8)


def reliability_diagram(calibration: Mapping[str, Any], path: Path) -> None:
    """Write share right against winning score, and how many clips each bar stands for, as PNG."""
    bins = [b for b in calibration["bins"] if b["clips"]]
    width = bins[0]["high"] - bins[0]["low"] if bins else 1.0
    middle = [(b["low"] + b["high"]) / 2 for b in bins]
    with drawing(path, figsize=(5.5, 6)) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot([0, 1], [0, 1], color="gray", ls="--", lw=1, label="a score that is the share right")
        upper.bar(middle, [b["right"] for b in bins], 0.9 * width, color="tab:blue", alpha=0.7, label="share right")
        upper.plot([b["score"] for b in bins], [b["right"] for b in bins], "ko", ms=3, label="at the mean score")
        upper.set_ylabel("share right")
        upper.set_ylim(0, 1.02)
        upper.set_xlim(0, 1)
        upper.legend(loc="upper left", fontsize=8)
        upper.set_title(f"expected calibration error {calibration['expected_calibration_error']:.3f}", fontsize=10)
        lower.bar(middle, [b["clips"] for b in bins], 0.9 * width, color="gray")
        lower.set_yscale("log")
        lower.set_ylim(0.7, None)
        lower.set_ylabel("clips")
        lower.set_xlabel("winning score")


def condition_map(rows: Sequence[str], columns: Sequence[str], shares: Floats, noise: str, path: Path) -> None:
    """Write the shares right under each condition, shape (rows, columns), as coloured cells, as PNG."""
    with drawing(path, figsize=(7, 0.5 * len(rows) + 1.6)) as figure:
        axes = figure.subplots()
        image = axes.imshow(shares, cmap="RdYlGn", vmin=0.4, vmax=1.0, aspect="auto")
        axes.set_xticks(range(len(columns)), columns)
        axes.set_yticks(range(len(rows)), rows)
        axes.set_xlabel(f"speech over {noise}")
        for (row, column), share in np.ndenumerate(shares):
            _write(axes, column, row, f"{share:.1%}", dark=bool(share < 0.5))
        figure.colorbar(image, label="right", extend="min")


def speaker_histogram(speakers: Mapping[str, Any], path: Path) -> None:
    """Write how many speakers are heard how well, the worst tenth coloured, as PNG."""
    worst = set(speakers["worst"])
    shares = {name: s["right"] for name, s in speakers["speakers"].items()}
    parts = [[v for n, v in shares.items() if n not in worst], [v for n, v in shares.items() if n in worst]]
    edges = np.linspace(min([*shares.values(), 0.8]) - 1e-9, 1.0 + 1e-9, 25)
    with drawing(path, figsize=(6, 4)) as figure:
        axes = figure.subplots()
        names = ("nine tenths", f"worst tenth, mean {speakers['worst_mean'] or 0:.1%}")
        axes.hist(parts, edges.tolist(), stacked=True, color=["tab:blue", "tab:red"], label=names)
        axes.set_xlabel(f"share of a speaker's clips that were right ({speakers['least_clips']} clips or more)")
        axes.set_ylabel("speakers")
        axes.legend(loc="upper left")


def heard_picture(
    samples: Floats,
    frames: Floats,
    seconds: npt.NDArray[np.float64],
    scores: Floats,
    labels: Sequence[str],
    path: Path,
    title: str,
) -> None:
    """Write waveform above spectrogram above the scores over time, as PNG.

    Parameters
    ----------
    samples : float32, shape (samples,), at 16 kHz
    frames : float32, shape (frames, bins), of just these samples
    seconds : float64, shape (windows,), where each window ends
    scores : float32, shape (windows, labels)
    """
    length = len(samples) / SAMPLE_RATE
    with drawing(path, figsize=(9, 7)) as figure:
        wave, spectrogram, over_time = figure.subplots(3, 1, sharex=True, height_ratios=(1, 1.5, 1.5))
        figure.suptitle(title)
        _waveform(wave, samples)
        if len(frames):
            extent = (0.0, length, 0.0, float(frames.shape[1]))
            spectrogram.imshow(frames.T, origin="lower", aspect="auto", extent=extent, cmap="magma")
        spectrogram.set_ylabel("band")
        colours = itertools.cycle(f"C{n}" for n in range(10) if n != 7)  # C7 is gray
        for at, label in enumerate(labels):
            if label in _DULL:
                style: dict[str, Any] = {"color": _DULL[label], "ls": ":", "lw": 1.2}
            else:
                style = {"color": next(colours), "lw": 1.8}
            # Matplotlib leaves names that begin with "_" out of legends.
            over_time.plot(seconds, scores[:, at], label=label.strip("_"), **style)
        over_time.set_ylim(-0.02, 1.02)
        over_time.set_xlim(0.0, max(length, float(seconds[-1]) if len(seconds) else 0.0))
        over_time.set_ylabel("score")
        over_time.set_xlabel("seconds; a score stands where its window ends")
        figure.legend(*over_time.get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8)


def _waveform(axes: Axes, samples: Floats) -> None:
    """Least and greatest sample of each short stretch, so that long recordings keep their peaks."""
    stretch = max(1, len(samples) // _POINTS)
    whole = samples[: len(samples) // stretch * stretch].reshape(-1, stretch)
    times = np.arange(len(whole)) * stretch / SAMPLE_RATE
    axes.fill_between(times, whole.min(axis=1), whole.max(axis=1), lw=0.5, color="tab:blue", ec="tab:blue")
    axes.set_ylabel("amplitude")


def _write(axes: Axes, column: int, row: int, text: str, *, dark: bool) -> None:
    axes.text(column, row, text, ha="center", va="center", color="white" if dark else "black", fontsize=8)


@contextlib.contextmanager
def drawing(path: Path, figsize: tuple[float, float]) -> Iterator[Figure]:
    """Give a figure to draw into; write it all at once, or not at all."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure = plt.figure(figsize=figsize, layout="constrained")
    part = path.with_name(f".{path.name}.part")
    try:
        yield figure
        figure.savefig(part, dpi=_DPI, format="png")
        part.replace(path)
    finally:
        plt.close(figure)
        part.unlink(missing_ok=True)
