"""Waveform, spectrogram, scores, events and what was held back, on one time axis, as PNG.

The only module here that needs matplotlib, which the extra `train` brings; it is loaded when a picture is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.events import Detection
from spotter.explain import Explanation, Moment
from spotter.frontend import Frontend
from spotter.settings import SAMPLE_RATE, SILENCE, UNKNOWN, FrontendConfig

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe & Ito, "Color Universal Design" (2008), without yellow, which is faint on white; told apart by dashes as well.
_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_DASHES: Final = ("-", (0, (5, 1.5)), (0, (1.5, 1)))
_DULL: Final[dict[str, dict[str, Any]]] = {
    UNKNOWN: {"color": "black", "ls": ":", "lw": 1.2},
    SILENCE: {"color": "0.65", "ls": ":", "lw": 1.2},
}
_WORTH_A_CURVE: Final = 0.25  # of the threshold; a keyword that stays below has none
_FLOOR: Final = 0.02  # scores under it have no curve
_POINTS: Final = 3_000  # of the waveform
_LANES: Final = 3  # of labels, above one another
_INCHES: Final = 13.0  # wide
_DPI: Final = 110
_KHZ: Final = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is drawn.

    samples : float32, shape (samples,), at 16 kHz, of just this stretch
    """

    title: str
    first: float  # seconds
    last: float
    samples: Floats
    frontend: FrontendConfig
    labels: tuple[str, ...]
    moments: tuple[Moment, ...]
    hop_samples: int
    detections: tuple[Detection, ...]
    held_back: tuple[Explanation, ...]
    thresholds: Mapping[str, float]
    at: float | None  # a moment that was asked about


def draw(scene: Scene, path: Path) -> None:
    """Write the picture, all at once or not at all.

    Raises
    ------
    BadInputError
        It cannot be written there.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_INCHES, 8.5), layout="constrained")
    FigureCanvasAgg(figure)
    marks, wave, bands, scores = figure.subplots(4, 1, sharex=True, height_ratios=(0.75, 0.9, 1.6, 2.4))
    figure.suptitle(scene.title, fontsize=11)
    styles = _styles(scene)
    _marks(marks, scene, styles)
    _waveform(wave, scene, styles)
    _spectrogram(bands, scene)
    _curves(scores, scene, styles)
    for axes in (wave, bands, scores):
        for d in scene.detections:
            axes.axvline(d.time, color=styles[d.keyword]["color"], lw=1.0, alpha=0.8)
        for e in scene.held_back:
            axes.axvline(e.time, color="0.45", lw=0.8, ls=(0, (2, 2)), alpha=0.8)
    for axes in (marks, wave, bands, scores):
        if scene.at is not None:
            axes.axvline(scene.at, color="black", lw=2.0, alpha=0.5, label=f"{scene.at:g} s")
    end = max([scene.last, *(d.time for d in scene.detections), *(e.time for e in scene.held_back)])
    scores.set_xlim(scene.first, max(end, scene.first + 0.1))
    scores.set_xlabel("seconds; a score stands where its window ends")
    figure.legend(*scores.get_legend_handles_labels(), loc="outside lower center", ncols=7, fontsize=8, frameon=False)
    part = path.with_name(f".{path.name}.part")
    try:
        figure.savefig(part, dpi=_DPI, format="png")
        part.replace(path)
    except OSError as error:
        raise BadInputError(f"{str(path)!r} cannot be written ({error.strerror}); give another place") from error
    finally:
        part.unlink(missing_ok=True)


def _styles(scene: Scene) -> dict[str, dict[str, Any]]:
    """Give each keyword a colour and a dash of its own, whichever of them are drawn."""
    return {
        word: {"color": _COLOURS[n % len(_COLOURS)], "ls": _DASHES[n // len(_COLOURS) % len(_DASHES)], "lw": 1.8}
        for n, word in enumerate(scene.thresholds)
    }


def _marks(axes: Axes, scene: Scene, styles: Mapping[str, Mapping[str, Any]]) -> None:
    """Names of what was heard, and below of what was held back with its rule, in lanes so that none overlap."""
    width = max(1.0, scene.last - scene.first)
    labels: list[tuple[float, str, Any, bool]] = [
        (d.time, f"{d.keyword} {d.score:.2f}", styles[d.keyword]["color"], True) for d in scene.detections
    ]
    labels += [(e.time, f"{e.verdict.keyword}: {_short(e)}", "0.3", False) for e in scene.held_back]
    for heard in (True, False):
        free = [-math.inf] * _LANES
        for time, text, colour, is_heard in sorted(labels, key=lambda it: it[0]):
            if is_heard is not heard:
                continue
            lane = min(range(_LANES), key=lambda n: (free[n] > time, free[n] if free[n] > time else n))
            row = lane if heard else _LANES + lane
            axes.plot(time, -row, "v" if heard else "x", color=colour, ms=5, clip_on=False)
            if free[lane] <= time:  # in a crowd a mark has no name
                axes.annotate(
                    text, (time, -row), (6, 0), textcoords="offset points", va="center", fontsize=8, color=colour
                )
            free[lane] = time + (len(text) + 3) * width * 0.0062
    axes.set_ylim(-2 * _LANES + 0.3, 0.7)
    axes.set_yticks([-(_LANES - 1) / 2, -_LANES - (_LANES - 1) / 2], ["heard", "held back"], fontsize=8)
    axes.axhline(-_LANES + 0.5, color="0.8", lw=0.8)
    axes.tick_params(left=False, bottom=False)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)


def _waveform(axes: Axes, scene: Scene, styles: Mapping[str, Mapping[str, Any]]) -> None:
    """Least and greatest sample of each short stretch, and where the words lie that were heard."""
    stretch = max(1, len(scene.samples) // _POINTS)
    whole = scene.samples[: len(scene.samples) // stretch * stretch].reshape(-1, stretch)
    times = scene.first + np.arange(len(whole)) * stretch / SAMPLE_RATE
    if len(whole):
        axes.fill_between(times, whole.min(axis=1), whole.max(axis=1), lw=0.4, color="0.35", ec="0.35")
    for d in scene.detections:
        axes.axvspan(d.start, d.end, color=styles[d.keyword]["color"], alpha=0.25, lw=0)
    axes.set_ylabel("amplitude")
    axes.margins(y=0.1)


def _spectrogram(axes: Axes, scene: Scene) -> None:
    config = scene.frontend
    if len(scene.samples) >= config.frame_samples:
        frames = Frontend(config)(scene.samples)
        picture = frames if config.kind == "log_mel" else np.log(frames + 1e-3)
        begin = scene.first + config.frame_samples / 2 / SAMPLE_RATE
        end = begin + len(frames) * config.hop_samples / SAMPLE_RATE
        low, high = np.percentile(picture, (5, 99.8)).tolist()
        axes.imshow(
            picture.T,
            origin="lower",
            aspect="auto",
            extent=(begin, end, 0.0, float(config.bins)),
            cmap="magma",
            vmin=low,
            vmax=max(high, low + 1.0),
        )
    ticks = [(f, _bin_of(f * 1_000, config)) for f in _KHZ]
    shown = [(f, b) for f, b in ticks if 0 <= b <= config.bins]
    axes.set_yticks([b for _, b in shown], [f"{f:g}" for f, _ in shown])
    axes.set_ylabel("kHz, mel bands" if config.kind == "log_mel" else "kHz")


def _bin_of(hz: float, config: FrontendConfig) -> float:
    """Where a frequency lies on the spectrogram's axis."""
    if config.kind != "log_mel":
        return hz / config.sample_rate * config.fft_size + 0.5
    low, here, high = (math.log10(1.0 + f / 700.0) for f in (config.low_hz, hz, config.high_hz))
    return (here - low) / (high - low) * (config.mel_bands + 1) - 0.5


