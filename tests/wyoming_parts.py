"""What the tests of the wake-word service share: models of tones, a server on a free port, the package's own client."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.wake import Detect

from spotter.serving.address import Address
from spotter.serving.frames import Frame
from spotter.serving.limits import Limits
from spotter.serving.server import Server
from spotter.serving.session import Service, Session
from spotter.serving.words import Words
from tests.fakes import ScriptedModel
from tests.processes import LIMIT_S

if TYPE_CHECKING:
    from wyoming.event import Event

    from spotter.arrays import Floats
    from spotter.model import Model

__all__ = ["AsyncTcpClient", "AudioChunk", "AudioStart", "AudioStop", "Detect"]


class ToneModel(ScriptedModel):
    """Hears tones, and says of itself what a manifest says."""

    def __init__(self, name: str = "scripted") -> None:
        super().__init__()
        self.name = name
        self.languages = ("en",)
        self.phrases = {"yes": "oh yes", "no": "no"}
        self.manifest = {"licence": "Apache-2.0"}


def service(*models: ToneModel) -> Service:
    found = models or (ToneModel(),)
    return Service(Words(cast("Sequence[Model]", found)), found, [model.decoder for model in found])


def session(*models: ToneModel) -> tuple[Session, list[str]]:
    said: list[str] = []
    return Session(service(*models), said.append), said


def pcm(samples: Floats, channels: int = 1) -> bytes:
    whole = np.round(samples * 32_767).astype("<i2")
    return np.repeat(whole[:, None], channels, axis=1).tobytes()


def chunks(
    samples: Floats, *, rate: int = 16_000, channels: int = 1, size: int = 1_024, begin: int | None = 0
) -> Iterator[AudioChunk]:
    """Cut audio into chunks of so many frames; the first one's timestamp is `begin`."""
    for at in range(0, len(samples), size):
        stamp = None if begin is None else begin + at * 1_000 // rate
        audio = pcm(samples[at : at + size], channels)
        yield AudioChunk(rate=rate, width=2, channels=channels, audio=audio, timestamp=stamp)


def tell(it: Session, event: Event, *, more: bool = False) -> list[Event]:
    """Say something to a session; its answers."""
    answers = it.hear(Frame(event.type, event.data, event.payload or b""), more=more)
    return [answer for answer in answers if not isinstance(answer, float)]


@asynccontextmanager
async def served(*models: ToneModel, by: Service | None = None, **limits: Any) -> AsyncIterator[tuple[Server, int]]:
    """Serve on a free port of this machine, by a clock that stands: how busy the machine is makes nobody late."""
    server = Server(by or service(*models), Limits(**limits))
    server.clock = lambda: 0.0
    try:
        yield server, (await server.start(Address("127.0.0.1", 0))).port
    finally:
        await server.stop()


async def answered(client: AsyncTcpClient) -> Event:
    """Return the next answer."""
    event = await asyncio.wait_for(client.read_event(), LIMIT_S)
    assert event is not None, "the service closed the connection"
    return event


async def closed(writer: asyncio.StreamWriter) -> None:
    """Close a connection, and wait until it is."""
    writer.close()
    with suppress(OSError):  # the other side was first
        await asyncio.wait_for(writer.wait_closed(), LIMIT_S)


async def detections(port: int, samples: Floats, names: list[str] | None = None) -> list[tuple[str, int]]:
    """Send a recording as a client of its own; the words heard in it, with their timestamps."""
    async with AsyncTcpClient("127.0.0.1", port) as client:
        await client.write_event(Detect(names=names).event())
        await client.write_event(AudioStart(rate=16_000, width=2, channels=1).event())
        for chunk in chunks(samples):
            await client.write_event(chunk.event())
        await client.write_event(AudioStop().event())
        assert client._writer is not None
        client._writer.write_eof()
        found = []
        while (event := await asyncio.wait_for(client.read_event(), LIMIT_S)) is not None:
            assert event.type in ("detection", "not-detected")
            if event.type == "detection":
                found.append((event.data["name"], event.data["timestamp"]))
        return found


async def emptied(server: Server) -> None:
    """Wait until no client is left."""

    async def wait() -> None:
        while len(server):  # noqa: ASYNC110  the server tells nobody
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), LIMIT_S)


@contextmanager
def logged() -> Iterator[list[str]]:
    """Collect what the service says, and whatever asyncio complains about."""
    lines: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in ("spotter", "asyncio")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield lines
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
