"""A small head on a window of embeddings: dense layers, softmax; as a file of plain arrays."""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from spotter.arrays import Floats
from spotter.errors import ModelError
from spotter.tflite import Array

_MOST_LAYERS = 4
_AGAIN = "fit the model again"


@dataclass(frozen=True, slots=True)
class Head:
    """From a window of embeddings to scores.

    layers : weights, shape (inputs, outputs), and bias, shape (outputs,), of each; rectified between them
    """

    layers: tuple[tuple[Floats, Floats], ...]

    @property
    def inputs(self) -> int:
        """Numbers in a window of embeddings."""
        return len(self.layers[0][0])

    @property
    def labels(self) -> int:
        """How many scores."""
        return len(self.layers[-1][1])

    def __call__(self, window: Floats) -> Floats:
        """Score one window, shape (inputs,), the oldest embedding first; softmax scores, shape (labels,)."""
        x = window
        for number, (weights, bias) in enumerate(self.layers):
            if number:
                x = np.maximum(x, np.float32(0))
            x = x @ weights  # of one row: sums in the same order however many windows wait
            x += bias
        scores: Floats = np.exp(x - x.max())
        scores /= scores.sum()
        return scores


def pack_head(mean: Array, scale: Array, layers: Sequence[tuple[Array, Array]]) -> bytes:
    """Lay out the file: `mean` and `scale`, shape (inputs,), of what the first layer takes, and the layers."""
    arrays = {"mean": mean, "scale": scale}
    for number, (weights, bias) in enumerate(layers):
        arrays |= {f"w{number}": weights, f"b{number}": bias}
    out = io.BytesIO()
    np.savez(out, **cast("dict[str, Any]", {name: np.asarray(value, np.float32) for name, value in arrays.items()}))
    return out.getvalue()


def read_head(data: bytes) -> Head:
    """Read the file, with the standardisation folded into the first layer; `ModelError` where it is none."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name], np.float32) for name in file.files}
        mean, scale = arrays["mean"], arrays["scale"]
        layers = [(arrays[f"w{n}"], arrays[f"b{n}"]) for n in range(_MOST_LAYERS) if f"w{n}" in arrays]
        weights, bias = layers[0]
        folded = weights / scale[:, None]
        layers[0] = (np.ascontiguousarray(folded), bias - mean @ folded)
        shapes = [(w.shape, b.shape) for w, b in layers]
        fits = all(len(w) == 2 and w[1:] == b for w, b in shapes)
        joined = all(a[0][1] == b[0][0] for a, b in itertools.pairwise(shapes))
        finite = all(np.isfinite(w).all() and np.isfinite(b).all() for w, b in layers)
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as problem:
        raise ModelError(f"the head is no readable file of arrays ({problem}); {_AGAIN}") from problem
    if not (fits and joined and finite and mean.shape == scale.shape):
        raise ModelError(f"the head's layers {shapes} do not follow one another, or are not finite; {_AGAIN}")
    return Head(tuple(layers))
