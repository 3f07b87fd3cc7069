"""Scores of a stream's windows: each computed whole, or from its new frames only; both give the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.network import Network
from spotter.settings import SILENCE, UNKNOWN
from spotter.stream_form import ManyHops, StreamForm


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

    Frames go through in hops, or in many hops at once where so many wait: both give the same bits. The
    frames of a first window are preceded by zeros to whole hops; what those leave in the state never
    reaches a score, since nothing pads in time.

    Parameters
    ----------
    one_hop : StreamForm
        The network for a hop's frames, this scorer's own.
    context_frames : int
        Frames that a score depends on.
    many : ManyHops, optional
        The network for many hops, which scorers may share.
    """

    def __init__(self, one_hop: StreamForm, context_frames: int, many: ManyHops | None = None) -> None:
        self._one_hop, self._many = one_hop, many
        self._context_frames, self._hop_frames = context_frames, one_hop.frames
        self._state = one_hop.silence

    def score(self, frames: Floats, new: int) -> Floats:
        """Score the window that ends now; see `Scorer`."""
        if new == self._hop_frames:
            scores, self._state = self._one_hop.advance(frames[-new:], self._state)
            last: Floats = scores[-1]
            return last
        if new != self._context_frames:
            raise BadInputError(
                f"{new} new frames; give {self._context_frames} first, then {self._hop_frames} at a time"
            )
        fresh = frames[len(frames) - new :]
        if missing := -new % self._hop_frames:
            fresh = np.concatenate((np.zeros((missing, frames.shape[1]), np.float32), fresh))
        newest: Floats = self._advance(fresh)[-1]
        return newest

    def score_hops(self, frames: Floats, hops: int) -> Floats:
        """Score the windows of the last so many hops, after a first `score`.

        Parameters
        ----------
        frames : float32, shape (n, bins)
            The last of them are what came since the previous call.
        hops : int
            How many hops these are.

        Returns
        -------
        float32, shape (hops, labels)
            Of each window in turn, what `score` would give.
        """
        return self._advance(frames[len(frames) - hops * self._hop_frames :])

    def reset(self) -> None:
        """Forget the stream."""
        self._state = self._one_hop.silence

    def _advance(self, fresh: Floats) -> Floats:
        """Feed whole hops; return the scores of each, shape (hops, labels)."""
        rows, at = [], 0
        while at < len(fresh):
            form = self._one_hop
            if self._many is not None and len(fresh) - at >= self._many.frames:
                form = self._many.form(form) or form
            scores, self._state = form.advance(fresh[at : at + form.frames], self._state)
            steps = len(scores) * self._hop_frames // form.frames
            rows.append(scores[steps - 1 :: steps])
            at += form.frames
        return np.concatenate(rows)


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
