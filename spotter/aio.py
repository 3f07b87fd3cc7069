"""`async for detection in listener`: no thread waits for the loop; the thread that listens wakes it.

Opening and closing a device may take a moment: each runs on a thread of its own, so that the loop goes on meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable
from queue import Empty
from typing import Protocol

from spotter.errors import SpotterError
from spotter.events import Detection, Event
from spotter.running import Run

_log = logging.getLogger(__name__)


class Startable(Protocol):
    """A `spotter.Listener`."""

    @property
    def run_now(self) -> Run | None:
        """The run that goes on."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End, and wait for that."""


async def detections(listener: Startable) -> AsyncIterator[Detection]:
    """Yield detections as they happen; starts if need be, and then stops when the loop is left or cancelled."""
    run, own = listener.run_now, None
    if run is None:
        run = await _started(listener)
        own = _StopWhenForgotten(run)
    bell = _Bell()
    try:
        with run.events.fetching(bell.ring):
            while (event := await _next(run, bell)) is not None:
                if isinstance(event, Detection):
                    yield event
        run.raise_error()
    except BaseException:
        if own:
            run.abandon()
            try:
                await _apart(listener.stop)
            except Exception:  # noqa: BLE001  what ends the loop is raised
                _log.exception("stopping failed as well")
        raise
    if own:
        await _apart(listener.stop)


async def _next(run: Run, bell: _Bell) -> Event | None:
    """Wait for the next event; None at the end."""
    await asyncio.sleep(0)  # a recording has the next at once; others have their turn
    while True:
        bell.rung.clear()
        try:
            return run.events.fetch(0.0)
        except Empty:
            await bell.rung.wait()


class _Bell:
    """Wakes the loop that it was made in."""

    def __init__(self) -> None:
        self.rung = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def ring(self) -> None:
        """Wake it, from any thread."""
        with contextlib.suppress(RuntimeError):  # it has been closed
            self._loop.call_soon_threadsafe(self.rung.set)


async def _started(listener: Startable) -> Run:
    """Start, and return the run; where the wait for it is cancelled, the run ends as soon as it has begun."""
    lock = threading.Lock()
    begun = unwanted = False

    def start() -> None:
        nonlocal begun
        listener.start()
        with lock:
            begun = True
            stop = unwanted
        if stop and (run := listener.run_now):
            run.abandon()
            listener.stop()

    try:
        await _apart(start)
    except asyncio.CancelledError:
        with lock:
            unwanted = True
            stop = begun
        if stop and (run := listener.run_now):
            run.abandon()
            _on_a_thread(listener.stop)
        raise
    run = listener.run_now
    if run is None:
        raise SpotterError("listening was ended while it began; begin again")
    return run


async def _apart(call: Callable[[], None]) -> None:
    """Have `call` run on a thread of its own; where this is cancelled, it runs to its end all the same."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell(error: BaseException | None) -> None:
        if done.cancelled():
            if error is not None:
                _log.error("what nobody waits for any more failed: %s", error)
        elif error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def work() -> None:
        error: BaseException | None = None
        try:
            call()
        except BaseException as caught:  # noqa: BLE001  raised where it is awaited
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(tell, error)

    _on_a_thread(work)
    await done


def _on_a_thread(call: Callable[[], None]) -> None:
    threading.Thread(target=call, name="spotter-asyncio", daemon=True).start()


class _StopWhenForgotten:
    """Ends the run when a generator is dropped that its loop, being closed, does not end any more."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __del__(self) -> None:
        self._run.abandon()
