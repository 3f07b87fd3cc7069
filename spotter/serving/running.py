"""The event loop around a server, until Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spotter.serving.address import Address
    from spotter.serving.announce import Announcement
    from spotter.serving.server import Server

_log = logging.getLogger(__name__)


def serve(
    server: Server, address: Address, announcement: Announcement | None, ready: Callable[[Address], object]
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Parameters
    ----------
    server : Server
        Not started.
    address : Address
        Where it is to listen.
    announcement : Announcement, optional
        Tells the network of it.
    ready : callable
        Is told where it listens, once it does.

    Raises
    ------
    BadInputError
        It cannot listen there.
    """
    asyncio.run(_serve(server, address, announcement, ready))


async def _serve(
    server: Server, address: Address, announcement: Announcement | None, ready: Callable[[Address], object]
) -> None:
    told = asyncio.Event()
    _on_signals(told)
    asyncio.get_running_loop().set_exception_handler(_in_one_line)
    try:
        where = await server.start(address)
        if announcement is not None:
            await announcement.begin(where.port)
        ready(where)
        await told.wait()
    finally:
        await server.stop()
        if announcement is not None:
            await announcement.end()


def _on_signals(told: asyncio.Event) -> None:
    """Let Ctrl-C and SIGTERM end the service in order."""
    loop = asyncio.get_running_loop()

    def end(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(told.set)

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, told.set)
        except NotImplementedError:  # Windows
            signal.signal(number, end)


def _in_one_line(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say what the system refuses, such as one more open file; anything else is a bug, and its traceback is wanted."""
    error = context.get("exception")
    if isinstance(error, OSError):
        _log.warning("%s: %s", context.get("message", "the network"), error.strerror or error)
    else:
        loop.default_exception_handler(context)
