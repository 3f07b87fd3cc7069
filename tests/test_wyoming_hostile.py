"""Clients of the wake-word service that send garbage, stop in the middle, flood or never read do no harm to others."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import struct
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import pytest
from wyoming.info import Describe

from spotter.serving.connection import Connection, encoded
from tests.fakes import TALK, ToneScorer
from tests.processes import LIMIT_S
from tests.wyoming_parts import (
    AsyncTcpClient,
    Detect,
    ToneModel,
    answered,
    chunks,
    closed,
    detections,
    emptied,
    logged,
    served,
)

HEADER = b'{"type": "audio-chunk", "data": {"rate": 16000, "width": 2, "channels": 1}, "payload_length": %d}\n'


FULL = (
    "%d clients are there already; further ones get the places of those that send no audio, or are turned away, "
    "give more with --connections"
)
Ends: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Clock:
    """Goes on when it is told to, however busy the machine is."""

    def __init__(self) -> None:
        self.now_s = time.monotonic()

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(autouse=True)
def said() -> Iterator[list[str]]:
    """What is logged; a test takes out what it expects."""
    with logged() as lines:
        yield lines
    assert lines == []


async def pushed(port: int, data: bytes) -> bytes:
    """Send bytes; all that comes back until the service closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    try:
        return await asyncio.wait_for(reader.read(), LIMIT_S)
    finally:
        await closed(writer)


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: spotter\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2 + b"\n",
        b"x" * 100_000,
        b"{" * 15_000 + b"\n",
        b'{"type": "detect", "data_length": 5}\nnulls',
        b'{"type": "detect", "data_length": -5}\n',
        b'{"data": {}}\n',
        b'{"type": "x", "payload_length": 99999999999999999999}\n' + b"y" * 300_000,
    ],
)
def test_garbage_is_answered_with_one_error_and_one_line_while_others_are_heard(
    garbage: bytes, said: list[str]
) -> None:
    async def both() -> tuple[bytes, list[tuple[str, int]]]:
        async with served(linger_s=0.3) as (server, port):
            answer, heard = await asyncio.gather(pushed(port, garbage), detections(port, TALK))
            await emptied(server)
            return answer, heard

    answer, heard = asyncio.run(both())
    assert [name for name, _ in heard] == ["yes", "no"]
    header, rest = answer.split(b"\n", 1)
    assert json.loads(header)["type"] == "error"
    assert json.loads(rest)["code"] == "bad-frame"
    (line,) = said
    said.clear()
    assert line.startswith("127.0.0.1:")
    assert line.endswith("; closed")
    assert len(line) < 200


@pytest.mark.parametrize("sent", [b"", b'{"type": "det', HEADER % 2_000, HEADER % 2_000 + b"\0" * 1_000])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_stops_in_the_middle_is_forgotten_without_a_word(sent: bytes, how: str) -> None:
    async def stop() -> list[tuple[str, int]]:
        async with served() as (server, port):
            with socket.create_connection(("127.0.0.1", port)) as raw:
                for chunk in chunks(TALK[:16_000]):
                    raw.sendall(encoded(chunk.event()))
                raw.sendall(sent)
                if how == "reset":
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            heard = await detections(port, TALK)
            await emptied(server)
            return heard

    assert [name for name, _ in asyncio.run(stop())] == ["yes", "no"]


