"""What the wake-word service does where there is more audio than the machine can work through."""

from __future__ import annotations

import asyncio

import numpy as np
from wyoming.ping import Ping

from spotter.arrays import Floats
from spotter.serving.lateness import Lateness
from tests.fakes import TALK, ToneScorer
from tests.processes import LIMIT_S
from tests.wyoming_parts import AsyncTcpClient, ToneModel, answered, chunks, logged, served


def looks(lateness: Lateness, speed: float, seconds: float, *, begin_s: float = 0.0, came_s: float = 0.0) -> list[bool]:
    """Work through audio that comes as it is recorded, at a speed of 1 if in time; whether windows are left out."""
    return [lateness.look(begin_s + at, came_s + speed * at, 0.0) for at in np.arange(0.0, seconds, 0.1).tolist()]


def test_who_is_worked_through_in_time_loses_nothing() -> None:
    assert not any(looks(Lateness(), 1.0, 60.0))


def test_when_audio_waits_for_long_windows_are_left_out_until_none_does() -> None:
    lateness = Lateness()
    left_out = looks(lateness, 0.5, 10.0)
    assert not any(left_out[:50])  # 1.5 s wait after three, and for two seconds after five
    assert all(left_out[52:])
    assert lateness.look(10.0, 9.0, 0.0)
    assert not lateness.look(10.1, 9.9, 0.0)


def test_a_recording_that_is_poured_waits_for_its_turn_and_loses_nothing() -> None:
    lateness = Lateness()
    assert not lateness.look(0.0, 0.0, 8.0)
    assert not any(looks(lateness, 0.2, 60.0))


def test_what_the_client_itself_lets_pass_is_not_late() -> None:
    lateness = Lateness()
    looks(lateness, 1.0, 1.0)
    for pause in range(10, 100, 10):
        lateness.rest()
        assert not any(looks(lateness, 1.0, 5.0, begin_s=1.0 + pause, came_s=1.0 + pause / 2))


class SlowModel(ToneModel):
    """Takes twice as long for a window as it lasts, by a clock of its own."""

    now_s = 0.0

    def scorer(self, hop_samples: int) -> ToneScorer:
        model = self

        class Scorer(ToneScorer):
            def score(self, frames: Floats, new: int) -> Floats:
                model.now_s += 2.0 * hop_samples / 16_000
                return super().score(frames, new)

        return Scorer(self.frontend)


def test_a_client_that_stays_late_is_up_to_date_again_which_is_counted_and_said_once() -> None:
    model = SlowModel()
    sounds = chunks(np.resize(TALK, 16_000 * 60), size=800)

    async def late() -> tuple[int, float]:
        async with served(model) as (server, port), AsyncTcpClient("127.0.0.1", port) as client:
            server.clock = lambda: model.now_s

            heard, sent_s = 0, 0.0
            for chunk in sounds:  # as they are recorded
                while sent_s > model.now_s + 0.2:  # noqa: ASYNC110
                    await asyncio.sleep(0)
                await client.write_event(chunk.event())
                sent_s += 0.05
            await client.write_event(Ping().event())
            while (await answered(client)).type != "pong":
                heard += 1
            return heard, server.skipped_s

    with logged() as lines:
        heard, skipped_s = asyncio.run(asyncio.wait_for(late(), LIMIT_S))
    assert 5 < heard < 24  # of 26
    assert 20.0 < skipped_s < 40.0
    (line,) = lines
    assert line.startswith("too slow: audio had waited for too long, and windows were left out, ")
    assert line.endswith(" s so far (1 clients); give --processes, or fewer clients")
