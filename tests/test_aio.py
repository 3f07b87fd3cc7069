"""`async for detection in listener`: in one loop or several, left, cancelled, or with a source that fails."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from queue import SimpleQueue

import pytest

from spotter.errors import MicrophoneError
from spotter.event_queue import EventQueue
from spotter.events import Detection
from spotter.listener import Listener
from spotter.sources import Sink
from spotter.sources.memory import Samples
from tests.fakes import Failing, Pushed, ScriptedModel, recording

WORDS = ((1.5, "yes"), (3.0, "no"), (4.5, "yes"))
TALK = recording(*WORDS, seconds=6.0)

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def to_talk() -> Listener:
    return Listener(ScriptedModel(), source=Samples(TALK))


async def all_of(listener: Listener) -> list[Detection]:
    return [detection async for detection in listener]


async def until(condition: Callable[[], object]) -> None:
    for _ in range(30_000):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("did not happen within 60 s")


async def running(source: Pushed, listener: Listener) -> None:
    await until(lambda: source.opened and listener.running)


def test_a_loop_gives_what_the_plain_loop_gives_and_may_be_repeated() -> None:
    listener = to_talk()
    wanted = list(listener)
    assert [d.keyword for d in wanted] == ["yes", "no", "yes"]
    assert asyncio.run(all_of(listener)) == wanted
    assert asyncio.run(all_of(listener)) == wanted  # another loop
    assert list(listener) == wanted


def test_other_tasks_go_on_while_it_waits_and_a_detection_comes_as_it_happens() -> None:
    async def main() -> None:
        source = Pushed()
        listener = Listener(ScriptedModel(), source=source)
        heard: asyncio.Queue[str] = asyncio.Queue()

        async def follow() -> None:
            async for detection in listener:
                heard.put_nowait(detection.keyword)

        task = asyncio.create_task(follow())
        await running(source, listener)
        source.push(TALK[:40_000])
        assert await asyncio.wait_for(heard.get(), 60.0) == "yes"
        source.push(TALK[40_000:64_000])
        assert await asyncio.wait_for(heard.get(), 60.0) == "no"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not listener.running
        assert source.closed == 1

    asyncio.run(main())


def test_leaving_the_loop_stops_listening() -> None:
    async def main() -> Listener:
        source = Pushed()
        listener = Listener(ScriptedModel(), source=source)

        async def speak() -> None:
            await running(source, listener)
            source.push(TALK)

        speaking = asyncio.create_task(speak())
        async with contextlib.aclosing(aiter(listener)) as detections:  # type: ignore[type-var]
            async for detection in detections:
                assert detection.keyword == "yes"
                break
        await speaking
        assert not listener.running
        return listener

    assert not asyncio.run(main()).running


def test_a_loop_that_is_closed_by_hand_leaves_no_thread_behind() -> None:
    async def first() -> str:
        async for detection in to_talk():
            return detection.keyword
        return ""

    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(first()) == "yes"
    loop.close()


@pytest.mark.filterwarnings("ignore:coroutine method 'aclose'")  # Python's own, of a loop that is closed like this
def test_a_loop_that_is_closed_in_the_middle_leaves_no_thread_behind() -> None:
    source = Pushed()
    listener = Listener(ScriptedModel(), source=source)
    loop = asyncio.new_event_loop()
    detections: AsyncIterator[Detection] | None = aiter(listener)

    async def begin() -> None:
        assert detections is not None
        task = asyncio.ensure_future(anext(detections))
        await until(lambda: listener.running)
        source.push(TALK)
        assert (await task).keyword == "yes"

    loop.run_until_complete(begin())
    loop.close()
    assert source.closed == 0
    detections = None


def test_a_source_that_fails_raises_after_what_came_before() -> None:
    heard: list[str] = []

    async def main() -> None:
        async for detection in Listener(ScriptedModel(), source=Failing(TALK, OSError("the disk is gone"))):
            heard.append(detection.keyword)  # noqa: PERF401  those before it fails, too

    with pytest.raises(OSError, match="the disk is gone"):
        asyncio.run(main())
    assert heard == ["yes", "no", "yes"]


def test_a_live_source_that_fails_raises() -> None:
    source = Pushed()
    source.error = OSError("unplugged")
    with pytest.raises(OSError, match="unplugged"):
        asyncio.run(all_of(Listener(ScriptedModel(), source=source)))
    assert source.closed == 1


def test_a_source_that_fails_while_it_is_cancelled_is_logged_and_the_cancellation_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        source = Pushed()
        listener = Listener(ScriptedModel(), source=source)
        task = asyncio.create_task(all_of(listener))
        await running(source, listener)
        source.error = OSError("unplugged")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with caplog.at_level(logging.ERROR, "spotter"):
        asyncio.run(main())


def test_a_microphone_that_is_not_there_raises() -> None:
    class Absent(Pushed):
        def open(self) -> None:
            raise MicrophoneError("no microphone; plug one in")

    with pytest.raises(MicrophoneError, match="plug one in"):
        asyncio.run(all_of(Listener(ScriptedModel(), source=Absent())))


class Slow(Pushed):
    """Takes its time to begin."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def start(self, sink: Sink, doorbell: SimpleQueue[None]) -> None:
        assert self.go.wait(60.0)
        super().start(sink, doorbell)


def test_a_start_that_is_cancelled_ends_when_it_has_begun_and_the_loop_is_not_held_up() -> None:
    source = Slow()
    listener = Listener(ScriptedModel(), source=source)

    async def main() -> None:
        task = asyncio.create_task(all_of(listener))
        await until(lambda: source.opened)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task  # the device still thinks about it

    asyncio.run(main())
    source.go.set()
    deadline = time.monotonic() + 60.0
    while not source.closed:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_several_loops_in_several_threads_each_hear_their_own_listener() -> None:
    found: list[list[str]] = []

    def work() -> None:
        found.append([d.keyword for d in asyncio.run(all_of(to_talk()))])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["yes", "no", "yes"]] * 4


def test_loops_of_one_listener_share_its_detections_and_all_end() -> None:
    listener = to_talk()
    found: list[str] = []

    def work() -> None:
        found.extend(d.keyword for d in asyncio.run(all_of(listener)))

    listener.start()
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
        assert not thread.is_alive()
    assert sorted(found) == ["no", "yes", "yes"]
    listener.stop()


def test_loops_that_begin_and_end_at_once_do_not_lose_each_others_bells() -> None:
    queue = EventQueue(can_wait=True, stopping=lambda: False)
    lost: list[int] = []

    def begin_and_end() -> None:
        def bell() -> None:
            pass

        for number in range(15_000):
            with queue.fetching(bell):
                if bell not in queue._bells:  # it would never hear of an event
                    lost.append(number)

    often = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=begin_and_end) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(often)
    assert lost == []
    assert queue._bells == ()


def test_a_time_limit_around_the_loop_leaves_a_listener_running_that_was_started_outside() -> None:
    async def main() -> None:
        source = Pushed()
        with Listener(ScriptedModel(), source=source) as listener:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(all_of(listener), 0.05)
            assert listener.running
            source.push(TALK)
            assert (await anext(aiter(listener))).keyword == "yes"

    asyncio.run(main())