def test_others_are_answered_while_clients_pour_audio() -> None:
    minute = b"".join(encoded(c.event()) for c in chunks(np.resize(TALK, 16_000 * 60)))

    async def pour(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for at in range(0, len(minute), 65_536):
            writer.write(minute[at : at + 65_536])
            await writer.drain()
        writer.write_eof()
        await asyncio.wait_for(reader.read(), LIMIT_S)
        await closed(writer)

    async def both() -> int:
        async with served() as (_, port):
            pouring = [asyncio.create_task(pour(port)) for _ in range(4)]
            answers = 0
            for _ in range(3):
                async with AsyncTcpClient("127.0.0.1", port) as client:
                    await client.write_event(Describe().event())
                    assert (await answered(client)).type == "info"
                    answers += not any(task.done() for task in pouring)
            assert [name for name, _ in await detections(port, TALK)] == ["yes", "no"]
            await asyncio.gather(*pouring)
            return answers

    assert asyncio.run(both()) == 3


def test_a_client_that_never_reads_is_not_read_from_either_and_is_let_go(said: list[str]) -> None:
    asked = encoded(Describe().event()) * 2_000

    async def never() -> tuple[int, int]:
        clock = Clock()
        async with served(idle_s=1.0) as (server, port):
            server.clock = clock
            with socket.socket() as raw:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                raw.connect(("127.0.0.1", port))
                raw.setblocking(False)  # noqa: FBT003
                refused, kept, client = 0, (0, 0), None
                while refused < 20 or (refused < 1_000 and not kept[0]):  # then nothing moves any more
                    try:
                        raw.send(asked)
                    except BlockingIOError:
                        refused += 1
                        await asyncio.sleep(0.01)
                    await asyncio.sleep(0)
                    client = next(iter(server._clients), client)
                    if client is not None:
                        kept = client._transport.get_write_buffer_size(), client._reader.waiting
                assert [name for name, _ in await detections(port, TALK)] == ["yes", "no"]
                clock.now_s += 2.0
                await emptied(server)
            return kept

    unread, waiting = asyncio.run(never())
    assert 0 < unread < 100_000
    assert waiting < 400_000
    (line,) = said
    said.clear()
    assert line.endswith(": no whole frame for 1 s; closed")


def test_a_client_that_says_nothing_is_let_go_and_one_that_speaks_is_not(said: list[str]) -> None:
    async def both() -> str:
        clock = Clock()
        async with served(idle_s=1.0) as (server, port):
            server.clock = clock
            _, silent = await asyncio.open_connection("127.0.0.1", port)
            async with AsyncTcpClient("127.0.0.1", port) as client:
                for _ in range(2):
                    await client.write_event(Describe().event())
                    kind = (await answered(client)).type
                    clock.now_s += 0.8
                while len(server) > 1:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.6)  # it looks around twice more
                assert len(server) == 1
            await closed(silent)
            return kind

    assert asyncio.run(both()) == "info"
    (line,) = said
    said.clear()
    assert line.endswith(": no whole frame for 1 s; closed")


def test_more_clients_than_agreed_are_turned_away_with_an_answer_and_one_line(said: list[str]) -> None:
    async def crowd() -> list[bytes]:
        async with served(connections=2, linger_s=0.1) as (server, port):
            there = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            turned_away = [await pushed(port, b"") for _ in range(5)]
            assert len(server) == 2
            for _, writer in there:
                await closed(writer)
            await emptied(server)
            assert [name for name, _ in await detections(port, TALK)] == ["yes", "no"]
            return turned_away

    for answer in asyncio.run(crowd()):
        assert b'"too-many-clients"' in answer
    assert said == [FULL % 2]
    said.clear()


