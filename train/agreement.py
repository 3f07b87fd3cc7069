"""Exported networks beside the Keras model that they were made of: on drawn frames, and on real windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from spotter.arrays import Floats
from spotter.errors import ModelError
from spotter.manifest import INT8_NETWORK, STREAM_NETWORK, WINDOW_NETWORK
from spotter.model import Model
from spotter.settings import SAMPLE_RATE
from train import parity

AGREEMENT = 1e-4  # the most that an exported score may differ from Keras's
_HOPS_MS = (20, 100, 200)
_BATCH = 64


def on_real_windows(trained: keras.Model, folder: Path, windows: Floats) -> dict[str, Any]:
    """Compare the window forms in a folder with Keras; a ModelError where one is too far off."""
    wanted = _wanted(trained, windows)
    forms = {"float": WINDOW_NETWORK, "int8": INT8_NETWORK}
    found = {
        form: parity.compare(parity.scores_of(Model.open(folder, network=file), windows), wanted)
        for form, file in forms.items()
        if (folder / file).is_file()
    }
    if found["float"]["largest"] > AGREEMENT:
        raise ModelError(
            f"the exported window form differs from Keras by {found['float']['largest']:.2g}; the export is not kept"
        )
    if "int8" in found:
        parity.check_int8(found["int8"])
    return found


def agreement(trained: keras.Model, model: Model) -> dict[str, float]:
    """Greatest differences between Keras and the files, loaded again; a ModelError beyond 1e-4 or where not finite."""
    rng = np.random.default_rng(0)
    context, bins = model.context_frames, model.frontend.bins
    # Log-mel values as they come, quiet and loud, and moving.
    frames = (rng.normal(-4.0, 4.0, (context + 40, bins)) + 3.0 * np.sin(np.arange(context + 40) / 9)[:, None]).astype(
        np.float32
    )
    stride = model.step // model.frontend.hop_samples
    starts = range(0, len(frames) - context + 1, stride)
    wanted = _wanted(trained, np.stack([frames[at : at + context] for at in starts]))
    found = {"window": _window_difference(model, frames, wanted, context)}
    for hop_ms in _HOPS_MS if STREAM_NETWORK in model.manifest["files"] else ():
        hop = hop_ms * SAMPLE_RATE // 1_000
        if hop % model.step == 0:
            found[f"stream_{hop_ms}_ms"] = _stream_difference(model, frames, wanted, hop)
    for name, value in found.items():
        if value > AGREEMENT:
            raise ModelError(f"the exported {name} form differs from Keras by {value:.2g}; the export is not kept")
    return found


def _wanted(trained: keras.Model, windows: Floats) -> Floats:
    """Keras's scores of windows, shape (windows, labels); windows has shape (windows, context_frames, bins)."""
    parts = [trained.predict_on_batch(windows[at : at + _BATCH]) for at in range(0, len(windows), _BATCH)]
    scores = np.asarray(keras.ops.softmax(np.concatenate(parts), axis=-1), np.float32)
    return scores.reshape(len(windows), -1, scores.shape[-1])[:, -1]


def _window_difference(model: Model, frames: Floats, wanted: Floats, context: int) -> float:
    stride = model.step // model.frontend.hop_samples
    worst = 0.0
    scorer = model.window_scorer()
    for at in range(len(wanted)):
        got = scorer.score(frames[at * stride : at * stride + context], context)
        worst = max(worst, _difference(got, wanted[at]))
    return worst


def _stream_difference(model: Model, frames: Floats, wanted: Floats, hop: int) -> float:
    stride = model.step // model.frontend.hop_samples
    hop_frames, context = hop // model.frontend.hop_samples, model.context_frames
    scorer = model.scorer(hop)
    worst, end, new = 0.0, context, context
    while end <= len(frames):
        got = scorer.score(frames[end - context : end], new)
        worst = max(worst, _difference(got, wanted[(end - context) // stride]))
        end, new = end + hop_frames, hop_frames
    return worst


def _difference(got: Floats, wanted: Floats) -> float:
    """The greatest one; infinite where either is no number, since `max` passes over NaN."""
    difference = float(np.abs(got - wanted).max())
    return difference if np.isfinite(difference) else float("inf")
