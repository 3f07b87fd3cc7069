"""The way of TensorFlow's audio tutorial: one-second clips as they are, their words as the only labels.

Source: tensorflow.org/tutorials/audio/simple_audio. Adam, batches of 64, at most 10 epochs, stopped when
the validation loss has not fallen for two; no augmentation, no other words, no silence. Two things
differ, so that its figures compare: the split is by speaker, and the eight words have all their clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.frontend import Frontend
from spotter.manifest import WINDOW_NETWORK, write_manifest
from spotter.settings import SAMPLE_RATE, TUTORIAL, DecoderConfig, FrontendConfig, as_dict
from train.bank import read
from train.data import Row, Split
from train.networks.tutorial import Tutorial
from train.progress import track
from train.recipe import COMMANDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """The tutorial's settings."""

    keywords: tuple[str, ...] = COMMANDS
    seed: int = 0
    epochs: int = 10
    patience: int = 2  # epochs
    batch: int = 64
    network: Tutorial = field(default_factory=Tutorial)
    frontend: FrontendConfig = TUTORIAL

    @property
    def context(self) -> int:
        """Samples of a window: a second less one, 124 whole frames."""
        return self.frontend.samples_for(self.network.context_frames)


@dataclass(frozen=True, slots=True)
class Clips:
    """Frames (clips, 124, 129) float32 and the position of each clip's word among the keywords."""

    frames: Floats
    labels: npt.NDArray[np.int32]


def whole_second(samples: Floats, context: int) -> Floats:
    """Cut a clip to the window, or add zeros at its end, as the tutorial does."""
    out = np.zeros(context, np.float32)
    out[: len(samples)] = samples[:context]
    return out


def load(rows: Sequence[Row], settings: Plain, split: Split) -> Clips:
    """Compute the frames of the keywords' clips on one side of the split; 64 KB each."""
    mine = [r for r in rows if r.word in settings.keywords and r.split == split]
    missing = set(settings.keywords) - {r.word for r in mine}
    if missing:
        raise BadInputError(f"no {split} clips of {min(missing)!r}; give a folder that has some, or other keywords")
    frontend = Frontend(settings.frontend)
    frames = np.empty((len(mine), settings.network.context_frames, settings.frontend.bins), np.float32)
    for at, row in enumerate(track(mine, total=len(mine), what=f"spectrograms, {split}")):
        frames[at] = frontend(whole_second(read(row.path), settings.context))
    return Clips(frames, np.array([settings.keywords.index(r.word) for r in mine], np.int32))


def fit(settings: Plain, training: Clips, validation: Clips, folder: Path) -> keras.Model:
    """Train as the tutorial does, the weights of the last epoch kept; `folder` gets history.csv and them."""
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(settings.seed)
    model = settings.network.build(None, settings.frontend.bins, len(settings.keywords))
    model.get_layer("normalise").adapt(training.frames[..., np.newaxis])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(
        training.frames,
        training.labels[:, np.newaxis],
        validation_data=(validation.frames, validation.labels[:, np.newaxis]),
        batch_size=settings.batch,
        epochs=settings.epochs,
        callbacks=[
            keras.callbacks.EarlyStopping(patience=settings.patience),
            keras.callbacks.CSVLogger(str(folder / "history.csv")),
        ],
        verbose=2,
    )
    model.save_weights(folder / "last.weights.h5")
    return model


def export(settings: Plain, trained: keras.Model, out: Path, training: Mapping[str, Any]) -> None:
    """Write a model folder whose labels are the keywords alone: whatever it hears, it calls one of them."""
    from train.export import convert

    out.mkdir(parents=True, exist_ok=True)
    (out / WINDOW_NETWORK).write_bytes(convert(settings.network.inference(trained)))
    values = {
        "name": out.name,
        "labels": list(settings.keywords),
        "keywords": list(settings.keywords),
        "sample_rate": SAMPLE_RATE,
        "window": settings.context,
        "context": settings.context,
        "step": settings.network.step_frames * settings.frontend.hop_samples,
        "frontend": as_dict(settings.frontend),
        "decoder": as_dict(DecoderConfig()),
        "training": dict(training),
        "licence": "Apache-2.0",
    }
    write_manifest(out, values, [WINDOW_NETWORK])
