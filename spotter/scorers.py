"""Scores of a stream's windows: each computed whole, or from its new frames only; both give the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.network import Network
from spotter.settings import SILENCE, UNKNOWN

_FRAMES_RANK = 3  # (1, frames, bins) and (1, n, labels); the state has rank 2


class Scorer(Protocol):
    """Scores of one stream's windows, one after the other."""

    def score(self, frames: Floats, new: int) -> Floats:
        """Score the window that ends now.

        Parameters
        ----------
        frames : float32, shape (context_frames, bins)
            All that the score depends on, the newest last.
        new : int
            How many of them came since the previous call: `context_frames` at the first call after
            `reset`, later the frames of a hop.

        Returns
        -------
        float32, shape (labels,)
            Softmax scores, valid until the next call.
        """

    def reset(self) -> None:
        """Forget the stream; the object then behaves as one just made."""


class WindowScorer:
    """Computes the whole window each time; keeps nothing between calls."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def score(self, frames: Floats, new: int) -> Floats:  # noqa: ARG002 (all frames are looked at)
        """Score the window that ends now; see `Scorer`."""
        scores: Floats = self._network.run(frames[np.newaxis])[0][0]
        return scores

    def reset(self) -> None:
        """Do nothing: there is nothing to forget."""


class StreamScorer:
    """Computes only what is new; the rest is in the state that the network hands back.

    The network takes chunks of a hop. The frames of a first window are preceded by zeros to a whole
    number of chunks; what those leave in the state never reaches a score, since nothing pads in time.
    """

    def __init__(self, network: Network, context_frames: int, hop_frames: int) -> None:
        self._network = network
        self._context_frames, self._hop_frames = context_frames, hop_frames
        self._frames_first = len(network.shapes.inputs[0]) == _FRAMES_RANK
        self._scores_first = len(network.shapes.outputs[0]) == _FRAMES_RANK
        state = network.shapes.inputs[1 if self._frames_first else 0]
        self._silence: Floats = np.zeros(state, np.float32)
        self._state = self._silence

    def score(self, frames: Floats, new: int) -> Floats:
        """Score the window that ends now; see `Scorer`."""
        hop = self._hop_frames
        missing = -new % hop
        if new < 1 or (missing and new != self._context_frames):
            raise BadInputError(f"{new} new frames; give {self._context_frames} first, then {hop} at a time")
        fresh = frames[len(frames) - new :]
        if missing:
            fresh = np.concatenate((np.zeros((missing, frames.shape[1]), np.float32), fresh))
        for at in range(0, len(fresh), hop):
            scores = self._advance(fresh[np.newaxis, at : at + hop])
        return scores

    def reset(self) -> None:
        """Forget the stream."""
        self._state = self._silence

    def _advance(self, chunk: Floats) -> Floats:
        """Feed one hop, shape (1, hop_frames, bins); return the scores of the window that ends with it."""
        inputs = (chunk, self._state) if self._frames_first else (self._state, chunk)
        first, second = self._network.run(*inputs)
        scores, self._state = (first, second) if self._scores_first else (second, first)
        last: Floats = scores[0, -1]
        return last


AFTER_S: Final = 0.6  # of silence after a short recording: words are recognised when they are over
TOGETHER_S: Final = 0.1  # scores of so long are averaged
_KEYWORD, _WORD = 0.5, 0.95  # from which score a recording is a keyword, or another word and no noise


def most_telling(scores: Floats, labels: Sequence[str], keywords: Sequence[str], smooth: int) -> Floats:
    """Scores of the moment that says most about a recording: of its best keyword, else word, else silence.

    Parameters
    ----------
    scores : float32, shape (windows, labels)
        In their order in time.
    smooth : int
        Windows whose scores are averaged.
    """
    n = len(scores) - smooth + 1
    means = np.stack([scores[i : i + smooth].mean(axis=0) for i in range(n)]) if n > 0 else scores
    wanted = [labels.index(k) for k in keywords]
    best = means[:, wanted].max(axis=1)
    column = best
    if best.max() < _KEYWORD:
        unknown = means[:, labels.index(UNKNOWN)] if UNKNOWN in labels else None
        if unknown is not None and unknown.max() >= _WORD:
            column = unknown
        elif SILENCE in labels:
            column = means[:, labels.index(SILENCE)]
    row: Floats = means[int(column.argmax())]
    return row
