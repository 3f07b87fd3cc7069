"""Runs a float32 .tflite network in plain numpy."""

from __future__ import annotations

from functools import partial

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError, ModelError
from spotter.numpy_ops import ACTIVATIONS, OPS
from spotter.tflite import Array, Graph, Operator, Shapes, fits, read_graph


class NumpyNetwork:
    """A float32 .tflite network in plain numpy: where LiteRT has no wheel, and as its oracle in the tests.

    Parameters
    ----------
    data : bytes
        The file. Constants stay views into it. Dynamic sizes follow from the arrays that `run` gets.

    Raises
    ------
    ModelError
        The bytes are no .tflite file, or need an operator that is not computed here.
    """

    def __init__(self, data: bytes) -> None:
        self._graph = read_graph(data)
        self.shapes = _shapes(self._graph)
        for operator in self._graph.operators:
            _check(operator, self._graph)
        self._constants: list[Array | None] = [tensor.constant for tensor in self._graph.tensors]
        self._steps = [
            (partial(OPS[operator.name], operator.options), operator.inputs, operator.outputs[0], operator.name)
            for operator in self._graph.operators
        ]

    def run(self, *inputs: Floats) -> tuple[Floats, ...]:
        """Compute the outputs, in the order of the file."""
        values = self._constants.copy()
        for number, value, wanted in zip(self._graph.inputs, inputs, self.shapes.inputs, strict=True):
            if not fits(value.shape, wanted):
                raise BadInputError(f"the network was given {value.shape}; give {wanted}, any size for -1")
            values[number] = value
        for compute, sources, target, name in self._steps:
            try:
                values[target] = compute(*(None if n < 0 else values[n] for n in sources))
            except ValueError as problem:
                raise ModelError(f"{name} cannot be computed ({problem}); export the model again") from problem
        return tuple(np.array(values[number], np.float32) for number in self._graph.outputs)


def _shapes(graph: Graph) -> Shapes:
    inputs, outputs = (tuple(graph.tensors[n].shape for n in numbers) for numbers in (graph.inputs, graph.outputs))
    return Shapes(inputs, outputs)


def _check(operator: Operator, graph: Graph) -> None:
    """Refuse what numpy_ops cannot compute."""
    fix = "install ai-edge-litert, which can, or export the model as float32 without it"
    options = operator.options
    if operator.name not in OPS or len(operator.outputs) != 1:
        raise ModelError(f"the plain numpy path does not know the operator {operator.name}; {fix}")
    if options.get("activation", 0) not in ACTIVATIONS or options.get("ellipsis_mask") or options.get("new_axis_mask"):
        raise ModelError(f"the plain numpy path does not know {operator.name} with options {dict(options)}; {fix}")
    for number in (*operator.inputs, *operator.outputs):
        tensor = graph.tensors[number]
        if number >= 0 and (tensor.dtype is None or tensor.dtype in (np.int8, np.uint8, np.int16)):
            raise ModelError(f"the plain numpy path does not know quantized numbers ({operator.name}); {fix}")
