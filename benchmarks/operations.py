"""Multiply-adds of a network, counted from its file."""

from __future__ import annotations

from math import prod

from spotter.tflite import Graph, read_graph


def multiply_adds(data: bytes) -> int:
    """Of one run of a network whose shapes are all known; convolutions and dense layers, nothing else counts."""
    graph = read_graph(data)
    return sum(_of(graph, i) for i in range(len(graph.operators)))


def per_output(data: bytes) -> int:
    """Of one more output of a stream form, from the window form of the same network: each layer computes one more."""
    graph = read_graph(data)
    total = 0
    for i, operator in enumerate(graph.operators):
        done = _of(graph, i)
        if done:
            out = _one_recording(graph.tensors[operator.outputs[0]].shape)
            # (1, time, bands, channels); of one dimension the converter makes (1, 1, time, channels).
            total += done // next((n for n in out[1:-1] if n > 1), 1)
    return total


def _of(graph: Graph, number: int) -> int:
    operator = graph.operators[number]
    if operator.name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return 0
    kernel = graph.tensors[operator.inputs[1]].shape
    out = _one_recording(graph.tensors[operator.outputs[0]].shape)
    if operator.name == "DEPTHWISE_CONV_2D":
        return prod(out) * kernel[1] * kernel[2]
    return prod(out) * prod(kernel[1:])


def _one_recording(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with 1 where the file leaves the number of recordings open."""
    return tuple(1 if size < 0 else size for size in shape)
