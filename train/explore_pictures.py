"""Pictures of recordings: waveforms with labels, waveform above spectrogram, a spectrogram per word, histograms."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spotter.arrays import Floats
from spotter.frontend import Frontend
from spotter.settings import SAMPLE_RATE, TUTORIAL, FrontendConfig
from train.facts import Facts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE, _ORANGE, _GREEN = "#2563eb", "#f59e0b", "#10b981"
_DPI = 110
_COLUMNS = 5  # of the spectrograms


def waveforms(clips: Sequence[tuple[str, Floats]], path: Path) -> None:
    """Draw a grid of waveforms with their labels, three in a row."""
    rows = -(-len(clips) // 3)
    figure = _figure(9.6, 1.9 * rows)
    for axes, (label, samples) in zip(_grid(figure, rows, 3), clips, strict=False):
        _waveform(axes, samples)
        axes.set_title(label, fontsize=11)
        axes.set_ylim(-1.05, 1.05)
        axes.set_yticks((-1, 0, 1))
    figure.supxlabel("seconds", fontsize=9)
    _save(figure, path)


def waveform_and_spectrograms(label: str, samples: Floats, path: Path) -> None:
    """One recording: its waveform, the magnitudes of TensorFlow's tutorial, and log-mel bands, on one axis of time."""
    figure = _figure(9.6, 7.2)
    wave, magnitude, mel = figure.subplots(3, 1, sharex=True, height_ratios=(1, 1.5, 1.5))
    _waveform(wave, samples)
    wave.set_title(f"“{label}”: waveform", fontsize=11, loc="left")
    _spectrogram(magnitude, np.log(Frontend(TUTORIAL)(samples) + np.float32(1e-4)), TUTORIAL)
    magnitude.set_ylabel("kHz")
    ticks = np.arange(0, 9, 2)
    magnitude.set_yticks(ticks / 8 * TUTORIAL.bins, [str(t) for t in ticks])
    magnitude.set_title(
        "spectrogram: 124 frames of 129 numbers a second, logarithm of the magnitude", fontsize=11, loc="left"
    )
    config = FrontendConfig()
    _spectrogram(mel, Frontend(config)(samples), config)
    mel.set_ylabel("mel band")
    mel.set_title("log-mel, what the networks here see: 98 frames of 40 numbers a second", fontsize=11, loc="left")
    mel.set_xlabel("seconds")
    mel.set_xlim(0, max(len(samples) / SAMPLE_RATE, 0.1))
    _save(figure, path)


def spectrogram_per_word(clips: Sequence[tuple[str, Floats]], path: Path) -> None:
    """Draw the log-mel spectrogram of one recording of each word."""
    rows = -(-len(clips) // _COLUMNS)
    figure = _figure(9.6, 1.75 * rows + 0.3)
    config = FrontendConfig()
    for axes, (label, samples) in zip(_grid(figure, rows, _COLUMNS), clips, strict=False):
        _spectrogram(axes, Frontend(config)(samples), config)
        axes.set_title(label, fontsize=11)
        axes.set_xticks(())
        axes.set_yticks(())
    _save(figure, path)


def histograms(facts: Sequence[Facts], per_word: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw recordings per word and side of the split; and how long, how loud, and how clear they are."""
    figure = _figure(9.6, 6.6)
    counts, lengths, levels, clear = figure.subplots(2, 2).flat
    at, below = np.arange(len(per_word)), np.zeros(len(per_word))
    for side, colour in (("training", _BLUE), ("validation", _ORANGE), ("testing", _GREEN)):
        height = np.array([figures[side] for figures in per_word.values()])
        if height.any():
            counts.bar(at, height, bottom=below, label=side, color=colour, width=0.8)
        below += height
    many = len(per_word) > 8
    counts.set_xticks(at, list(per_word), rotation=90 if many else 0, fontsize=7 if many else 9)
    counts.set_title("recordings per word", fontsize=11, loc="left")
    counts.legend(fontsize=8, frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderpad=0)
    for axes, values, title, unit in (
        (lengths, [f.seconds for f in facts], "length", "seconds"),
        (levels, [f.loudest_dbfs for f in facts], "level of the loudest 20 ms", "dB of full scale"),
        (clear, [f.stands_out_db for f in facts], "how far it stands out of the recording's own noise", "dB"),
    ):
        low, high = float(np.min(values)), float(np.max(values))
        axes.hist(values, 50, range=(low - 0.05, high + 0.05) if high - low < 1e-3 else None, color=_BLUE)
        axes.set_title(title, fontsize=11, loc="left")
        axes.set_xlabel(unit)
        axes.set_ylabel("recordings")
        if len(values) > 500:
            axes.set_yscale("log")
    _save(figure, path)


def thumbnail(samples: Floats) -> bytes:
    """Return the log-mel spectrogram as a bare PNG, one pixel a number, low bands below."""
    from matplotlib.image import imsave

    frames = Frontend(FrontendConfig())(samples)
    if not len(frames):
        frames = np.zeros((1, FrontendConfig().bins), np.float32)
    out = io.BytesIO()
    low, high = _range(frames)
    imsave(out, frames.T, cmap="magma", origin="lower", vmin=low, vmax=high, format="png")
    return out.getvalue()


def outline(samples: Floats, columns: int = 160) -> list[tuple[float, float]]:
    """Least and greatest sample of each of `columns` stretches, as shares of the greatest of all (or of 0.02)."""
    if not len(samples):
        return []
    peak = max(0.02, float(np.abs(samples).max()))
    parts = np.array_split(samples, min(columns, len(samples)))
    return [(float(p.min()) / peak, float(p.max()) / peak) for p in parts]


def _waveform(axes: Axes, samples: Floats) -> None:
    times = np.arange(len(samples)) / SAMPLE_RATE
    axes.plot(times, samples, lw=0.5, color=_BLUE)
    axes.set_xlim(0, max(1.0, len(samples) / SAMPLE_RATE))
    axes.tick_params(labelsize=8)


def _spectrogram(axes: Axes, frames: Floats, config: FrontendConfig) -> None:
    if not len(frames):
        return
    hop, half = config.hop_samples / SAMPLE_RATE, config.frame_samples / SAMPLE_RATE / 2
    extent = (half - hop / 2, half + (len(frames) - 0.5) * hop, 0.0, float(frames.shape[1]))
    low, high = _range(frames)
    axes.imshow(frames.T, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=low, vmax=high)


def _range(frames: Floats) -> tuple[float, float]:
    """Darkest and brightest: nothing more than 12 (52 dB of power) below the brightest is told apart."""
    high = float(frames.max())
    return max(float(np.percentile(frames, 2)), high - 12.0), high + 1e-6


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _grid(figure: Figure, rows: int, columns: int) -> list[Axes]:
    every: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in every:
        axes.spines[["top", "right"]].set_visible(False)
    return every


def _save(figure: Figure, path: Path) -> None:
    for axes in figure.axes:
        if not axes.has_data():
            axes.set_axis_off()
    figure.savefig(path, dpi=_DPI, format="png")
