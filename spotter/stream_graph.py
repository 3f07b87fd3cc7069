"""A convolutional network that never pads in time, as a stream: its new frames in, what it kept, and what follows.

An embedding of many frames is computed anew for every few of them wherever it is used as it was published.
Nothing in it needs that: each convolution over time keeps the rows that its next outputs still see, and only new
rows are computed. The numbers are those of the whole window.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spotter.errors import ModelError
from spotter.tflite import Array, Graph, Operator, Tensor

_ELEMENTWISE = ("LEAKY_RELU", "MAXIMUM", "RELU")
_FLOAT = np.dtype(np.float32)


def stream_graph(window: Graph, frames: int) -> Graph:
    """Return the stream form of a window form, for so many new frames a call.

    Parameters
    ----------
    window : Graph
        From (1, frames, bins, 1), through convolutions, poolings and functions of single values, to (1, 1, 1, size).
    frames : int
        A multiple of what the poolings over time need.

    Returns
    -------
    Graph
        Frames (1, frames, bins) and state (1, S) to outputs (1, n, size) and the next state (1, S). Of a stream that
        begins with a state of zeros the outputs are right from where all frames that they see have come.

    Raises
    ------
    ModelError
        The network does something else in time.
    """
    return _Streamed(window, frames).graph


class _Streamed:
    """The new graph as it grows."""

    def __init__(self, window: Graph, frames: int) -> None:
        self._window = window
        self._tensors: list[Tensor] = []
        self._operators: list[Operator] = []
        self._kept: list[int] = []  # tensors of the next state
        self._offset = 0  # of the next layer's part of the state
        bins = window.tensors[window.inputs[0]].shape[2]
        self._copies: dict[int, int] = {}
        given = self._add("frames", (1, frames, bins))
        self._state = self._add("state", (1, self._state_size()))
        self._copies[window.inputs[0]] = self._reshaped(given, (1, frames, bins, 1))
        for operator in window.operators:
            self._copies[operator.outputs[0]] = self._step(operator)
        last = self._copies[window.outputs[0]]
        _, rows, _, size = self._tensors[last].shape
        outputs = self._reshaped(last, (1, rows, size))
        state = self._run("CONCATENATION", self._kept, (1, self._offset), axis=1, activation=0)
        self.graph = Graph(tuple(self._tensors), tuple(self._operators), (given, self._state), (outputs, state))

    def _state_size(self) -> int:
        total = 0
        for operator in self._window.operators:
            if operator.name == "CONV_2D":
                _, columns, channels = self._window.tensors[operator.inputs[0]].shape[1:]
                total += (self._taps(operator) - 1) * columns * channels
        return total

    def _taps(self, convolution: Operator) -> int:
        return self._window.tensors[convolution.inputs[1]].shape[1]

    def _step(self, operator: Operator) -> int:
        source = self._copies[operator.inputs[0]]
        _, rows, columns, channels = self._tensors[source].shape
        others = [self._constant(number) for number in operator.inputs[1:]]
        options = operator.options
        _, was, *after = self._window.tensors[operator.outputs[0]].shape
        before = self._window.tensors[operator.inputs[0]].shape[1]
        if operator.name == "CONV_2D" and options["stride_h"] == 1 and options["dilation_h"] == 1:
            taps = self._taps(operator)
            if was == before - taps + 1:
                source = self._extended(source, taps - 1) if taps > 1 else source
                return self._run(operator.name, [source, *others], (1, rows, *after), **options)
        elif operator.name == "MAX_POOL_2D" and options["filter_h"] == options["stride_h"]:
            if rows % options["stride_h"] == 0:
                return self._run(operator.name, [source], (1, rows // options["stride_h"], *after), **options)
            raise ModelError(f"{rows} rows are no whole groups of {options['stride_h']}; give a longer hop")
        elif operator.name == "PAD":
            pads = self._window.tensors[operator.inputs[1]].constant
            if pads is not None and not pads[:2].any():
                return self._run(operator.name, [source, *others], (1, rows, *after))
        elif operator.name in _ELEMENTWISE and was == before:
            return self._run(operator.name, [source, *others], (1, rows, columns, channels), **options)
        raise ModelError(f"{operator.name} from {before} rows to {was} has no stream form here; update spotter")

    def _extended(self, source: int, keep: int) -> int:
        """Put the rows that were kept before the new ones, and keep the last of them."""
        _, rows, columns, channels = self._tensors[source].shape
        size = keep * columns * channels
        flat = self._slice(self._state, (0, self._offset), (1, size))
        self._offset += size
        old = self._reshaped(flat, (1, keep, columns, channels))
        whole = self._run("CONCATENATION", [old, source], (1, keep + rows, columns, channels), axis=1, activation=0)
        last = self._slice(whole, (0, rows, 0, 0), (1, keep, columns, channels))
        self._kept.append(self._reshaped(last, (1, size)))
        return whole

    def _slice(self, source: int, begin: tuple[int, ...], size: tuple[int, ...]) -> int:
        places = [self._add("", (len(v),), np.asarray(v, np.int32)) for v in (begin, size)]
        return self._run("SLICE", [source, *places], size)

    def _reshaped(self, source: int, shape: tuple[int, ...]) -> int:
        wanted = self._add("", (len(shape),), np.asarray(shape, np.int32))
        return self._run("RESHAPE", [source, wanted], shape, shape=shape)

    def _constant(self, number: int) -> int:
        if number not in self._copies:
            tensor = self._window.tensors[number]
            if tensor.constant is None:
                raise ModelError(f"the tensor {tensor.name} joins two branches, which has no stream form here")
            self._copies[number] = len(self._tensors)
            self._tensors.append(replace(tensor, shape=tensor.constant.shape))
        return self._copies[number]

    def _add(self, name: str, shape: tuple[int, ...], constant: Array | None = None) -> int:
        dtype = _FLOAT if constant is None else constant.dtype
        self._tensors.append(Tensor(name or f"t{len(self._tensors)}", shape, dtype, constant))
        return len(self._tensors) - 1

    def _run(self, name: str, inputs: list[int], shape: tuple[int, ...], /, **options: object) -> int:
        out = self._add("", shape)
        self._operators.append(Operator(name, tuple(inputs), (out,), options))
        return out
