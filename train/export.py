"""Trained weights to a model folder: window form, stream form, manifest; each file loaded again and compared."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError, ModelError
from spotter.manifest import STREAM_NETWORK, WINDOW_NETWORK, write_manifest
from spotter.model import Model
from spotter.settings import SAMPLE_RATE, DecoderConfig, as_dict
from train.networks import network
from train.networks.temporal import inference, streaming
from train.recipe import Recipe

AGREEMENT = 1e-4  # the most that an exported score may differ from Keras's
_HOPS_MS = (20, 100, 200)


def export(
    recipe: Recipe,
    weights: Path,
    out: Path,
    *,
    decoder: DecoderConfig,
    training: Mapping[str, Any],
    card: str = "",
    force: bool = False,
) -> dict[str, float]:
    """Write `out` from the weights of a run; return the greatest differences to Keras that were seen.

    The folder appears whole or not at all. An existing one is refused without `force`.
    """
    if out.exists() and not force:
        raise BadInputError(f"{out} exists; give another name, or --force to replace it")
    sizes = network(recipe.network, recipe.network_options)
    trained = sizes.build(None, recipe.frontend.bins, len(recipe.labels))
    trained.load_weights(weights)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        folder = Path(scratch) / out.name
        folder.mkdir()
        (folder / WINDOW_NETWORK).write_bytes(_convert(inference(sizes, trained)))
        (folder / STREAM_NETWORK).write_bytes(_convert(streaming(sizes, trained)))
        if card:
            (folder / "CARD.md").write_text(card, "utf-8")
        write_manifest(
            folder,
            {
                "name": out.name,
                "labels": list(recipe.labels),
                "keywords": list(recipe.keywords),
                "sample_rate": SAMPLE_RATE,
                "window": SAMPLE_RATE,
                "context": recipe.frontend.samples_for(sizes.context_frames),
                "step": sizes.step_frames * recipe.frontend.hop_samples,
                "frontend": as_dict(recipe.frontend),
                "decoder": as_dict(decoder),
                "training": dict(training),
                "licence": "Apache-2.0",
            },
            [WINDOW_NETWORK, STREAM_NETWORK],
        )
        figures = agreement(trained, Model.open(folder))
        if out.exists():
            old = Path(scratch) / "old"
            out.rename(old)
        shutil.move(folder, out)
    return figures


def agreement(trained: keras.Model, model: Model) -> dict[str, float]:
    """Greatest differences between Keras and the files, loaded again; a ModelError beyond 1e-4 or where not finite."""
    rng = np.random.default_rng(0)
    context, bins = model.context_frames, model.frontend.bins
    # Log-mel values as they come, quiet and loud, and moving.
    frames = (rng.normal(-4.0, 4.0, (context + 40, bins)) + 3.0 * np.sin(np.arange(context + 40) / 9)[:, None]).astype(
        np.float32
    )
    wanted = np.asarray(keras.ops.softmax(trained.predict_on_batch(frames[None])))[0]
    found = {"window": _window_difference(model, frames, wanted, context)}
    for hop_ms in _HOPS_MS:
        hop = hop_ms * SAMPLE_RATE // 1_000
        if hop % model.step == 0:
            found[f"stream_{hop_ms}_ms"] = _stream_difference(model, frames, wanted, hop)
    for name, value in found.items():
        if value > AGREEMENT:
            raise ModelError(f"the exported {name} form differs from Keras by {value:.2g}; the export is not kept")
    return found


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


def _convert(model: keras.Model) -> bytes:
    import tensorflow as tf

    # `from_concrete_functions` was seen to lose the weights without a word.
    with _quiet():
        return bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The converter prints every variable on stdout; send that nowhere."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        yield
