"""The benchmark's count of multiply-adds, against sums by hand."""

from __future__ import annotations

from pathlib import Path

from benchmarks import operations
from spotter.tflite import read_graph

DATA = Path(__file__).parent / "data"


def test_multiply_adds_of_the_tiny_model_are_those_of_its_layers() -> None:
    data = (DATA / "models" / "tiny" / "model.tflite").read_bytes()
    graph = read_graph(data)
    wanted = one_more = 0
    for operator in graph.operators:
        if operator.name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            kernel = graph.tensors[operator.inputs[1]].constant
            assert kernel is not None
            _, height, width, channels = graph.tensors[operator.outputs[0]].shape
            each = kernel.size if operator.name == "DEPTHWISE_CONV_2D" else kernel.size // channels * channels
            wanted += each * height * width
            one_more += each
    assert operations.multiply_adds(data) == wanted > 0
    assert operations.per_output(data) == one_more
