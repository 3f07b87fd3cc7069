"""Trained weights to a model folder: window form, stream form, whole-number form, manifest.

Each file is loaded again and compared with Keras, on drawn frames and on real windows.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.manifest import INT8_NETWORK, STREAM_NETWORK, WINDOW_NETWORK, read_manifest, write_manifest
from spotter.model import Model
from spotter.settings import SAMPLE_RATE, DecoderConfig, as_dict
from spotter.stderr import without_chatter
from train.agreement import agreement, on_real_windows
from train.networks import network
from train.recipe import Recipe


def export(
    recipe: Recipe,
    weights: Path,
    out: Path,
    *,
    decoder: DecoderConfig,
    training: Mapping[str, Any],
    card: str = "",
    force: bool = False,
    representative: Floats | None = None,
    validation: Floats | None = None,
) -> dict[str, float]:
    """Write `out` from the weights of a run; return the greatest differences to Keras that were seen.

    The folder appears whole or not at all. An existing one is refused without `force`.

    Parameters
    ----------
    representative : float32, shape (windows, context_frames, bins), optional
        Frames of training material, from which the ranges of the whole-number form are taken; without
        them there is no such form.
    validation : float32, of the same shape, optional
        Frames of other speakers, on which the forms are compared with Keras; without them the
        representative ones. What was found stands in the manifest as `training.parity`; see `parity_of`.
    """
    if out.exists() and not force:
        raise BadInputError(f"{out} exists; give another name, or --force to replace it")
    sizes = network(recipe.network, recipe.network_options)
    trained = sizes.build(None, recipe.frontend.bins, len(recipe.labels))
    trained.load_weights(weights)
    windows = validation if validation is not None else representative
    for frames in (representative, validation):
        _check_frames(frames, sizes.context_frames, recipe.frontend.bins)
    context = recipe.frontend.samples_for(sizes.context_frames)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        folder = Path(scratch) / out.name
        folder.mkdir()
        window, stream = sizes.inference(trained), sizes.streaming(trained)
        files = [WINDOW_NETWORK] + ([STREAM_NETWORK] if stream is not None else [])
        for name, form in zip(files, (window, stream), strict=False):
            (folder / name).write_bytes(convert(form))
        if card:
            (folder / "CARD.md").write_text(card, "utf-8")
        manifest = {
            "name": out.name,
            "labels": list(recipe.labels),
            "keywords": list(recipe.keywords),
            "sample_rate": SAMPLE_RATE,
            "window": min(SAMPLE_RATE, context),
            "context": context,
            "step": sizes.step_frames * recipe.frontend.hop_samples,
            "frontend": as_dict(recipe.frontend),
            "decoder": as_dict(decoder),
            "training": dict(training),
            "licence": "Apache-2.0",
        }
        write_manifest(folder, manifest, files)
        figures = agreement(trained, Model.open(folder))
        if representative is not None:
            (folder / INT8_NETWORK).write_bytes(convert(window, representative))
            files.append(INT8_NETWORK)
        if windows is not None:
            write_manifest(folder, manifest, files)
            found = on_real_windows(trained, folder, windows)
            write_manifest(folder, {**manifest, "training": {**training, "parity": found}}, files)
        if out.exists():
            old = Path(scratch) / "old"
            out.rename(old)
        shutil.move(folder, out)
    return figures


def parity_of(folder: Path) -> dict[str, Any]:
    """What `export` found on real windows, form by form; nothing where it was given none."""
    return dict(read_manifest(folder).raw["training"].get("parity", {}))


def _check_frames(frames: Floats | None, context_frames: int, bins: int) -> None:
    if frames is not None and (frames.ndim != 3 or not len(frames) or frames.shape[1:] != (context_frames, bins)):
        raise BadInputError(f"windows of shape {frames.shape} do not fit; give (windows, {context_frames}, {bins})")


def convert(model: keras.Model, representative: Floats | None = None) -> bytes:
    """Convert; with representative windows to whole numbers inside (per channel), float32 in and out.

    Post-training quantisation: Jacob et al. 2018, arXiv:1712.05877.
    """
    import tensorflow as tf

    # `from_concrete_functions` was seen to lose the weights without a word.
    with _quiet():
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if representative is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.representative_dataset = lambda: ([frames[np.newaxis]] for frames in representative)
        return bytes(converter.convert())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The converter prints every variable on stdout, and on stderr what was asked for; send that nowhere."""
    with (
        open(os.devnull, "w") as nowhere,  # noqa: PTH123
        contextlib.redirect_stdout(nowhere),
        without_chatter(lambda line: line.startswith(b"fully_quantize")),
        warnings.catch_warnings(),
    ):
        # It falls back to float32 in and out, which is what is wanted.
        warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
        yield
