"""Running speech that fools a model: where it hears keywords that are not there.

Training goes on with what is found here among its sequences; one round cuts false accepts by
about three at equal recall.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from spotter.arrays import Floats
from train.networks import network
from train.pools import FULL_SCALE, Ints, Pools
from train.progress import track
from train.recipe import Recipe

_CHUNK = 3_000  # frames judged at once
_LEVEL_DBFS = -25.0
_CLOSE = 25  # outputs; hits nearer than that are one


def mine(
    model: keras.Model,
    pools: Pools,
    keywords: list[int],
    *,
    context: int,
    stride: int,
    length: int,
    least: float = 0.2,
) -> Ints:
    """First frames (in `pools.frames`) of sequences of `length` frames whose middle scored a keyword `least` or more.

    keywords : positions of the keywords among the model's outputs
    """
    found = []
    for start, total in track(pools.speech.tolist(), total=len(pools.speech), what="mining speech"):
        for at in range(0, total, _CHUNK):
            frames = pools.frames[start + at : start + min(total, at + _CHUNK + context)]
            if len(frames) < context:
                continue
            score = _scores(model, frames, context, stride)[:, keywords].max(axis=1)
            last = -_CLOSE
            for output in np.flatnonzero(score >= least):
                if output - last >= _CLOSE:
                    found.append(start + at + int(output) * stride - (length - context) // 2)
                    last = int(output)
    return np.asarray(found, np.intp)


def _scores(model: keras.Model, power: Floats, context: int, stride: int) -> Floats:
    """Softmax, shape (outputs, labels); the level is brought to where speech mostly is."""
    level = FULL_SCALE * 10 ** (_LEVEL_DBFS / 10) / (np.percentile(power.sum(axis=1), 90) + 1e-9)
    frames = np.full((_CHUNK + context, power.shape[1]), np.log(np.float32(1e-6)), np.float32)  # one shape, one graph
    frames[: len(power)] = np.log(power * np.float32(level) + np.float32(1e-6))
    logits = np.asarray(model.predict_on_batch(frames[None]))[0][: (len(power) - context) // stride + 1]
    scores = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(scores / scores.sum(axis=1, keepdims=True), np.float32)


def mine_round(model: keras.Model, recipe: Recipe, training: Pools, path: Path) -> Ints:
    """Mine the training speech with a model, or read what an earlier run found in the same recordings."""
    if path.exists():
        kept = np.load(path)
        if kept["frames"] == len(training.frames):
            return np.asarray(kept["found"], np.intp)
    sizes = network(recipe.network, recipe.network_options)
    keywords = [recipe.labels.index(k) for k in recipe.keywords]
    length = sizes.context_frames + sizes.step_frames * (recipe.outputs - 1)
    found = mine(model, training, keywords, context=sizes.context_frames, stride=sizes.step_frames, length=length)
    print(f"mined {len(found)} places where a keyword was heard in speech that has none", flush=True)
    np.savez(path, found=found, frames=len(training.frames))
    return found
