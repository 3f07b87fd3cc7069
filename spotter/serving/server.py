"""Listens for clients, counts them, and lets go of those that say nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from spotter.serving.address import Address, why_not
from spotter.serving.connection import Connection
from spotter.serving.limits import Limits
from spotter.serving.session import Service

_LOOKS_IN_IDLE_TIME: Final = 4
_SAY_SLOW_EVERY_S: Final = 60.0

_log = logging.getLogger(__name__)


class Server:
    """The service on an address.

    Parameters
    ----------
    service : Service
        What all clients share.
    limits : Limits
        What one may ask for.
    """

    def __init__(self, service: Service, limits: Limits) -> None:
        self.service, self.limits = service, limits
        self.most = 0  # clients at once, so far
        self.skipped_s = 0.0  # of audio of clients in which nothing was decided, since there was too much to do
        self.clock = time.monotonic
        self._slow_until_s = float("-inf")  # said, and not again before
        self.counted: Callable[[int], None] = lambda _: None  # is told how many there are
        self._clients: set[Connection] = set()  # who have a place
        self._open: set[Connection] = set()  # with those that are told why they have none
        self._full = False  # and said so
        self._server: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Return how many clients there are."""
        return len(self._clients)

    async def start(self, address: Address) -> Address:
        """Begin to listen; return where, with the port if any was to be taken.

        Raises
        ------
        BadInputError
            The address is in use, is none of this machine's, or is not allowed.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Connection(self), address.host, address.port)
        except (OSError, OverflowError) as error:
            raise why_not(address, error) from error
        self.watch()
        return Address(address.host, self._server.sockets[0].getsockname()[1])

    def watch(self) -> None:
        """Begin to look for clients that say nothing."""
        self._watch = asyncio.create_task(self._look_for_idle())

    async def take(self, client: socket.socket) -> None:
        """Serve a client that was let in elsewhere."""
        client.setblocking(False)  # noqa: FBT003  the method's only argument
        await asyncio.get_running_loop().connect_accepted_socket(lambda: Connection(self), client)

    async def stop(self) -> None:
        """Close everything, at once."""
        if self._server is not None:
            self._server.close()
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        for client in tuple(self._open):
            client.abort()
        await asyncio.sleep(0)  # their ends are told by the loop

    def opened(self, client: Connection) -> bool:
        """Take a client in; False where there are too many."""
        self._open.add(client)
        if len(self._clients) >= self.limits.connections:
            if not self._full:
                _log.warning(
                    "%d clients are there already; further ones get the places of those that send no audio, or are "
                    "turned away, give more with --connections",
                    len(self._clients),
                )
            self._full = True
            silent = self._longest_silent()
            if silent is None:
                return False
            self._clients.discard(silent)
            silent.make_room()
        self._clients.add(client)
        self.most = max(self.most, len(self._clients))
        self.counted(len(self._clients))
        return True

    def closed(self, client: Connection) -> None:
        """Forget a client."""
        self._open.discard(client)
        self._clients.discard(client)
        self.counted(len(self._clients))
        self._full = self._full and len(self._clients) > self.limits.connections // 2

    def _longest_silent(self) -> Connection | None:
        """Return who has sent no audio for longest, from the machine that has most of those; None where all are heard.

        So a machine that takes all places without a use for them loses its own, and a satellite that waits does not.
        """
        begin_s = self.clock() - self.limits.silent_s
        silent = [client for client in self._clients if client.audio_s <= begin_s]
        hosts = Counter(client.host for client in silent)
        return max(silent, key=lambda client: (hosts[client.host], -client.audio_s), default=None)

    def left_out(self, seconds: float) -> None:
        """Count audio in which nothing was decided; say so, once a minute at most."""
        self.skipped_s += seconds
        if self.clock() >= self._slow_until_s:
            self._slow_until_s = self.clock() + _SAY_SLOW_EVERY_S
            _log.warning(
                "too slow: audio had waited for too long, and windows were left out, %.1f s so far (%d clients); "
                "give --processes, or fewer clients",
                self.skipped_s,
                len(self._clients),
            )

    async def _look_for_idle(self) -> None:
        while True:
            await asyncio.sleep(self.limits.idle_s / _LOOKS_IN_IDLE_TIME)
            for client in tuple(self._clients):
                client.close_if_idle(self.clock())