def _curves(axes: Axes, scene: Scene, styles: Mapping[str, dict[str, Any]]) -> None:
    """Smoothed scores with their thresholds; the plain ones thin behind them, where they differ."""
    times = np.array([m.time for m in scene.moments])
    plain = np.array([m.scores for m in scene.moments], np.float32).reshape(-1, len(scene.labels))
    smoothed = np.array([m.smoothed for m in scene.moments], np.float32).reshape(-1, len(scene.labels))
    breaks = np.flatnonzero(np.diff(times) > 1.5 * scene.hop_samples / SAMPLE_RATE) + 1  # nothing leads over a gap
    drawn = []
    for n, label in enumerate(scene.labels):
        style = _DULL.get(label) or styles.get(label)
        if style is None or not len(times):
            continue
        if label in styles:
            if np.nanmax(np.maximum(plain[:, n], smoothed[:, n])) < _WORTH_A_CURVE * scene.thresholds[label]:
                continue
            drawn.append(label)
        along = np.insert(times, breaks, np.nan)
        own, even = _above_floor(plain[:, n]), _above_floor(smoothed[:, n])
        if label in styles and not np.allclose(plain[:, n], smoothed[:, n], equal_nan=True):
            axes.plot(along, np.insert(own, breaks, np.nan), color=style["color"], lw=0.6, alpha=0.6)
        # Matplotlib leaves names that begin with "_" out of legends.
        axes.plot(along, np.insert(even, breaks, np.nan), label=label.strip("_"), **style)
    _thresholds(axes, scene, drawn, styles)
    for e in scene.held_back:
        colour = styles[e.verdict.keyword]["color"]
        axes.plot(e.time, e.verdict.smoothed, "x", color=colour, ms=9, mew=2)
    for d in scene.detections:
        axes.plot(d.time, d.score, "v", color=styles[d.keyword]["color"], ms=8, mec="black")
    axes.set_ylim(-0.03, 1.06)
    axes.set_ylabel("smoothed score")
    axes.grid(axis="y", alpha=0.25)


def _above_floor(scores: Floats) -> Floats:
    """Leave out where a score is next to nothing and stays so: ten lines would lie on one another."""
    low = scores < _FLOOR
    flat = low & np.append(low[1:], True) & np.insert(low[:-1], 0, True)
    return np.where(flat, np.float32(np.nan), scores)


def _thresholds(axes: Axes, scene: Scene, drawn: Sequence[str], styles: Mapping[str, Mapping[str, Any]]) -> None:
    """One line for each threshold, in the keyword's colour where keywords differ."""
    by_height: dict[float, list[str]] = {}
    for word in drawn or scene.thresholds:
        by_height.setdefault(scene.thresholds[word], []).append(word)
    for height, words in by_height.items():
        colour = styles[words[0]]["color"] if len(words) == 1 < len(by_height) else "black"
        whose = "" if len(by_height) == 1 else f" {', '.join(words)}"
        axes.axhline(height, color=colour, lw=1.0, ls=(0, (6, 3)), label=f"threshold{whose} {round(height, 4):g}")


def _short(explanation: Explanation) -> str:
    """Name the rule in a few characters."""
    v = explanation.verdict
    if v.rule == "threshold":
        return f"{v.smoothed:.3f} < {round(v.threshold, 4):g}"
    return f"margin over {v.rival.strip('_')}" if v.rule == "margin" else v.rule
