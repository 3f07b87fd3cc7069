"""How much an exported network's scores differ from Keras's on real windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spotter.arrays import Floats
from spotter.errors import ModelError
from spotter.model import Model

INT8_MEAN = 0.05  # the most that whole numbers may change a score on average


def compare(got: Floats, wanted: Floats) -> dict[str, Any]:
    """Differences of scores, shape (windows, labels), and in what share of the windows the same label wins.

    Numbers that are not finite make the differences infinite, since `max` passes over NaN.
    """
    finite = bool(np.isfinite(got).all() and np.isfinite(wanted).all())
    difference = np.abs(got - wanted) if finite else np.full(got.shape, np.inf)
    return {
        "windows": len(got),
        "largest": float(difference.max()),
        "mean": float(difference.mean()),
        "same_label": float(np.mean(got.argmax(axis=1) == wanted.argmax(axis=1))),
    }


def scores_of(model: Model, windows: Floats) -> Floats:
    """Scores of windows, float32, shape (windows, labels); windows has shape (windows, context_frames, bins)."""
    scorer = model.window_scorer()
    return np.stack([scorer.score(frames, len(frames)).copy() for frames in windows])


def check_int8(found: Mapping[str, Any]) -> None:
    """Refuse a whole-number network that is far from the one that was trained."""
    if found["mean"] > INT8_MEAN:
        raise ModelError(
            f"the whole-number form differs from Keras by {found['mean']:.2g} on average; the export is not kept: "
            "give more windows, or windows more like what it will hear"
        )


def lines(parity: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line per form."""
    return [
        f"{form} against Keras on {p['windows']} real windows: largest difference {p['largest']:.1e}, "
        f"mean {p['mean']:.1e}, the same label wins in {p['same_label']:.1%}"
        for form, p in parity.items()
    ]
