"""What viewers send, checked; and how numbers are packed for them.

A viewer sends JSON objects with a `type`: `token` first, then `try`, `save`, `play`, `mark`. It is sent JSON objects,
and binary messages: the length of a JSON header (uint32), the header, and the arrays that it lists, little endian,
each at a multiple of 8 bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeAlias

import numpy.typing as npt

from spotter.errors import BadInputError
from spotter.settings import DecoderConfig

MOST_BYTES: Final = 1 << 16  # of a message that a viewer sends
_LATEST: Final = 1 << 53
_KINDS: Final = {"int8": "i1", "uint8": "u1", "int16": "i2", "float32": "f4", "float64": "f8"}


class MessageError(ValueError):
    """A message that no page of ours sends."""


@dataclass(frozen=True, slots=True)
class Try:
    """Other settings: show what they give; `number` comes back with it."""

    number: int
    thresholds: Mapping[str, float]  # of every keyword
    smooth_ms: float
    margin: float


@dataclass(frozen=True, slots=True)
class Save:
    """Write settings into the user's file."""

    wanted: Try


@dataclass(frozen=True, slots=True)
class Play:
    """Send the audio around a moment, in samples of stream time."""

    time_sample: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A keyword was, or was not, said there."""

    keyword: str
    time_sample: int
    right: bool


Message: TypeAlias = Try | Save | Play | Mark


def read_token(text: str | bytes) -> str:
    """Read the first message."""
    value = _object(text).get("token")
    return value if isinstance(value, str) else ""


def read(text: str | bytes, keywords: Sequence[str]) -> Message:
    """Read a message.

    Raises
    ------
    MessageError
        It is none.
    """
    values = _object(text)
    kind = values.get("type")
    if kind in ("try", "save"):
        wanted = _settings(values, keywords)
        return wanted if kind == "try" else Save(wanted)
    if kind == "play":
        return Play(_whole(values, "time"))
    if kind == "mark":
        keyword, right = values.get("keyword"), values.get("right")
        if keyword not in keywords or not isinstance(right, bool):
            raise MessageError("a mark needs a keyword of the model, and whether it is right")
        return Mark(str(keyword), _whole(values, "time"), right)
    raise MessageError("there is no such type of message")


def pack(header: Mapping[str, Any], **arrays: npt.NDArray[Any]) -> bytes:
    """Return a binary message of a header and arrays, flattened in C order."""
    listed = [[name, _KINDS[array.dtype.name], array.size] for name, array in arrays.items()]
    head = json.dumps({**header, "arrays": listed}).encode()
    parts = [len(head).to_bytes(4, "little"), head]
    at = 4 + len(head)
    for array in arrays.values():
        parts.append(b"\0" * (-at % 8))
        parts.append(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
        at += len(parts[-2]) + len(parts[-1])
    return b"".join(parts)


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        values = json.loads(text, parse_constant=_no_number) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise MessageError("a message is a JSON object in text")
    return values


def _settings(values: Mapping[str, Any], keywords: Sequence[str]) -> Try:
    thresholds = values.get("thresholds")
    if not isinstance(thresholds, dict) or thresholds.keys() != set(keywords):
        raise MessageError("settings need a threshold for each keyword")
    read = {keyword: _number(thresholds, keyword) for keyword in keywords}
    wanted = Try(_whole(values, "number"), read, _number(values, "smooth_ms"), _number(values, "margin"))
    try:
        DecoderConfig(thresholds=read, smooth_ms=wanted.smooth_ms, margin=wanted.margin)
    except BadInputError as error:
        raise MessageError(str(error)) from None
    return wanted


def _whole(values: Mapping[str, Any], key: str) -> int:
    value = values.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _LATEST:
        raise MessageError(f"{key} is no count")
    return value


def _number(values: Mapping[str, Any], key: str) -> float:
    value = values.get(key)
    if (
        not isinstance(value, int | float)
        or isinstance(value, bool)
        or abs(value) > _LATEST
        or not math.isfinite(value)
    ):
        raise MessageError(f"{key} is no number")
    return float(value)


def _no_number(_: str) -> NoReturn:
    raise ValueError
