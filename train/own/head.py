"""The head of one own word: a line over a window of embeddings, fitted against the bank of background.

Positives are the windows that the head itself likes best near the end of each copy of the utterance;
negatives are some of the bank, and then, round after round, what of the bank scores highest (hard negatives).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from train.own.logistic import fit_logistic
from train.own.windows import NEVER, Laid, Line

_TINY: Final = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadFit:
    """How a head is fitted.

    penalty : of the squares of the weights of standardised features
    first, hard : windows of the bank to begin with, and added by each round
    """

    penalty: float = 1e-2
    first: int = 8_000
    hard: int = 8_000
    rounds: int = 3
    iterations: int = 40  # of the last round; the others take half


def fit_line(
    blocks: Floats,
    window: int,
    background: Laid,
    others: Floats,
    others_weight: Floats,
    settings: HeadFit,
    rng: np.random.Generator,
) -> Line:
    """Fit one word's score.

    Parameters
    ----------
    blocks : float32, shape (copies, embeddings, size)
        Embeddings around the end of each copy of the utterance; one of the windows in each is a positive.
    background : Laid
        Where negatives are looked for.
    others : float32, shape (n, window * size)
        Windows that are negatives at any rate: other own words, parts of this one.
    others_weight : float32, shape (n,)
        How much each counts, where a window of the bank counts 1.

    Returns
    -------
    Line
        Positive where the word is likelier than not, if both were as frequent.
    """
    ends = background.ends(window)
    chosen = rng.choice(ends, min(settings.first, len(ends)), replace=False)
    some = background.windows(chosen, window)
    mean, scale = some.mean(axis=0), some.std(axis=0) + np.float32(_TINY)
    place = np.full(len(blocks), (blocks.shape[1] - window) // 2 + 1)
    found: npt.NDArray[np.float64] | None = None
    for turn in range(settings.rounds + 1):
        positives = at_places(blocks, place, window)
        features = np.concatenate((positives, background.windows(chosen, window), others))
        features -= mean
        features /= scale
        positive = np.arange(len(features)) < len(positives)
        weights = np.ones(len(features), np.float32)
        weights[len(features) - len(others) :] = others_weight
        weights[positive] = weights[~positive].sum() / len(positives)
        last = turn == settings.rounds
        found = fit_logistic(
            features,
            positive,
            weights,
            penalty=settings.penalty,
            start=found,
            iterations=settings.iterations if last else settings.iterations // 2,
        )
        line = _line(found, mean, scale, window)
        if not last:
            chosen = np.union1d(chosen, _highest(line.scores(background), settings.hard))
            place = place_scores(blocks, line).argmax(axis=1)
    return line


def at_places(blocks: Floats, place: npt.NDArray[np.intp], window: int) -> Floats:
    """The windows at these places of the blocks, shape (blocks, window * size)."""
    rows = np.arange(len(blocks))[:, None]
    chosen = blocks[rows, place[:, None] + np.arange(window)]
    return np.asarray(chosen.reshape(len(blocks), -1), np.float32)


def place_scores(blocks: Floats, line: Line) -> Floats:
    """Scores of all windows of the blocks, shape (blocks, places)."""
    places = blocks.shape[1] - line.window + 1
    columns = [line.of_windows(blocks[:, at : at + line.window].reshape(len(blocks), -1)) for at in range(places)]
    return np.stack(columns, axis=1)


def _highest(scores: Floats, count: int) -> npt.NDArray[np.intp]:
    count = min(count, len(scores))
    found = np.argpartition(-scores, count - 1)[:count]
    return found[scores[found] > NEVER]


def _line(found: npt.NDArray[np.float64], mean: Floats, scale: Floats, window: int) -> Line:
    weights = found[:-1] / scale
    return Line(weights.reshape(window, -1).astype(np.float32), float(found[-1] - weights @ mean))
