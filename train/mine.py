"""Running speech that fools a network while it is being trained: where it hears keywords that are not there.

Training goes on with what is found here among its sequences; one round cuts false accepts by
about three at equal recall. Copies with other colours, speeds, levels and noise, made of the band
powers, find more in the same speech. `train.mine_recordings` does it with a finished model, in samples.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spotter.arrays import Floats
from train.augment import colour
from train.augment.noise import draw_synthetic
from train.networks import network
from train.pools import FULL_SCALE, Ints, Pools
from train.progress import track
from train.recipe import Recipe

if TYPE_CHECKING:
    import keras

_CHUNK = 3_000  # frames judged at once
_LEVEL_DBFS = -25.0
_CLOSE = 25  # outputs; hits nearer than that are one
_RATES, _LEVELS_DBFS, _SNRS_DB = (0.9, 1.1), (-45.0, -15.0), (3.0, 25.0)  # of the copies
_WARPED, _NOISY = 0.5, 0.6  # shares of the copies' chunks


def mine(
    model: keras.Model,
    pools: Pools,
    keywords: list[int],
    *,
    context: int,
    stride: int,
    length: int,
    least: float = 0.2,
    copies: int = 0,
    seed: int = 0,
) -> Ints:
    """First frames (in `pools.frames`) of sequences of `length` frames whose middle scored a keyword `least` or more.

    keywords : positions of the keywords among the model's outputs
    copies : how often the speech is heard once more, augmented; the places are those of the plain speech
    """
    found: list[int] = []
    for copy in range(copies + 1):
        rng = np.random.default_rng([seed, copy]) if copy else None
        places: list[int] = []
        what = f"mining speech, copy {copy}" if copy else "mining speech"
        for start, total in track(pools.speech.tolist(), total=len(pools.speech), what=what):
            for first, rate, power in _pieces(rng, pools, start, total, context):
                level_dbfs = rng.uniform(*_LEVELS_DBFS) if rng else _LEVEL_DBFS
                score = _scores(model, power, context, stride, level_dbfs)[:, keywords].max(axis=1)
                last = -_CLOSE
                for output in np.flatnonzero(score >= least).tolist():
                    if output - last >= _CLOSE:
                        end = round((output * stride + context) * rate)  # of the window, in plain speech
                        places.append(first + end - context - (length - context) // 2)
                        last = output
        found = _union(found, places, _CLOSE * stride) if copy else places
    return np.asarray(found, np.intp)


def _pieces(
    rng: np.random.Generator | None, pools: Pools, start: int, total: int, context: int
) -> Iterator[tuple[int, float, Floats]]:
    """Cut a stretch of speech into (first frame, rate, band powers), plain or as the generator draws them."""
    at = 0
    while at < total:
        rate = rng.uniform(*_RATES) if rng else 1.0
        power = pools.frames[start + at : start + min(total, at + int((_CHUNK + context) * rate))]
        if rng:
            power = _augmented(rng, pools, power, rate)
        if len(power) >= context:
            yield start + at, rate, power
        at += int(_CHUNK * rate)


def _augmented(rng: np.random.Generator, pools: Pools, power: Floats, rate: float) -> Floats:
    """Other speed, vocal tract and microphone, and mostly noise."""
    position = np.arange(0.0, len(power) - 1, rate)
    index = position.astype(np.intp)
    share = (position - index).astype(np.float32)[:, None]
    out = power[index] * (1 - share) + power[index + 1] * share
    n, bins = out.shape
    if not n:
        return out
    if rng.random() < _WARPED:
        out = out @ colour.warps(bins, np.asarray([rng.uniform(0.88, 1.14)], np.float32))[0]
    if rng.random() < _NOISY:
        sound = _noise(rng, pools, n)
        gain = out.sum() * 10.0 ** (-rng.uniform(*_SNRS_DB) / 10.0) / (sound.sum() + 1e-9)
        out = out + sound * np.float32(gain)
    return np.asarray(out * colour.draw_gains(rng, 1, bins)[0], np.float32)


def _noise(rng: np.random.Generator, pools: Pools, n: int) -> Floats:
    """So many frames of a recording, repeated where it is too short, or of made-up noise."""
    if not len(pools.noise) or rng.random() < 0.4:
        return np.asarray(draw_synthetic(rng, 1, n, pools.frames.shape[1])[0])
    start, length = pools.noise[rng.choice(len(pools.noise), p=pools.noise[:, 1] / pools.noise[:, 1].sum())]
    return np.asarray(pools.frames[start + (rng.integers(length) + np.arange(n)) % length])


def _union(kept: list[int], more: list[int], close: int) -> list[int]:
    """Add those of `more` that are not nearer than `close` to one that is there."""
    out = sorted(kept)
    for place in more:
        at = bisect.bisect_left(out, place)
        if all(abs(place - other) >= close for other in out[max(0, at - 1) : at + 1]):
            out.insert(at, place)
    return out


def _scores(model: keras.Model, power: Floats, context: int, stride: int, level_dbfs: float) -> Floats:
    """Softmax, shape (outputs, labels); the level is brought to where speech mostly is."""
    level = FULL_SCALE * 10 ** (level_dbfs / 10) / (np.percentile(power.sum(axis=1), 90) + 1e-9)
    frames = np.full((_CHUNK + context, power.shape[1]), np.log(np.float32(1e-6)), np.float32)  # one shape, one graph
    frames[: len(power)] = np.log(power * np.float32(level) + np.float32(1e-6))
    logits = np.asarray(model.predict_on_batch(frames[None]))[0][: (len(power) - context) // stride + 1]
    scores = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(scores / scores.sum(axis=1, keepdims=True), np.float32)


def mine_round(model: keras.Model, recipe: Recipe, training: Pools, path: Path, copies: int = 0) -> Ints:
    """Mine the training speech with a model, or read what an earlier run found in the same recordings.

    copies : augmented hearings of the same speech besides the plain one, drawn from the recipe's seed
    """
    if path.exists():
        kept = np.load(path)
        made_with = int(kept["copies"]) if "copies" in kept else 0
        if kept["frames"] == len(training.frames) and made_with == copies:
            return np.asarray(kept["found"], np.intp)
    sizes = network(recipe.network, recipe.network_options)
    found = mine(
        model,
        training,
        [recipe.labels.index(k) for k in recipe.keywords],
        context=sizes.context_frames,
        stride=sizes.step_frames,
        length=sizes.context_frames + sizes.step_frames * (recipe.outputs - 1),
        copies=copies,
        seed=recipe.seed,
    )
    print(f"mined {len(found)} places where a keyword was heard in speech that has none", flush=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, found=found, frames=len(training.frames), copies=copies)
    part.replace(path)
    return found
