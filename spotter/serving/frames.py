"""Bytes to Wyoming's frames, within limits: a line of JSON, then maybe data (JSON), then maybe a payload.

The package's own reader has no limits, and raises where a header is malformed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from spotter.errors import BadInputError
from spotter.serving.limits import Limits


@dataclass(frozen=True, slots=True)
class Frame:
    """What a client says at once."""

    type: str
    data: dict[str, Any] = field(default_factory=dict)
    payload: bytes = b""


class FrameError(BadInputError):
    """What came is no frame, or more than is taken; nothing that follows can be read."""


class FrameReader:
    """Takes bytes as they come and gives the frames that are whole; holds one frame and what came with it at most.

    Parameters
    ----------
    limits : Limits
        Of line, data and payload.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._looked = 0  # how far no line ends
        self._header: _Header | None = None  # of a frame whose rest has not come
        self._last: tuple[bytes, _Header] | None = None  # the same line comes again and again with audio

    @property
    def waiting(self) -> int:
        """Bytes that came and belong to no frame given so far."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        self._buffer += data

    def next(self) -> Frame | None:
        """Return the next whole frame; None where more must come first.

        Raises
        ------
        FrameError
            This is no frame, or beyond a limit; the sentence says which.
        """
        if self._header is None:
            line = self._line()
            if line is None:
                return None
            if self._last is None or line != self._last[0]:
                self._last = line, _header(line, self._limits)
            self._header = self._last[1]
        header, buffer = self._header, self._buffer
        end = header.data_bytes + header.payload_bytes
        if len(buffer) < end:
            return None
        data = header.data
        if header.data_bytes:
            data = {**data, **_object(bytes(buffer[: header.data_bytes]), "the data")}
        frame = Frame(header.type, data, bytes(buffer[header.data_bytes : end]))
        del buffer[:end]
        self._header = None
        return frame

    def _line(self) -> bytes | None:
        at = self._buffer.find(b"\n", self._looked, self._limits.line_bytes + 1)
        if at < 0:
            self._looked = len(self._buffer)
            if self._looked > self._limits.line_bytes:
                raise FrameError(f"a header of more than {self._limits.line_bytes} bytes came; send a line of JSON")
            return None
        line = bytes(self._buffer[:at])
        del self._buffer[: at + 1]
        self._looked = 0
        return line


@dataclass(frozen=True, slots=True)
class _Header:
    type: str
    data: dict[str, Any]
    data_bytes: int
    payload_bytes: int


def _header(line: bytes, limits: Limits) -> _Header:
    values = _object(line, "the header")
    kind, data = values.get("type"), values.get("data")
    if not isinstance(kind, str):
        raise FrameError(f"the header's type is {_short(kind)}, no text; send a type that Wyoming has")
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise FrameError(f"the header's data is {_short(data)}; send an object")
    return _Header(
        kind,
        data,
        _length(values, "data_length", limits.data_bytes),
        _length(values, "payload_length", limits.payload_bytes),
    )


def _length(values: dict[str, Any], key: str, most: int) -> int:
    value = values.get(key)
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise FrameError(f"{key} is {_short(value)}; send a number of bytes")
    if value > most:
        raise FrameError(f"{key} is {_short(value)}; send {most} bytes at most")
    return value


def _object(text: bytes, what: str) -> dict[str, Any]:
    try:
        values = json.loads(text.decode())
    except (ValueError, RecursionError):  # ValueError also: no UTF-8, a number of thousands of digits
        values = None
    if not isinstance(values, dict):
        raise FrameError(f"{what} is no JSON object: {_short(text)}")
    return values


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
