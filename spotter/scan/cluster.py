"""Recordings heard by the workers of a dask scheduler.

Only a finished future is a result: when a scheduler is killed, all others are cancelled, and dask's own iteration over
them ends as if all were done.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final

from spotter.errors import BadInputError, SpotterError
from spotter.extras import want
from spotter.scan import work
from spotter.scan.rows import KILLS, Heard, Recording, Task

_log = logging.getLogger(__name__)

_CONNECT_S: Final = 5.0
_ASK_S: Final = 10.0
_TICK_S: Final = 1.0
_FIRST_WORKER_S: Final = 10.0
_NO_WORKER_S: Final = 60.0
_LOUD: Final = ("distributed", "distributed.client", "tornado", "tornado.application")


@dataclass(frozen=True, slots=True)
class Unseen:
    """A worker that does not see a recording."""

    host: str


def hear_there(task: Task, recording: Recording) -> Heard | Unseen:
    """Hear one recording; runs in a worker."""
    if not os.path.exists(recording.path):  # noqa: PTH110
        return Unseen(socket.gethostname())
    return work.hear(task, recording)


def check(address: str) -> None:
    """Say what is missing for a cluster, or wrong with its address."""
    want("distributed", "dask", "--scheduler")
    _, _, port = address.rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65_536:
        raise BadInputError(f"{address!r} is no scheduler's address; give one such as tcp://192.168.1.5:8786")


def heard(address: str, task: Task, recordings: Sequence[Recording]) -> Generator[Heard, None, None]:
    """Yield what was heard, as it comes, each recording once.

    Raises
    ------
    SpotterError
        There is no scheduler or worker, or there is none any more.
    BadInputError
        A worker does not see the recordings.
    """
    if not recordings:
        return
    with _client(address) as client:
        yield from _Crew(client, address, task).heard(recordings)


class _Crew:
    """The workers of a scheduler, and what they are at."""

    def __init__(self, client: Any, address: str, task: Task) -> None:
        self._client, self._address, self._task = client, address, task
        self._key = f"spotter-scan-{uuid.uuid4().hex[:8]}"  # so that no result of another scan is taken for one of ours
        self._sent = 0
        self._running: dict[Any, Recording] = {}  # by future
        self._ended: SimpleQueue[Any] = SimpleQueue()
        self._places = 0
        self._looked_s = self._last_worker_s = time.monotonic()
        self._wait_for_workers()

    def heard(self, recordings: Sequence[Recording]) -> Generator[Heard, None, None]:
        waiting, suspects = deque(recordings), deque[Recording]()
        alone: Recording | None = None
        while waiting or self._running or suspects:
            while waiting and len(self._running) < self._places:
                self._send(waiting.popleft())
            if (
                not waiting and not self._running
            ):  # what workers died of, or with; alone, so that it takes no others along
                alone = suspects.popleft()
                self._send(alone)
            for recording, result in self._results():
                if result is not None:
                    yield result
                elif recording is alone:
                    yield Heard(recording=recording, problem=KILLS)
                else:
                    suspects.append(recording)

    def _send(self, recording: Recording) -> None:
        self._sent += 1
        key = f"{self._key}-{self._sent}"
        self._follow(self._client.submit(hear_there, self._task, recording, key=key, pure=False), recording)

    def _follow(self, future: Any, recording: Recording) -> None:
        self._running[future] = recording
        future.add_done_callback(self._ended.put)

    def _results(self) -> Iterator[tuple[Recording, Heard | None]]:
        """Wait for a future that has ended; None stands for one whose workers died."""
        self._look()
        try:
            future = self._ended.get(timeout=_TICK_S)
        except Empty:
            return
        recording = self._running.pop(future)
        if future.status == "finished":
            try:
                result = future.result(timeout=_ASK_S)
            except Exception:  # noqa: BLE001  it lay with a worker that has died since
                self._look()
                self._follow(future, recording)
            else:
                yield recording, self._seen(result, recording)
        elif future.status == "error":
            self._check_death(future.exception(timeout=_ASK_S))
            yield recording, None
        elif future.status == "cancelled":
            raise self._gone()
        else:  # lost, and to be heard again
            self._follow(future, recording)

    def _seen(self, result: Heard | Unseen, recording: Recording) -> Heard:
        if isinstance(result, Heard):
            return result
        if not Path(recording.path).exists():
            return Heard(recording=recording, problem="it is not there any more")
        raise BadInputError(
            f"the worker on {result.host} does not see {recording.path}; make the folder visible there at the same path"
        )

    def _check_death(self, failure: BaseException) -> None:
        """Raise what a future failed with, unless it is the death of the workers that had it."""
        from distributed import KilledWorker

        if isinstance(failure, KilledWorker):
            return
        if isinstance(failure, SpotterError):
            raise failure
        raise SpotterError(
            f"the workers of {self._address} cannot do it ({type(failure).__name__}: {failure}); "
            'install this version of spotter there: pip install "spotter-kws[dask]"'
        )

    def _wait_for_workers(self) -> None:
        deadline = time.monotonic() + _FIRST_WORKER_S
        while not self._count():
            if time.monotonic() > deadline:
                raise SpotterError(
                    f"the scheduler {self._address} has no workers; start some with `dask worker {self._address}`"
                )
            time.sleep(_TICK_S / 4)

    def _look(self) -> None:
        """Now and then, see whether the scheduler and its workers are still there."""
        now = time.monotonic()
        if self._client.status != "running":
            raise self._gone()
        if now - self._looked_s < _TICK_S:
            return
        self._looked_s = now
        if self._count():
            self._last_worker_s = now
        elif now - self._last_worker_s > _NO_WORKER_S:
            raise SpotterError(
                f"the scheduler {self._address} has no workers any more; start some with "
                f"`dask worker {self._address}`, and the same command goes on"
            )

    def _count(self) -> int:
        """Ask how many threads the workers have; give them a little more than one recording each."""
        try:
            about = self._client.sync(self._client.scheduler.identity, callback_timeout=_ASK_S)
        except Exception as error:
            raise self._gone() from error
        threads: int = sum(worker["nthreads"] for worker in about["workers"].values())
        self._places = max(2, 2 * threads)
        return threads

    def _gone(self) -> SpotterError:
        return SpotterError(
            f"the scheduler {self._address} is gone; what was heard is kept, and the same command goes on"
        )


@contextmanager
def _client(address: str) -> Iterator[Any]:
    import distributed

    for name in _LOUD:  # what they would say in many lines is said in one
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client: Any = distributed.Client(address, timeout=_CONNECT_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:  # ValueError: an unknown protocol
        raise SpotterError(
            f"no dask scheduler answers at {address}; start one with `dask scheduler`, or check the address"
        ) from error
    try:
        yield client
    finally:
        with suppress(Exception):
            client.close(timeout=2)
