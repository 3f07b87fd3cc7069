"""Writes a graph as a .tflite file, so that LiteRT can run what was put together here; `tflite` reads it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spotter.errors import ModelError
from spotter.tflite import Graph, Operator, Tensor
from spotter.tflite_schema import DTYPES, OPERATORS, OPTION_TABLES, OPTIONS

_ALIGNED = 16  # bytes; kernels read constants in vectors of so many
_TYPES = {np.dtype(kind): number for number, kind in DTYPES.items()}


def write_graph(graph: Graph) -> bytes:
    """Return the file; every operator's version is 1, and sizes are fixed.

    Raises
    ------
    ModelError
        The package flatbuffers is missing; it comes with LiteRT.
    """
    try:
        import flatbuffers
    except ImportError as problem:
        raise ModelError("the package flatbuffers is missing; pip install flatbuffers, or use numpy") from problem
    out = _Writer(flatbuffers.Builder(1 << 20))
    buffers, tensors = [b""], []  # buffer 0 is the empty one
    for tensor in graph.tensors:
        number = 0
        if tensor.constant is not None:
            number = len(buffers)
            buffers.append(np.ascontiguousarray(tensor.constant).tobytes())
        tensors.append(out.tensor(tensor, number))
    names = sorted({operator.name for operator in graph.operators})
    operators = [out.operator(operator, names.index(operator.name)) for operator in graph.operators]
    whole = out.table(
        4,
        {
            0: out.tables(tensors),
            1: out.integers(graph.inputs),
            2: out.integers(graph.outputs),
            3: out.tables(operators),
        },
    )
    written = [out.table(1, {0: out.data(data)} if data else {}) for data in buffers]
    codes = [out.code(OPERATORS.index(name)) for name in names]
    root = out.table(
        5,
        {1: out.tables(codes), 2: out.tables([whole]), 3: out.text("spotter"), 4: out.tables(written)},
        {0: ("I", 3)},
    )
    return out.finish(root)


class _Writer:
    """FlatBuffer tables by the numbers of their fields; what a table holds is written before it."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder
        self._scalars: dict[str, Callable[[int, Any, Any], None]] = {
            "b": builder.PrependInt8Slot,
            "B": builder.PrependUint8Slot,
            "i": builder.PrependInt32Slot,
            "I": builder.PrependUint32Slot,
            "f": builder.PrependFloat32Slot,
            "?": builder.PrependBoolSlot,
        }

    def table(self, fields: int, places: dict[int, int], scalars: dict[int, tuple[str, Any]] | None = None) -> int:
        """Write a table of things already written (`places`) and numbers, (form, value)."""
        self._builder.StartObject(fields)
        for number, place in places.items():
            self._builder.PrependUOffsetTRelativeSlot(number, place, 0)
        for number, (form, value) in (scalars or {}).items():
            self._scalars[form](number, value, 0)
        return int(self._builder.EndObject())

    def tables(self, places: Sequence[int]) -> int:
        """Write a list of tables."""
        self._builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            self._builder.PrependUOffsetTRelative(place)
        return int(self._builder.EndVector())

    def integers(self, values: Sequence[int]) -> int:
        """Write a list of int32."""
        self._builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self._builder.PrependInt32(value)
        return int(self._builder.EndVector())

    def data(self, data: bytes) -> int:
        """Write bytes, aligned."""
        builder = self._builder
        builder.StartVector(1, len(data), _ALIGNED)
        builder.head -= len(data)
        builder.Bytes[builder.head : builder.head + len(data)] = data
        return int(builder.EndVector())

    def text(self, text: str) -> int:
        """Write a string."""
        return int(self._builder.CreateString(text))

    def tensor(self, tensor: Tensor, buffer: int) -> int:
        """Write what flows along an edge."""
        if tensor.dtype is None:
            raise ModelError(f"the tensor {tensor.name} has a type that is not known here; export the model again")
        places = {0: self.integers(tensor.shape), 3: self.text(tensor.name)}
        return self.table(11, places, {1: ("b", _TYPES[tensor.dtype]), 2: ("I", buffer)})

    def operator(self, operator: Operator, code: int) -> int:
        """Write a step with its options."""
        places, scalars = {1: self.integers(operator.inputs), 2: self.integers(operator.outputs)}, {0: ("I", code)}
        known = OPTIONS.get(operator.name, {})
        own, numbers = {}, {}
        for name, (number, form, _) in known.items():
            if form == "vector":
                own[number] = self.integers(operator.options[name])
            else:
                numbers[number] = (form, operator.options[name])
        if known:
            places[4] = self.table(1 + max(number for number, _, _ in known.values()), own, numbers)
            scalars[3] = ("B", OPTION_TABLES[operator.name])
        return self.table(14, places, scalars)

    def code(self, number: int) -> int:
        """Write which operator a number of `operator` stands for."""
        return self.table(4, {}, {0: ("b", min(number, 127)), 2: ("i", 1), 3: ("i", number)})

    def finish(self, root: int) -> bytes:
        """Return the whole."""
        self._builder.Finish(root, file_identifier=b"TFL3")
        return bytes(self._builder.Output())
