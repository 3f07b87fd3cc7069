"""The event loop around a server, until Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spotter.serving.address import Address
    from spotter.serving.announce import Announcement
    from spotter.serving.processes import Others, Share
    from spotter.serving.server import Server

_log = logging.getLogger(__name__)


def serve(
    server: Server,
    address: Address,
    announcement: Announcement | None,
    ready: Callable[[Address], object],
    others: Others | None = None,
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
    others : Others, optional
        Further processes that do the same.

    Raises
    ------
    BadInputError
        It cannot listen there.
    """
    asyncio.run(_serve(server, address, announcement, ready, others))


async def _serve(
    server: Server,
    address: Address,
    announcement: Announcement | None,
    ready: Callable[[Address], object],
    others: Others | None,
) -> None:
    told = _told()
    try:
        if others is None:
            where = await server.start(address)
        else:
            await _first(told.wait(), others.begin())
            if told.is_set():
                return
            where = others.where
        if announcement is not None:
            await announcement.begin(where.port)
        ready(where)
        if others is None:
            await told.wait()
        else:
            await _first(told.wait(), others.watch(), _let_in(server, others.share))
    finally:
        await server.stop()
        if others is not None:
            others.end()
        if announcement is not None:
            await announcement.end()


def help_to_serve(server: Server, share: Share) -> None:
    """Serve, as one of several processes, until told to end, or until the first of them is gone."""
    asyncio.run(_help(server, share))


async def _help(server: Server, share: Share) -> None:
    from spotter.serving.processes import leave_with_parent

    told = _told()
    loop = asyncio.get_running_loop()
    leave_with_parent(lambda: loop.call_soon_threadsafe(told.set))
    share.begin()
    try:
        await _first(told.wait(), _let_in(server, share))
    finally:
        await server.stop()


async def _let_in(server: Server, share: Share) -> None:
    server.watch()
    await share.accept(server)


async def _first(*works: Coroutine[Any, Any, object]) -> None:
    """Run until one is done; raise what it raised, and cancel the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for task in done:
        task.result()


def _told() -> asyncio.Event:
    """Return what Ctrl-C and SIGTERM set, from now on."""
    told = asyncio.Event()
    _on_signals(told)
    asyncio.get_running_loop().set_exception_handler(_in_one_line)
    return told


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