async def pinged(port: int, host: str = "127.0.0.1") -> Ends:
    """Be a client from one of this machine's addresses, which pings, and nothing else."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(host, 0))
    await ping((reader, writer))
    return reader, writer


async def ping(client: Ends) -> None:
    client[1].write(b'{"type": "ping"}\n')
    assert b"pong" in await asyncio.wait_for(client[0].readline(), LIMIT_S)


async def told_to_go(client: Ends) -> bool:
    answer = await asyncio.wait_for(client[0].read(), LIMIT_S)
    await closed(client[1])
    return b'"too-many-clients"' in answer


def test_where_all_places_are_taken_who_has_sent_no_audio_for_longest_makes_room(said: list[str]) -> None:
    audio = encoded(next(chunks(TALK)).event())

    async def crowd() -> list[str]:
        clock = Clock()
        async with served(connections=3) as (server, port):
            server.clock = clock
            there = []
            for _ in range(3):
                there.append(await pinged(port))
                clock.now_s += 1.0
            first, second, heard = there
            heard[1].write(audio)
            for client in there:
                await ping(client)
            clock.now_s += 7.5  # ten and a half seconds after the first one came
            for client in there:
                await ping(client)
            newcomer = await pinged(port)
            assert await told_to_go(first)
            assert await told_to_go(await pinged_in_vain(port))
            clock.now_s += 1.0
            words = [name for name, _ in await detections(port, TALK)]
            assert await told_to_go(second)
            for client in (heard, newcomer):
                await ping(client)
                await closed(client[1])
            await emptied(server)
            return words

    assert asyncio.run(crowd()) == ["yes", "no"]
    assert said == [FULL % 3]
    said.clear()


async def pinged_in_vain(port: int) -> Ends:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b'{"type": "ping"}\n')
    return reader, writer


@pytest.mark.skipif(sys.platform != "linux", reason="the machine has one loopback address")
def test_a_machine_that_takes_most_places_without_a_use_for_them_loses_its_own(said: list[str]) -> None:
    async def crowd() -> None:
        clock = Clock()
        async with served(connections=3) as (server, port):
            server.clock = clock
            waiting = await pinged(port, "127.0.0.2")
            clock.now_s += 1.0
            greedy = [await pinged(port, "127.0.0.3") for _ in range(2)]
            clock.now_s += 20.0
            newcomer = await pinged(port, "127.0.0.4")
            assert len(server) == 3
            await ping(waiting)
            await ping(newcomer)
            for _, writer in (waiting, newcomer, *greedy):
                await closed(writer)
            await emptied(server)

    asyncio.run(crowd())
    assert said == [FULL % 3]
    said.clear()


def test_half_a_character_in_a_ping_is_answered_and_harms_nobody() -> None:
    asked = b'{"type": "ping", "data": {"text": "x\\ud800"}}\n' + encoded(Describe().event())

    async def ask() -> list[str]:
        async with served() as (_, port), AsyncTcpClient("127.0.0.1", port) as client:
            assert client._writer is not None
            client._writer.write(asked)
            return [(await answered(client)).type for _ in range(2)]

    assert asyncio.run(ask()) == ["pong", "info"]


def test_a_bug_of_ours_costs_one_client_its_connection_and_nobody_else_anything(said: list[str]) -> None:
    class Broken(ToneModel):
        name = "broken"

        def scorer(self, hop_samples: int) -> ToneScorer:
            raise RuntimeError("a bug")

    async def both() -> bytes:
        async with served(Broken()) as (server, port):
            async with AsyncTcpClient("127.0.0.1", port) as other:
                answer = await pushed(port, HEADER % 2 + b"\0\0")
                await other.write_event(Describe().event())
                assert (await answered(other)).type == "info"
            await emptied(server)
            return answer

    assert asyncio.run(both()) == b""
    (line,) = said
    said.clear()
    assert line.endswith("the service failed; closed")


def test_a_client_with_a_grudge_does_not_fill_the_log(said: list[str]) -> None:
    asked = encoded(Detect(names=["nobody"]).event()) * 500 + encoded(Describe().event())

    async def ask() -> int:
        async with served() as (_, port), AsyncTcpClient("127.0.0.1", port) as client:
            assert client._writer is not None
            client._writer.write(asked)
            answers = 0
            while (await answered(client)).type == "error":
                answers += 1
            return answers

    assert asyncio.run(ask()) == 500
    assert len(said) == 10
    assert said[-1].endswith("what else is wrong with this client is not said any more")
    said.clear()


def test_others_have_their_turn_between_streams_that_a_client_begins_over_and_over() -> None:
    begun: list[str] = []

    class Noted(ToneModel):
        def scorer(self, hop_samples: int) -> ToneScorer:
            begun.append("stream")
            return super().scorer(hop_samples)

    rates = b"".join(HEADER.replace(b"16000", b"%d" % (8_000 + n)) % 2 + b"\0\0" for n in range(30))

    async def both() -> None:
        async with served(Noted()) as (_, port):
            asyncio.get_running_loop().call_soon(note)
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(rates)
            while begun.count("stream") < 30:  # noqa: ASYNC110
                await asyncio.sleep(0)
            await closed(writer)

    def note() -> None:
        begun.append("turn")
        if begun.count("stream") < 30:
            asyncio.get_running_loop().call_soon(note)

    asyncio.run(both())
    streams = [n for n, what in enumerate(begun) if what == "stream"]
    assert all(after > before + 1 for before, after in pairwise(streams))


class Reset(asyncio.Transport):
    """The connection of a client that has just gone, which nobody has told us yet."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def write_eof(self) -> None:
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    def resume_reading(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        self.aborted = True


def test_a_client_that_is_gone_when_its_error_is_to_be_answered_is_closed_without_another_word(said: list[str]) -> None:
    async def go() -> bool:
        async with served(linger_s=0.01) as (server, _):
            connection, transport = Connection(server), Reset()
            connection.connection_made(transport)
            connection.data_received(b"garbage\n")
            await asyncio.sleep(0.05)
            connection.connection_lost(None)
            return transport.aborted

    assert asyncio.run(go())
    (line,) = said
    said.clear()
    assert line.endswith("; closed")
