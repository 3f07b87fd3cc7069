"""Mixup (Zhang et al. 2018) where labels are sets that may be given: two sequences sound at once.

Band powers add, so a second sequence is laid under the first so many decibels below it. When the
first is 10 dB louder its labels stay, as with any noise. Otherwise the loss ought to be the mean of
both label sets' losses, each by its share of the power; here that mean is taken in expectation: the
sequence keeps one of the two sets, drawn by these shares. The loss and the batch need to know nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats

CLEAR_DB = 10.0  # a sequence so much louder than the other keeps its labels
_DEEPEST_DB = 20.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What was drawn, one row per sequence that is mixed.

    rows, partners : intp, positions in the batch; a partner may be a row too
    below_db : float64, how far the partner lies below the row, in mean power
    partners_labels : bool, the row takes its partner's labels
    """

    rows: npt.NDArray[np.intp]
    partners: npt.NDArray[np.intp]
    below_db: npt.NDArray[np.float64]
    partners_labels: npt.NDArray[np.bool_]


def share_of_partner(below_db: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weight of the partner's labels in the loss: its share of the power, none when 10 dB below."""
    return np.where(below_db >= CLEAR_DB, 0.0, 1.0 / (1.0 + 10.0 ** (below_db / 10.0)))


def draw_mixup(rng: np.random.Generator, n: int, *, share: float) -> Plan:
    """Mix `share` of `n` sequences, each with another one that lies 0 to 20 dB below it."""
    rows = np.flatnonzero(rng.random(n) < share) if n > 1 else np.empty(0, np.intp)
    partners = (rows + rng.integers(1, max(2, n), len(rows))) % n
    below_db = rng.uniform(0.0, _DEEPEST_DB, len(rows))
    return Plan(rows, partners, below_db, rng.random(len(rows)) < share_of_partner(below_db))


def blend(power: Floats, codes: npt.NDArray[np.intp], plan: Plan) -> None:
    """Lay the partners under the rows, in place.

    Parameters
    ----------
    power : float32, shape (n, frames, bins)
        Band powers.
    codes : intp, shape (n, outputs)
        Which set of labels each output may give.
    """
    mean = power.sum(axis=2).mean(axis=1, dtype=np.float64)
    gain = mean[plan.rows] * 10.0 ** (-plan.below_db / 10.0) / np.maximum(mean[plan.partners], 1e-12)
    laid = power[plan.partners] * gain.astype(np.float32)[:, None, None]  # a copy, from before any mixing
    labels = codes[plan.partners]
    power[plan.rows] += laid
    codes[plan.rows] = np.where(plan.partners_labels[:, None], labels, codes[plan.rows])
