"""Logistic regression with a penalty, by L-BFGS (Liu and Nocedal 1989), in float32 where it matters."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from spotter.arrays import Floats


def fit_logistic(
    features: Floats,
    positive: npt.NDArray[np.bool_],
    weights: Floats,
    *,
    penalty: float,
    start: npt.NDArray[np.float64] | None = None,
    iterations: int = 60,
) -> npt.NDArray[np.float64]:
    """Weights and, last, the bias, float64, shape (features + 1,).

    Minimises the weighted mean of log(1 + exp(-margin)) plus `penalty` / 2 times the weights' squares.

    Parameters
    ----------
    features : float32, shape (n, features)
        Standardised; the penalty takes all of them alike.
    positive : bool, shape (n,)
    weights : float32, shape (n,)
        How much each example counts.
    start : float64, shape (features + 1,)
        Where to begin.
    """
    width = features.shape[1]
    sign = np.where(positive, np.float32(1), np.float32(-1))
    share = (weights / weights.sum()).astype(np.float32)

    def loss(at: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[Any]]:
        line = at[:width].astype(np.float32)
        margin = (features @ line + np.float32(at[width])) * sign
        pull = -sign * share / (1.0 + np.exp(np.minimum(margin, np.float32(60))))
        value = float(share @ np.logaddexp(np.float32(0), -margin)) + penalty / 2 * float(at[:width] @ at[:width])
        gradient = np.empty(width + 1)
        gradient[:width] = pull @ features
        gradient[:width] += penalty * at[:width]
        gradient[width] = pull.sum()
        return value, gradient

    begin = np.zeros(width + 1) if start is None else start
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", options={"maxiter": iterations, "maxcor": 20})
    return np.asarray(found.x, np.float64)
