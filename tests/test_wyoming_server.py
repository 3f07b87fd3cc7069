"""The wake-word service over real TCP, with the package's own client: many at once, as Home Assistant speaks to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest
from wyoming.info import Describe, Info
from wyoming.wake import Detection

from spotter.arrays import Floats
from spotter.checkup import DEMO
from spotter.model import Model
from spotter.recorded import spot
from spotter.serving.session import Service
from spotter.serving.words import Words
from spotter.sources.files import AudioFile
from spotter.streams import Together
from tests.fakes import TALK
from tests.wyoming_parts import (
    AsyncTcpClient,
    AudioChunk,
    AudioStart,
    AudioStop,
    Detect,
    answered,
    chunks,
    detections,
    emptied,
    logged,
    served,
)


@pytest.fixture(scope="module")
def demo() -> Floats:
    """What the shipped recording holds, shape (samples,)."""
    return np.concatenate([block[:, 0].copy() for block in AudioFile(DEMO).blocks()])


@pytest.fixture(autouse=True)
def quiet() -> Iterator[list[str]]:
    """Nothing is logged unless a test says so."""
    with logged() as lines:
        yield lines
    assert lines == []


def test_fifty_clients_at_once_are_each_heard_as_if_alone(demo: Floats) -> None:
    model = Model.open("commands")
    service = Service(Words([model]), [Together(model)], [model.decoder])
    cuts = [demo[round(16_000 * 0.9 * n) :][: 16_000 * 6] for n in range(10)]
    rounded = [np.round(cut * 32_767).astype("<i2").astype(np.float32) / np.float32(32_768) for cut in cuts]
    wanted = [[(event.keyword, event.time) for event in spot(cut, 16_000)] for cut in rounded]
    assert sum(map(len, wanted)) > 15

    async def all_of_them() -> list[list[tuple[str, int]]]:
        async with served(by=service) as (server, port):
            found = await asyncio.gather(*(detections(port, cuts[n % 10]) for n in range(50)))
            assert server.most == 50
            return found

    for number, found in enumerate(asyncio.run(all_of_them())):
        assert [name for name, _ in found] == [keyword for keyword, _ in wanted[number % 10]]
        for (_, stamp), (_, time) in zip(found, wanted[number % 10], strict=True):
            assert stamp <= time * 1_000 + 1 <= stamp + 66 or time > 6.0  # one that the end decides has the last chunk


async def microphone(samples: Floats) -> AsyncIterator[tuple[bytes, int]]:
    """Chunks of 10 ms with the milliseconds at which they begin, as Home Assistant's pipeline has them."""
    for chunk in chunks(samples, size=160):
        assert chunk.timestamp is not None
        yield chunk.audio, chunk.timestamp
        await asyncio.sleep(0)


async def home_assistant(
    port: int, stream: AsyncIterator[tuple[bytes, int]], wake_word: str | None
) -> Detection | None:
    """Do what Home Assistant's pipeline does: one connection a turn, audio and answers side by side, no end said."""

    async def next_chunk() -> tuple[bytes, int] | None:
        return await anext(stream, None)

    async with AsyncTcpClient("127.0.0.1", port) as client:
        await client.write_event(Detect(names=[wake_word] if wake_word else None).event())
        await client.write_event(AudioStart(rate=16_000, width=2, channels=1).event())
        audio, answer = asyncio.create_task(next_chunk()), asyncio.create_task(client.read_event())
        while True:
            done, _ = await asyncio.wait({audio, answer}, return_when=asyncio.FIRST_COMPLETED)
            if answer in done:
                event = answer.result()
                await audio
                assert event is not None
                return Detection.from_event(event)
            chunk = audio.result()
            if chunk is None:
                answer.cancel()
                return None
            event = AudioChunk(rate=16_000, width=2, channels=1, audio=chunk[0], timestamp=chunk[1]).event()
            await client.write_event(event)
            audio = asyncio.create_task(next_chunk())


def test_home_assistants_pipeline_finds_its_words_and_hears_one_after_another() -> None:
    async def pipeline() -> list[tuple[str | None, int | None]]:
        async with served() as (server, port):
            async with AsyncTcpClient("127.0.0.1", port) as client:
                await client.write_event(Describe().event())
                info = Info.from_event(await answered(client))
            words = [(model.name, model.description or model.name, model.phrase) for model in info.wake[0].models]
            assert words == [("yes", "oh yes", "oh yes"), ("no", "no", "no")]
            stream = microphone(TALK)  # goes on from turn to turn
            turns = []
            for wake_word in (None, "no", "no"):
                turns.append(await home_assistant(port, stream, wake_word))
                for _ in range(60):  # what follows the word goes elsewhere
                    await anext(stream, None)
            await emptied(server)
            return [(turn.name, turn.timestamp) if turn else (None, None) for turn in turns]

    first, second, third = asyncio.run(pipeline())
    assert first[0] == "yes"
    assert 1_500 < (first[1] or 0) < 2_100
    assert second[0] == "no"
    assert 3_000 < (second[1] or 0) < 3_600
    assert third == (None, None)


def test_a_satellite_that_stays_connected_hears_every_word_and_may_ask_anew() -> None:
    async def satellite() -> list[str]:
        async with served() as (_, port), AsyncTcpClient("127.0.0.1", port) as client:
            heard = []
            for names in (["yes", "no"], ["no"]):
                await client.write_event(Detect(names=names).event())  # no audio-start follows
                for chunk in chunks(TALK):
                    await client.write_event(chunk.event())
                for _ in names:
                    heard.append((await answered(client)).data["name"])  # noqa: PERF401  one at a time
            await client.write_event(AudioStop().event())
            await client.write_event(Describe().event())
            assert (await answered(client)).type == "info"
            return heard

    assert asyncio.run(satellite()) == ["yes", "no", "no"]


def test_a_stream_without_its_word_is_answered_when_it_ends() -> None:
    async def quiet_one() -> list[str]:
        async with served() as (_, port), AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(Detect(names=["no"]).event())
            for chunk in chunks(TALK[:40_000]):
                await client.write_event(chunk.event())
            await client.write_event(AudioStop().event())
            return [(await answered(client)).type]

    assert asyncio.run(quiet_one()) == ["not-detected"]


def test_clients_of_many_rates_are_heard_beside_one_another() -> None:
    async def mixed() -> list[list[str]]:
        async with served() as (_, port):
            return list(await asyncio.gather(*(one(port, rate) for rate in (8_000, 16_000, 44_100, 48_000))))

    async def one(port: int, rate: int) -> list[str]:
        at = np.arange(0, len(TALK), 16_000 / rate)
        samples = np.interp(at, np.arange(len(TALK)), TALK).astype(np.float32)
        async with AsyncTcpClient("127.0.0.1", port) as client:
            for chunk in chunks(samples, rate=rate, channels=2):
                await client.write_event(chunk.event())
            return [(await answered(client)).data["name"] for _ in range(2)]

    assert asyncio.run(mixed()) == [["yes", "no"]] * 4


def test_an_unknown_name_is_answered_and_logged(quiet: list[str]) -> None:
    async def ask() -> str:
        async with served() as (_, port), AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(Detect(names=["hey robot"]).event())
            event = await answered(client)
            assert event.type == "error"
            return str(event.data["text"])

    text = asyncio.run(ask())
    assert text == "no wake word called 'hey robot'; there are yes, no"
    assert len(quiet) == 1
    assert quiet.pop().endswith(f": {text}")
