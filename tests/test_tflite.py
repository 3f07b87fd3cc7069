"""The plain numpy networks and LiteRT compute the same; each is the other's oracle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.arrays import Floats
from spotter.errors import BadInputError, ModelError
from spotter.litert import LitertNetwork
from spotter.network import open_network
from spotter.numpy_network import NumpyNetwork
from spotter.numpy_ops import OPS
from spotter.tflite import read_graph, read_shapes

DATA = Path(__file__).parent / "data"
REFUSED = ("gather", "quantized")
FILES = sorted(path for path in DATA.glob("networks/*.tflite") if path.stem not in REFUSED)
TINY = sorted(DATA.glob("models/tiny/*.tflite"))


def inputs_for(shapes: tuple[tuple[int, ...], ...], dynamic: int, seed: int = 0) -> list[Floats]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal([dynamic if n < 0 else n for n in s]).astype(np.float32) * 3 for s in shapes]


@pytest.mark.parametrize("dynamic", [2, 10])
@pytest.mark.parametrize("path", [*FILES, *TINY], ids=lambda path: path.stem)
def test_numpy_and_litert_agree(path: Path, dynamic: int) -> None:
    if path.stem == "dynamic":
        dynamic += 1  # its convolution looks at three
    data = path.read_bytes()
    plain, litert = NumpyNetwork(data), LitertNetwork(data, dynamic)
    for seed in range(3):
        inputs = inputs_for(plain.shapes.inputs, dynamic, seed)
        ours, theirs = plain.run(*inputs), litert.run(*inputs)
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert a.shape == b.shape
            assert a.dtype == b.dtype == np.float32
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_every_operator_that_is_computed_is_compared() -> None:
    graphs = [read_graph(path.read_bytes()) for path in (*FILES, *TINY)]
    assert {operator.name for graph in graphs for operator in graph.operators} == set(OPS)


def test_networks_of_the_tests_are_small() -> None:
    assert all(path.stat().st_size < 50_000 for path in (*FILES, *TINY))


def test_constants_are_views_of_the_file() -> None:
    data = TINY[0].read_bytes()
    constants = [tensor.constant for tensor in read_graph(data).tensors if tensor.constant is not None]
    whole = np.frombuffer(data, np.uint8)
    assert constants
    assert all(np.shares_memory(constant, whole) for constant in constants)


def test_outputs_belong_to_the_caller() -> None:
    for backend in ("litert", "numpy"):
        network = open_network((DATA / "networks/arithmetic.tflite").read_bytes(), backend)
        inputs = inputs_for(network.shapes.inputs, 1)
        first = network.run(*inputs)
        kept = [output.copy() for output in first]
        network.run(*(value + 1 for value in inputs))
        for output, before in zip(first, kept, strict=True):
            np.testing.assert_array_equal(output, before)


def test_inputs_need_not_be_contiguous() -> None:
    data = (DATA / "networks/conv1d.tflite").read_bytes()
    wide = np.random.default_rng(0).standard_normal((1, 80, 12)).astype(np.float32)
    part = wide[:, ::2, ::2]
    (ours,), (theirs,) = NumpyNetwork(data).run(part), LitertNetwork(data).run(part)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_shapes_are_read_without_the_rest() -> None:
    shapes = read_shapes((DATA / "models/tiny/model.stream.tflite").read_bytes())
    assert sorted(shapes.inputs) == [(1, -1, 40), (1, 860)]
    assert sorted(shapes.outputs) == [(1, -1, 4), (1, 860)]


def test_an_unknown_operator_is_named_with_the_fix() -> None:
    with pytest.raises(ModelError, match=r"GATHER; install ai-edge-litert"):
        NumpyNetwork((DATA / "networks/gather.tflite").read_bytes())


def test_quantized_weights_are_refused_with_the_fix() -> None:
    with pytest.raises(ModelError, match=r"quantized numbers .*; .*export the model as float32"):
        NumpyNetwork((DATA / "networks/quantized.tflite").read_bytes())


@pytest.mark.parametrize("backend", ["litert", "numpy"])
@pytest.mark.parametrize("data", [b"", b"no network", b"\0" * 100, TINY[0].read_bytes()[:1_000]])
def test_other_bytes_are_no_network(data: bytes, backend: str) -> None:
    with pytest.raises(ModelError, match="export the model again"):
        open_network(data, "litert" if backend == "litert" else "numpy")


@pytest.mark.parametrize("backend", ["litert", "numpy"])
def test_inputs_of_another_shape_are_refused(backend: str) -> None:
    network = open_network((DATA / "networks/conv1d.tflite").read_bytes(), "litert" if backend == "litert" else "numpy")
    with pytest.raises(BadInputError, match=r"give .*40, 6"):
        network.run(np.zeros((1, 41, 6), np.float32))


def test_too_few_rows_for_a_kernel_are_said() -> None:
    data = (DATA / "networks/dynamic.tflite").read_bytes()
    with pytest.raises(ModelError, match="CONV_2D cannot be computed"):
        NumpyNetwork(data).run(np.zeros((1, 2, 6), np.float32))
    with pytest.raises(ModelError, match=r"LiteRT refuses the network .*; export the model again"):
        LitertNetwork((DATA / "models/tiny/model.stream.tflite").read_bytes(), 1)


@given(at=st.integers(0, 25_000), changed=st.binary(min_size=1, max_size=8), kept=st.none() | st.integers(0, 25_000))
@settings(max_examples=200)
def test_a_damaged_file_is_read_or_refused_but_never_crashes(at: int, changed: bytes, kept: int | None) -> None:
    data = bytearray((DATA / "models/tiny/model.tflite").read_bytes())
    data[at : at + len(changed)] = changed
    try:
        NumpyNetwork(bytes(data[:kept]))
    except ModelError as refused:
        assert ";" in str(refused)  # noqa: PT017 (most damage is in the weights, and then nothing is raised)
