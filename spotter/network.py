"""A network that runs: the same interface over LiteRT and over plain numpy."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from spotter.arrays import Floats
from spotter.tflite import Shapes

Backend: TypeAlias = Literal["litert", "numpy"]


class Network(Protocol):
    """Arrays in, arrays out, in the order of the file."""

    shapes: Shapes

    def run(self, *inputs: Floats) -> tuple[Floats, ...]:
        """Compute the outputs, float32; they belong to the caller."""


def open_network(data: bytes, backend: Backend, dynamic: int = 1) -> Network:
    """Make a network ready to run.

    Parameters
    ----------
    data : bytes
        The .tflite file.
    backend : {"litert", "numpy"}
        What computes it.
    dynamic : int
        The size that every dynamic dimension of the inputs gets.
    """
    if backend == "numpy":
        from spotter.numpy_network import NumpyNetwork

        return NumpyNetwork(data)
    from spotter.litert import LitertNetwork

    return LitertNetwork(data, dynamic)
