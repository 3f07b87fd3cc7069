"""A network's stream form: new frames and the state so far in, scores and the next state out.

The state is passed along, so forms of different sizes may take turns on one stream.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import numpy as np

from spotter.arrays import Floats
from spotter.network import Network

_FRAMES_RANK: Final = 3  # (1, frames, bins) and (1, n, labels); the state has rank 2


class StreamForm:
    """A stream form with a fixed number of frames a call; keeps nothing between calls.

    Attributes
    ----------
    frames : int
        How many a call takes.
    silence : float32, shape (1, S)
        The state before anything was heard.
    """

    def __init__(self, network: Network, frames: int) -> None:
        self.frames = frames
        self._network = network
        self._frames_first = len(network.shapes.inputs[0]) == _FRAMES_RANK
        self._scores_first = len(network.shapes.outputs[0]) == _FRAMES_RANK
        of_frames, of_state = network.shapes.inputs if self._frames_first else network.shapes.inputs[::-1]
        self.bins = of_frames[2]
        self.silence: Floats = np.zeros(of_state, np.float32)

    def advance(self, frames: Floats, state: Floats) -> tuple[Floats, Floats]:
        """Return the scores of every step, shape (steps, labels), and the next state.

        Parameters
        ----------
        frames : float32, shape (frames, bins)
            What follows the frames that led to `state`.
        state : float32, shape (1, S)
            As an earlier call gave it, or `silence`; it is not changed.
        """
        chunk = frames[np.newaxis]
        if self._frames_first:
            first, second = self._network.run(chunk, state)
        else:
            first, second = self._network.run(state, chunk)
        return (first[0], second) if self._scores_first else (second[0], first)


class ManyHops:
    """The same network over many hops in one call, for audio that waits; shared by all streams of a model.

    It is opened when a stream first has so much, and then tried against hop by hop, on that machine: unless
    scores and state are the same to the bit it is never used, since how audio arrives must not change a score.

    Parameters
    ----------
    open_network : callable
        Opens the stream form's network for so many frames a call.
    hop_frames, hops : int
        Frames of a hop, and hops of a call.
    """

    def __init__(self, open_network: Callable[[int], Network], hop_frames: int, hops: int) -> None:
        self.frames = hops * hop_frames
        self._open_network = open_network
        self._opening = threading.Lock()
        self._form: StreamForm | None = None
        self._tried = False

    def form(self, one_hop: StreamForm) -> StreamForm | None:
        """Return the form for many hops; None where it does not give the bits of `one_hop`."""
        if not self._tried:
            with self._opening:
                if not self._tried:
                    form = StreamForm(Shared(self._open_network(self.frames)), self.frames)
                    self._form = form if same_bits(one_hop, form) else None
                    self._tried = True
        return self._form


def same_bits(one_hop: StreamForm, many: StreamForm) -> bool:
    """Whether two sizes of a network give the same scores and the same state, to the bit.

    Frames and state are drawn: in which order sums are made does not depend on the numbers, and each of
    the state's thousands shows it.
    """
    rng = np.random.default_rng(0)
    frames = rng.normal(-4.0, 4.0, (many.frames, many.bins)).astype(np.float32)  # as log-mel bands are
    state = rng.normal(0.0, 1.0, many.silence.shape).astype(np.float32)
    wanted, end = many.advance(frames, state)
    for at in range(0, many.frames, one_hop.frames):
        scores, state = one_hop.advance(frames[at : at + one_hop.frames], state)
        first = at // one_hop.frames * len(scores)
        if not np.array_equal(scores, wanted[first : first + len(scores)]):
            return False
    return np.array_equal(state, end)


class Shared:
    """A network that any number of threads may use, one of which works at a time."""

    def __init__(self, network: Network) -> None:
        self.shapes = network.shapes
        self._network = network
        self._working = threading.Lock()

    def run(self, *inputs: Floats) -> tuple[Floats, ...]:
        """Compute the outputs."""
        with self._working:
            return self._network.run(*inputs)
