"""Whether a word was said by the one who recorded it: an option, and no proof of identity.

The loud frames of a window give the mean and the spread of their cepstra; a linear discriminant analysis
over many speakers (Fisher 1936; fitted by `python -m train voices`) keeps what tells speakers apart, and the
cosine to the owner's recordings decides. Somebody with a like voice, or a recording, passes.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spotter.arrays import Floats
from spotter.errors import ModelError
from spotter.settings import FrontendConfig
from spotter.tflite import Array

CEPSTRA: Final = 20
_LOUD_DB: Final = 25.0  # under the loudest frame
_FEWEST: Final = 10  # loud frames; of fewer nothing is said
_AGAIN: Final = "fit the model again"


def features(frames: Floats, config: FrontendConfig) -> Floats:
    """Mean and spread of the cepstra of a window's loud frames.

    Parameters
    ----------
    frames : float32, shape (frames, bins)
        Log-mel frames.

    Returns
    -------
    float32, shape (2 x CEPSTRA,); zeros where there is too little that is loud
    """
    power_log = (frames[:, : config.own_bins] - config.offset) / config.gain
    loud = power_log.max(axis=1)
    held = power_log[loud > loud.max() - _LOUD_DB * np.log(10.0) / 10.0]
    if len(held) < _FEWEST:
        return np.zeros(2 * CEPSTRA, np.float32)
    cepstra = held @ _cosines(config.own_bins)
    return np.concatenate((cepstra.mean(0), cepstra.std(0))).astype(np.float32)


def _cosines(bins: int) -> Floats:
    """Cosine transform without its constant, shape (bins, CEPSTRA)."""
    at = np.arange(bins)[:, None] + 0.5
    table: Floats = np.cos(np.pi * at * np.arange(1, CEPSTRA + 1) / bins) * np.sqrt(2.0 / bins)
    return table


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """The owner's voice.

    center, basis : shapes (2 x CEPSTRA,) and (2 x CEPSTRA, d), of the discriminant analysis
    owner : shape (d,), of length 1
    threshold : cosine from which a voice passes
    """

    center: Floats
    basis: Floats
    owner: Floats
    threshold: float

    def likeness(self, frames: Floats, config: FrontendConfig) -> float:
        """Cosine between a window's voice and the owner's, -1 to 1."""
        return float(project(features(frames, config), self.center, self.basis) @ self.owner)

    def passes(self, frames: Floats, config: FrontendConfig) -> bool:
        """Whether a window's voice is like enough."""
        return self.likeness(frames, config) >= self.threshold


def project(found: Array, center: Array, basis: Array) -> Floats:
    """Project features, shape (..., 2 x CEPSTRA), to directions of length 1, shape (..., d)."""
    vectors = (found - center) @ basis
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), np.float32)


def pack_voice(voice: Voice) -> bytes:
    """Lay out the file."""
    out = io.BytesIO()
    threshold = np.float32(voice.threshold)
    np.savez(out, center=voice.center, basis=voice.basis, owner=voice.owner, threshold=threshold)
    return out.getvalue()


def read_voice(data: bytes) -> Voice:
    """Read the file; `ModelError` where it is none."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays: dict[str, Any] = {name: np.asarray(file[name], np.float32) for name in file.files}
        voice = Voice(arrays["center"], arrays["basis"], arrays["owner"], float(arrays["threshold"]))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as problem:
        raise ModelError(f"the voice is no readable file of arrays ({problem}); {_AGAIN}") from problem
    if voice.basis.shape != (2 * CEPSTRA, len(voice.owner)) or voice.center.shape != (2 * CEPSTRA,):
        raise ModelError(f"the voice's arrays do not fit one another; {_AGAIN}")
    if not all(np.isfinite(v).all() for v in (voice.center, voice.basis, voice.owner, voice.threshold)):
        raise ModelError(f"the voice's numbers are not finite; {_AGAIN}")
    return voice
