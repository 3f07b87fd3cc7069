"""What tells speakers apart: a linear discriminant analysis (Fisher 1936) on the features of `spotter.voice`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spotter.arrays import Floats
from spotter.tflite import Array


def discriminants(found: Array, speakers: Sequence[str], directions: int) -> tuple[Floats, Floats]:
    """Directions in which speakers differ most, measured by how much one speaker varies.

    Parameters
    ----------
    found : shape (n, features)
    speakers : of each row
    directions : how many

    Returns
    -------
    center, basis : float32, shapes (features,) and (features, directions)
    """
    names, which = np.unique(np.asarray(speakers), return_inverse=True)
    counts = np.bincount(which).astype(float)
    means = np.stack([np.bincount(which, found[:, n]) for n in range(found.shape[1])], 1) / counts[:, None]
    inside = found - means[which]
    within = inside.T @ inside / max(1, len(found) - len(names)) + 1e-6 * np.eye(found.shape[1])
    center = means.mean(0)
    # Of few recordings a speaker's mean varies by itself; that is no difference between speakers.
    between = np.cov(means.T) - within * (1.0 / counts).mean()
    values, vectors = np.linalg.eigh(within)
    white = vectors / np.sqrt(values)
    strength, turned = np.linalg.eigh(white.T @ between @ white)
    best = np.argsort(strength)[::-1][:directions]
    # Each by the square root of its strength: what tells more counts more in the cosine.
    basis = (
        white @ turned[:, best] * np.sqrt(np.maximum(strength[best], 1e-9) / (1.0 + np.maximum(strength[best], 0.0)))
    )
    return center.astype(np.float32), basis.astype(np.float32)


def equal_error(same: Array, other: Array) -> tuple[float, float]:
    """Return the error where as many of the same speaker are refused as of others pass, and its threshold."""
    points = np.sort(np.concatenate((same, other)))
    refused = np.searchsorted(np.sort(same), points) / len(same)
    passed = 1.0 - np.searchsorted(np.sort(other), points) / len(other)
    at = int(np.argmin(np.abs(refused - passed)))
    return float((refused[at] + passed[at]) / 2), float(points[at])
