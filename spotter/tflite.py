"""Reads a .tflite file into a small graph: constants, operators and what goes in and out.

The file is a FlatBuffer: tables whose fields are found through an offset list, so a reader needs
only the numbers of the fields (`tflite_schema`). Constants are views into the file's bytes; nothing
is copied.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from spotter.errors import ModelError
from spotter.tflite_schema import DTYPES, OPERATORS, OPTIONS

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Tensor:
    """What flows along one edge of the graph."""

    name: str
    shape: tuple[int, ...]  # -1 where the size is only known at run time
    dtype: np.dtype[Any] | None  # None: a type that this reader does not know
    constant: Array | None  # its value, where the file holds it


@dataclass(frozen=True, slots=True)
class Operator:
    """One step; `inputs` and `outputs` are numbers of tensors, -1 for an input that is left out."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Graph:
    """A network: operators in the order in which they run."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shapes:
    """Shapes of what goes into a network and of what comes out; -1 where the size is dynamic."""

    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]


def read_graph(data: bytes) -> Graph:
    """Read a whole network; `ModelError` where the bytes are no .tflite file."""
    try:
        return _graph(data)
    except (struct.error, ValueError, IndexError) as problem:
        raise _broken(str(problem)) from problem


def read_shapes(data: bytes) -> Shapes:
    """Read only the shapes of inputs and outputs, which is quick."""
    try:
        graph = _main_graph(_root(data))
        tensors = graph.tables(0)
        inputs, outputs = (tuple(_shape(tensors[number]) for number in graph.integers(field)) for field in (1, 2))
    except (struct.error, ValueError, IndexError) as problem:
        raise _broken(str(problem)) from problem
    return Shapes(inputs, outputs)


def fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether a shape is one that is wanted, where -1 stands for any size."""
    return len(shape) == len(wanted) and all(-1 in (a, b) or a == b for a, b in zip(shape, wanted, strict=True))


class _Table:
    """A FlatBuffer table at a position of the data."""

    __slots__ = ("_at", "_data", "_fields", "_fields_size")

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        self._fields = at - self._get("<i", at)
        self._fields_size = self._get("<H", self._fields)

    def scalar(self, number: int, form: str, default: Any) -> Any:
        at = self._find(number)
        return self._get("<" + form, at) if at else default

    def table(self, number: int) -> _Table | None:
        at = self._find(number)
        return _Table(self._data, at + self._get("<I", at)) if at else None

    def tables(self, number: int) -> list[_Table]:
        start, count = self._vector(number)
        places = range(start, start + 4 * count, 4)
        return [_Table(self._data, place + self._get("<I", place)) for place in places]

    def integers(self, number: int) -> tuple[int, ...]:
        start, count = self._vector(number)
        return struct.unpack_from(f"<{count}i", self._data, start)

    def bytes(self, number: int) -> memoryview:
        start, count = self._vector(number)
        if start + count > len(self._data):
            raise ValueError("the file ends too early")
        return memoryview(self._data)[start : start + count]

    def _vector(self, number: int) -> tuple[int, int]:
        at = self._find(number)
        if not at:
            return 0, 0
        at += self._get("<I", at)
        return at + 4, self._get("<I", at)

    def _find(self, number: int) -> int:
        slot = 4 + 2 * number
        offset = self._get("<H", self._fields + slot) if slot < self._fields_size else 0
        return self._at + offset if offset else 0

    def _get(self, form: str, at: int) -> Any:
        if at < 0:
            raise ValueError("a position before the file")
        return struct.unpack_from(form, self._data, at)[0]


def _root(data: bytes) -> _Table:
    if data[4:8] != b"TFL3":
        raise ValueError("it does not begin like one")
    return _Table(data, struct.unpack_from("<I", data)[0])


def _main_graph(root: _Table) -> _Table:
    graphs = root.tables(2)
    if len(graphs) != 1:
        raise ValueError(f"it holds {len(graphs)} graphs, not one")
    return graphs[0]


def _graph(data: bytes) -> Graph:
    root = _root(data)
    graph = _main_graph(root)
    buffers = root.tables(4)
    tensors = tuple(_tensor(table, buffers) for table in graph.tables(0))
    codes = [_operator_name(table) for table in root.tables(1)]
    operators = tuple(_operator(table, codes, tensors) for table in graph.tables(3))
    inputs, outputs = graph.integers(1), graph.integers(2)
    used = {*inputs, *outputs, *(n for op in operators for n in (*op.inputs, *op.outputs))}
    if not all(-1 <= number < len(tensors) for number in used):
        raise ValueError("it names a tensor that it does not hold")
    return Graph(tensors, operators, inputs, outputs)


def _tensor(table: _Table, buffers: list[_Table]) -> Tensor:
    shape = _shape(table)
    kind = DTYPES.get(table.scalar(1, "b", 0))
    dtype = None if kind is None else np.dtype(kind)
    data = buffers[table.scalar(2, "I", 0)].bytes(0)
    constant = np.frombuffer(data, dtype).reshape(shape) if len(data) and dtype is not None else None
    return Tensor(str(table.bytes(3), "utf-8", "replace"), shape, dtype, constant)


def _shape(table: _Table) -> tuple[int, ...]:
    return table.integers(7) or table.integers(0)  # the signature, where sizes may change, else the shape


def _operator_name(table: _Table) -> str:
    # Codes above 127 are in the newer field; files of either age are right with the larger one.
    code = max(table.scalar(0, "b", 0), table.scalar(3, "i", 0))
    name = OPERATORS[code] if 0 <= code < len(OPERATORS) else f"operator {code}"
    return f"CUSTOM ({str(table.bytes(1), 'utf-8', 'replace')})" if name == "CUSTOM" else name


def _operator(table: _Table, codes: list[str], tensors: tuple[Tensor, ...]) -> Operator:
    name = codes[table.scalar(0, "I", 0)]
    inputs, outputs = table.integers(1), table.integers(2)
    given = table.table(4)
    options: dict[str, Any] = {}
    for option, (number, form, default) in OPTIONS.get(name, {}).items():
        if given is None:
            options[option] = default
        else:
            options[option] = given.integers(number) if form == "vector" else given.scalar(number, form, default)
    if name == "CAST":
        options["dtype"] = tensors[outputs[0]].dtype  # files need not repeat it in the options
    return Operator(name, inputs, outputs, options)


def _broken(why: str) -> ModelError:
    return ModelError(f"the network is no readable .tflite file ({why}); export the model again")
