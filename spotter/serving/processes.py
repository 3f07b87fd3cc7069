"""One service in several processes: all accept from one socket, and whoever has the fewest clients comes first."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import signal
import socket
import sys
import threading
from collections.abc import Callable, MutableSequence, Sequence
from multiprocessing import connection
from typing import TYPE_CHECKING, Any, Final

from spotter.errors import BadInputError, SpotterError
from spotter.serving.address import Address, why_not

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from spotter.serving.server import Server

_log = logging.getLogger(__name__)

_PRECEDENCE_S: Final = 0.03  # of a process with fewer clients
_REFUSED_S: Final = 1.0  # after the system has refused a client
_NOT_READY: Final = -1
_LOOK_S: Final = 0.05
_READY_S: Final = 60.0
_END_S: Final = 1.0
_WAITING: Final = 100  # clients that wait to be let in


class Share:
    """What one of the processes has: the socket of all, and how many clients each has.

    Parameters
    ----------
    listening : socket
        Bound, and listening.
    counts : sequence of int
        Shared between the processes.
    number : int
        Which of them this is.
    """

    def __init__(self, listening: socket.socket, counts: MutableSequence[int], number: int) -> None:
        self._listening, self._counts, self._number = listening, counts, number

    def begin(self) -> None:
        """Say that this process is ready."""
        self._counts[self._number] = 0

    async def accept(self, server: Server) -> None:
        """Let clients in until it is cancelled."""
        self._listening.setblocking(False)  # noqa: FBT003  the method's only argument
        server.counted = self._count
        refused = False
        while True:
            await self._knock()
            if len(server) > min(self._counts):
                await asyncio.sleep(_PRECEDENCE_S)
            try:
                client, _ = self._listening.accept()
                await server.take(client)
            except (BlockingIOError, ConnectionError):  # another process was first, or the client left
                continue
            except OSError as error:  # such as one more open file; some are closed soon
                if not refused:
                    _log.warning("no further client can be let in (%s); trying again", error.strerror or error)
                refused = True
                await asyncio.sleep(_REFUSED_S)
            else:
                refused = False

    async def _knock(self) -> None:
        """Wait until somebody is at the door."""
        loop = asyncio.get_running_loop()
        knocked = asyncio.Event()
        loop.add_reader(self._listening, knocked.set)
        try:
            await knocked.wait()
        finally:
            loop.remove_reader(self._listening)

    def _count(self, clients: int) -> None:
        self._counts[self._number] = clients


class Others:
    """The further processes of a service, from this one's point of view.

    Parameters
    ----------
    address : Address
        Where all listen.
    count : int
        Processes, this one included.
    work : callable
        What each of the others runs: takes its share and further arguments, all picklable.
    arguments : sequence
        Those.

    Raises
    ------
    BadInputError
        The address cannot be listened on.
    """

    def __init__(self, address: Address, count: int, work: Callable[..., None], arguments: Sequence[Any]) -> None:
        if sys.platform == "win32":
            raise BadInputError(f"--processes {count} needs Linux or macOS; leave it out")
        context = multiprocessing.get_context("spawn")
        self._listening = _bound(address)
        self.where = Address(address.host, self._listening.getsockname()[1])
        self._counts = context.RawArray("i", [_NOT_READY] * count)
        self.share = Share(self._listening, self._counts, 0)
        self._processes: list[SpawnProcess] = [
            context.Process(
                target=work,
                args=(self._listening, self._counts, number, *arguments),
                daemon=True,
                name=f"serve-{number}",
            )
            for number in range(1, count)
        ]

    async def begin(self) -> None:
        """Start them, and wait until each is ready; `SpotterError` where one ends instead."""
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # it would let Ctrl-C through when it is started
        for process in self._processes:
            # Ctrl-C is for the first process, which ends the others; one that comes now waits until this is started.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
            try:
                process.start()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            await asyncio.sleep(0)  # where it is to end, no further ones are started
        loop = asyncio.get_running_loop()
        ends = loop.time() + _READY_S
        while any(count == _NOT_READY for count in self._counts[1:]):
            self._check()
            if loop.time() > ends:
                raise SpotterError(f"a process is not ready after {_READY_S:g} s; give fewer with --processes")
            await asyncio.sleep(_LOOK_S)

    async def watch(self) -> None:
        """Raise `SpotterError` when one of them ends."""
        while True:
            self._check()
            await asyncio.sleep(1.0)

    def end(self) -> None:
        """End them."""
        started = [process for process in self._processes if process.pid is not None]
        for process in started:
            process.terminate()
        for process in started:
            process.join(_END_S / len(started))
            if process.is_alive():
                process.kill()
        self._listening.close()

    def _check(self) -> None:
        for process in self._processes:
            if process.exitcode is not None:
                raise SpotterError(
                    f"process {process.pid} of the service has ended ({process.exitcode}); start it again"
                )


def leave_with_parent(leave: Callable[[], object]) -> None:
    """Call `leave`, in a thread, when the process that started this one is gone."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def wait() -> None:
            connection.wait([parent.sentinel])
            leave()

        threading.Thread(target=wait, name="parent", daemon=True).start()


def _bound(address: Address) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        return socket.create_server((address.host, address.port), family=family, backlog=_WAITING)
    except (OSError, OverflowError) as error:
        raise why_not(address, error) from error
