"""Wyoming's frames are read within limits, however the bytes come, and whatever they are."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wyoming.event import Event, write_event

from spotter.serving.frames import Frame, FrameError, FrameReader
from spotter.serving.limits import Limits

LIMITS = Limits(line_bytes=200, data_bytes=300, payload_bytes=400)
EVENTS = [
    Event("describe"),
    Event("detect", {"names": ["yes", "größer"]}),
    Event("audio-chunk", {"rate": 16_000, "width": 2, "channels": 1, "timestamp": 7}, bytes(range(256))),
    Event("audio-chunk", {"rate": 16_000, "width": 2, "channels": 1, "timestamp": 8}, b"\n{}\n" * 20),
    Event("audio-stop", {"timestamp": None}),
]


def written(*events: Event) -> bytes:
    out = io.BytesIO()
    for event in events:
        write_event(event, out)
    return out.getvalue()


def read(pieces: list[bytes], limits: Limits = LIMITS) -> list[Frame]:
    reader = FrameReader(limits)
    frames = []
    for piece in pieces:
        reader.feed(piece)
        while (frame := reader.next()) is not None:
            frames.append(frame)
    assert reader.waiting == 0
    return frames


@given(st.lists(st.integers(1, 90), min_size=1, max_size=200))
def test_what_the_package_writes_is_read_however_it_is_cut(sizes: list[int]) -> None:
    whole = written(*EVENTS)
    pieces = []
    for size in sizes:
        pieces.append(whole[:size])
        whole = whole[size:]
    frames = read([*pieces, whole])
    assert frames == [Frame(e.type, e.data, e.payload or b"") for e in EVENTS]


def test_data_in_the_header_and_after_it_are_one() -> None:
    more = b'{"b": 2}'
    line = json.dumps({"type": "x", "data": {"a": 1, "b": 1}, "data_length": len(more)}).encode()
    assert read([line + b"\n" + more]) == [Frame("x", {"a": 1, "b": 2})]


def test_a_header_without_data_or_lengths_is_a_frame() -> None:
    for header in ('{"type": "ping"}', '{"type": "ping", "data": null, "data_length": null, "payload_length": 0}'):
        assert read([header.encode() + b"\n"]) == [Frame("ping")]


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        (b"GET / HTTP/1.1\r\n", r"the header is no JSON object: b'GET / HTTP/1.1\\r'"),
        (b"\n", "the header is no JSON object: b''"),
        (b"[1, 2]\n", "the header is no JSON object"),
        (b"\xff\xfe\x00\n", "the header is no JSON object"),
        (b"[" * 150 + b"\n", "the header is no JSON object"),
        (b'{"type": 3}\n', "the header's type is 3, no text"),
        (b"{}\n", "the header's type is None, no text"),
        (b'{"type": "x", "data": [1]}\n', r"the header's data is \[1\]; send an object"),
        (b'{"type": "x", "data_length": -1}\n', "data_length is -1; send a number of bytes"),
        (b'{"type": "x", "data_length": 1.5}\n', "data_length is 1.5; send a number"),
        (b'{"type": "x", "payload_length": true}\n', "payload_length is True; send a number"),
        (b'{"type": "x", "payload_length": "9"}\n', "payload_length is '9'; send a number"),
        (b'{"type": "x", "payload_length": 1e400}\n', "payload_length is inf; send a number"),
        (
            b'{"type": "x", "payload_length": ' + b"9" * 150 + b"}\n",
            r"payload_length is 9+\.\.\.; send 400 bytes at most",
        ),
        (b'{"type": "x", "data_length": 301}\n', "data_length is 301; send 300 bytes at most"),
        (b'{"type": "x", "payload_length": 401}\n', "payload_length is 401; send 400 bytes at most"),
        (b'{"type": "x", "data_length": 2}\n[]', r"the data is no JSON object: b'\[\]'"),
        (b'{"type": "x", "data_length": 3}\n\xff{}', "the data is no JSON object"),
        (b"x" * 201, "a header of more than 200 bytes came; send a line of JSON"),
        (b"x" * 201 + b"\n", "a header of more than 200 bytes came; send a line of JSON"),
    ],
)
def test_what_is_no_frame_or_too_much_is_one_sentence(sent: bytes, sentence: str) -> None:
    reader = FrameReader(LIMITS)
    reader.feed(sent)
    with pytest.raises(FrameError, match=sentence) as caught:
        reader.next()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_header_may_be_as_long_as_the_limit() -> None:
    header = json.dumps({"type": "x", "data": {"a": "b" * 100}}).encode()
    assert read([header.ljust(200) + b"\n"])[0].type == "x"


@given(st.binary(max_size=400))
def test_no_bytes_make_it_fail_in_another_way(garbage: bytes) -> None:
    reader = FrameReader(LIMITS)
    reader.feed(garbage)
    with contextlib.suppress(FrameError):
        while reader.next() is not None:
            pass


@given(
    st.dictionaries(
        st.sampled_from(["type", "data", "data_length", "payload_length", "version"]),
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.lists(st.integers())),
    )
)
def test_no_header_makes_it_fail_in_another_way(header: dict[str, Any]) -> None:
    reader = FrameReader(LIMITS)
    reader.feed(json.dumps(header).encode() + b"\n")
    with contextlib.suppress(FrameError):
        reader.next()
