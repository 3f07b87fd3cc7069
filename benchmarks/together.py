"""The network alone: one stream after another, or many in one call."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from spotter.manifest import STREAM_NETWORK
from spotter.model import Model
from spotter.settings import SAMPLE_RATE
from spotter.tflite import read_graph

_SHAPES = {"RESHAPE": 1, "SLICE": 2}  # which input of an operator is a shape that begins with the number of streams


@dataclass(frozen=True, slots=True)
class Calls:
    """Microseconds a stream, and how far the numbers lie apart."""

    alone_us: float
    together_us: float
    streams: int
    apart: float


def compare(model: Model, streams: int = 16, repeats: int = 12) -> Calls | None:
    """Time both; None where the model has no stream form, or LiteRT is missing."""
    path = model.folder / STREAM_NETWORK
    if model.backend != "litert" or not path.exists():
        return None
    data = path.read_bytes()
    frames = SAMPLE_RATE // 10 // model.frontend.hop_samples
    one, many = _Opened(data, 1, frames), _Opened(for_streams(data, streams), streams, frames)
    rng = np.random.default_rng(0)
    inputs = [rng.normal(-4.0, 4.0, shape).astype(np.float32) for shape in many.shapes]
    best = [float("inf"), float("inf")]
    for _ in range(repeats):
        began = time.process_time()
        rows = [one.run([value[n : n + 1] for value in inputs]) for n in range(streams)]
        between = time.process_time()
        whole = many.run(inputs)
        best = [min(best[0], between - began), min(best[1], time.process_time() - between)]
    apart = max(float(np.abs(row[k][0] - whole[k][n]).max()) for n, row in enumerate(rows) for k in range(len(whole)))
    return Calls(best[0] / streams * 1e6, best[1] / streams * 1e6, streams, apart)


def for_streams(data: bytes, streams: int) -> bytes:
    """Return the file with as many streams in each shape where it has one."""
    changed = bytearray(data)
    graph = read_graph(data)
    base = _address(np.frombuffer(data, np.uint8))
    for operator in graph.operators:
        if operator.name in _SHAPES:
            shape = graph.tensors[operator.inputs[_SHAPES[operator.name]]].constant
            if shape is not None and shape[0] == 1:
                at = _address(shape) - base
                changed[at : at + 4] = np.int32(streams).tobytes()
    return bytes(changed)


def _address(values: np.ndarray[Any, Any]) -> int:
    return int(values.__array_interface__["data"][0])


class _Opened:
    """A network in an interpreter."""

    def __init__(self, data: bytes, streams: int, frames: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_content=data, num_threads=1)
        details = self._interpreter.get_input_details()
        self.shapes = [
            (streams, *(frames if size < 0 else int(size) for size in one["shape_signature"][1:])) for one in details
        ]
        self._inputs = [one["index"] for one in details]
        self._outputs = [one["index"] for one in self._interpreter.get_output_details()]
        for index, shape in zip(self._inputs, self.shapes, strict=True):
            self._interpreter.resize_tensor_input(index, list(shape))
        self._interpreter.allocate_tensors()

    def run(self, inputs: list[Any]) -> list[Any]:
        """Compute the outputs."""
        for index, value in zip(self._inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, value)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]
