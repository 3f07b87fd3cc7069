"""What the tests of the live page share: a listener with its page, and a viewer that is no browser."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from spotter.arrays import Floats
from spotter.listener import Listener
from spotter.page.kept import Kept
from spotter.page.server import Server
from spotter.page.shown import Shown
from spotter.sources.memory import Samples
from tests.fakes import TALK, Pushed, ScriptedModel
from tests.processes import LIMIT_S, until

if TYPE_CHECKING:
    from typing_extensions import Self

KINDS = {"i1": np.int8, "u1": np.uint8, "i2": np.int16, "f4": np.float32, "f8": np.float64}


def listener_of(samples: Any = TALK, model: Any = None, **settings: Any) -> Listener:
    source = Samples(samples, name="talk.wav") if isinstance(samples, np.ndarray) else samples
    return Listener(model or ScriptedModel(), source=source, **settings)


@contextmanager
def served(listener: Listener, clips: Path, seconds: float = 300.0, host: str = "127.0.0.1") -> Iterator[Server]:
    """Serve a listener, which is to be started by the test."""
    server = Server(Shown(listener, listener.model, clips, seconds), host, 0)
    server.start()
    try:
        yield server
    finally:
        listener.stop()
        server.stop()


def hear_all(listener: Listener, server: Server) -> None:
    """Let a recording be heard to its end, as the command does."""
    listener.start()
    for event in listener.events():
        if event is not None:
            server.shown.kept.hear(event)


@pytest.fixture(name="server")
def heard_server(tmp_path: Path) -> Iterator[Server]:
    """Serve a recording that has been heard."""
    listener = listener_of()
    with served(listener, tmp_path / "clips") as server:
        hear_all(listener, server)
        yield server


def until_judged(kept: Kept, position: int) -> None:
    """Wait until the windows up to a position of the stream have been judged."""
    until(lambda: kept.windows and kept.rows(kept.windows - 1).ends[-1] >= position)


def say(source: Pushed, kept: Kept, samples: Floats) -> None:
    """Let a live source give samples as fast as they are heard; all at once would be too fast, and left out."""
    begin = kept.end
    for at in range(0, len(samples), 8_000):
        source.push(samples[at : at + 8_000])
        until_heard(kept, min(begin + at + 8_000, begin + len(samples)))


def until_heard(kept: Kept, position: int) -> None:
    until(lambda: kept.end >= position)


def decode(data: str | bytes) -> dict[str, Any]:
    """Read what a viewer is sent."""
    if isinstance(data, str):
        values: dict[str, Any] = json.loads(data)
        return values
    length = int.from_bytes(data[:4], "little")
    values = json.loads(data[4 : 4 + length])
    at = 4 + length
    for name, kind, size in values["arrays"]:
        at += -at % 8
        values[name] = np.frombuffer(data, KINDS[kind], size, at)
        at += values[name].nbytes
    return values


class Viewer:
    """Reads and keeps what it is sent, and asks for more."""

    def __init__(self, server: Server, *, first: str | None = None) -> None:
        origin = Origin(f"http://127.0.0.1:{server.port}")
        opened = connect(
            f"ws://127.0.0.1:{server.port}/live",
            origin=origin,
            max_size=None,
            compression=None,
            proxy=None,
            close_timeout=1,
        )
        self.connection: ClientConnection = opened.__enter__()  # another object than `opened`, from version 17 on
        self.connection.send(json.dumps({"token": server.token}) if first is None else first)
        self.messages: list[dict[str, Any]] = []

    def send(self, values: dict[str, Any]) -> None:
        self.connection.send(json.dumps(values))

    def wait_for(self, wanted: str | Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Return the next message of a type, or that fits."""
        ends = time.monotonic() + LIMIT_S
        while True:
            message = decode(self.connection.recv(timeout=max(0.0, ends - time.monotonic())))
            self.messages.append(message)
            if message["type"] == wanted if isinstance(wanted, str) else wanted(message):
                return message

    def try_out(self, number: int, *, smooth_ms: float = 100.0, margin: float = 0.1, **thresholds: float) -> Any:
        """Have other settings tried; return what they give."""
        self.send({"type": "try", "number": number, "thresholds": thresholds, "smooth_ms": smooth_ms, "margin": margin})
        return self.wait_for(lambda m: m["type"] == "rows" and m["anew"] and m["number"] == number)

    def wait_for_end(self) -> int | None:
        """Return the code that the connection is closed with."""
        try:
            while True:
                self.connection.recv(timeout=LIMIT_S)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def fired(rows: dict[str, Any]) -> list[tuple[str, int]]:
    return [(one["keyword"], one["time"]) for one in rows["found"] if one["rule"] == "fired"]
