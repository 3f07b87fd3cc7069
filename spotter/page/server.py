"""Serves the page and its WebSocket on one port, in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import secrets
import socket
import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from spotter.callbacks import join
from spotter.errors import BadInputError
from spotter.page.checks import PORT, is_ours, is_same_origin, url
from spotter.page.files import HEADERS, policy, read_files
from spotter.page.messages import MOST_BYTES
from spotter.page.viewer import Viewer

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response

    from spotter.page.shown import Shown

_log = logging.getLogger(__name__)
# Whoever knocks with garbage would leave a traceback for each time.
_quiet = logging.getLogger(f"{__name__}.connections")
_quiet.setLevel(logging.CRITICAL + 1)

SOCKET: Final = "/live"
_MOST_VIEWERS: Final = 16
_MOST_STRANGERS: Final = 64  # who have not sent the token yet, fetch a file, or say nothing
_HANDSHAKE_S: Final = 5.0
_ALIVE_S: Final = 20.0  # between two signs of life, and for each answer
_CLOSE_S: Final = 0.5
_START_S: Final = 10.0
_STOP_S: Final = 2.0


class Server:
    """Serves what is shown until it is stopped.

    Parameters
    ----------
    shown : Shown
        What viewers see.
    host, port
        Where; port 0 is any that is free.
    """

    def __init__(self, shown: Shown, host: str, port: int) -> None:
        self.token = secrets.token_urlsafe(24)
        self.port = port
        self.shown, self._host = shown, host
        self._files = read_files()
        self._viewers = 0
        self._strangers: dict[ServerConnection, None] = {}  # oldest first
        self._foreign_said = self._failure_said = False
        self._ready = threading.Event()
        self._failed: OSError | ValueError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="spotter-page", daemon=True)

    @property
    def url(self) -> str:
        """What to open; what is after # never leaves the browser but in the first message of its connection."""
        return f"{url(self._host, self.port)}#{self.token}"

    @property
    def viewers(self) -> int:
        """How many look."""
        return self._viewers

    def start(self) -> None:
        """Begin to serve; `BadInputError` where that cannot be."""
        self._thread.start()
        self._ready.wait(_START_S)
        if self._failed is not None:
            raise BadInputError(_problem(self._host, self.port, self._failed))

    def stop(self) -> None:
        """End all connections, within two seconds."""
        if self._loop is not None and self._stopping is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread.is_alive() and not join(self._thread, _STOP_S):
            _log.warning("the page does not end; it is left alone")

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except (OSError, ValueError) as error:  # a name that cannot be one is a ValueError
            self._failed = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        from websockets.asyncio.server import serve

        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        async with serve(
            self._handle,
            self._host,
            self.port,
            create_connection=self._counting(),
            process_request=self._request,
            compression=None,  # costs more than loopback
            max_size=MOST_BYTES,
            max_queue=4,
            write_limit=1 << 16,
            open_timeout=_HANDSHAKE_S,
            ping_interval=_ALIVE_S,
            ping_timeout=_ALIVE_S,
            close_timeout=_CLOSE_S,
            logger=_quiet,
            server_header=None,
        ) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            self._ready.set()
            await self._stopping.wait()

    def _counting(self) -> type[ServerConnection]:
        """Return the kind of connection of which the oldest stranger is dropped where there are too many.

        Each is an open file, and so is the microphone: whoever opens hundreds must not keep it from being opened again.
        The oldest, since a browser has sent its token at once, and whoever only stays must not keep it out.
        """
        from websockets.asyncio.server import ServerConnection

        page = self

        class Counted(ServerConnection):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                page._strangers[self] = None
                if len(page._strangers) > _MOST_STRANGERS:
                    oldest = next(iter(page._strangers))
                    del page._strangers[oldest]
                    oldest.transport.abort()

            def connection_lost(self, exc: Exception | None) -> None:
                page._strangers.pop(self, None)
                super().connection_lost(exc)

        return Counted

    async def _handle(self, connection: ServerConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        viewer = Viewer(self.shown, connection)
        try:
            with contextlib.suppress(ConnectionClosed):
                if await viewer.knows(self.token):
                    self._strangers.pop(connection, None)
                    with self._counted():
                        await viewer.run()
        except Exception:  # noqa: BLE001  whatever it is, it is that viewer's, whose browser tries again
            _log.log(
                logging.INFO if self._failure_said else logging.ERROR,
                "a viewer of the page was left; listening goes on",
                exc_info=True,
            )
            self._failure_said = True

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        self._viewers += 1
        try:
            yield
        finally:
            self._viewers -= 1

    def _request(self, connection: ServerConnection, request: Request) -> Response | None:  # noqa: ARG002
        """Answer a request for a file; None goes on with one for a WebSocket."""
        hosts = request.headers.get_all("Host")
        if not is_ours(hosts, self._host, self.port):
            return _refuse(HTTPStatus.FORBIDDEN, "this page is not served under that name")
        if getattr(request, "method", "GET") != "GET":
            return _refuse(HTTPStatus.METHOD_NOT_ALLOWED, "only GET is served")
        path = request.path.partition("?")[0]
        if path == SOCKET:
            return self._refuse_viewer(request.headers.get_all("Origin"), hosts[0])
        file = self._files.get(path)
        if file is None:
            return _refuse(HTTPStatus.NOT_FOUND, "there is no such file")
        return _response(HTTPStatus.OK, file.kind, file.body, policy(hosts[0]))

    def _refuse_viewer(self, origins: list[str], host: str) -> Response | None:
        """Return why a WebSocket is refused; None where it is not."""
        if not is_same_origin(origins, host):
            log, self._foreign_said = (_log.info if self._foreign_said else _log.warning), True
            log("another site (%.80s) tried to connect to the page; it was refused", ", ".join(origins) or "not named")
            return _refuse(HTTPStatus.FORBIDDEN, "only the page itself may connect")
        if self._viewers >= _MOST_VIEWERS:
            return _refuse(HTTPStatus.SERVICE_UNAVAILABLE, f"{_MOST_VIEWERS} viewers look already")
        return None


def _refuse(status: HTTPStatus, why: str) -> Response:
    return _response(status, "text/plain; charset=utf-8", f"{why}\n".encode())


def _response(status: HTTPStatus, kind: str, body: bytes, rules: str = "default-src 'none'") -> Response:
    from websockets.datastructures import Headers
    from websockets.http11 import Response

    about = {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"}
    headers = {**about, "Content-Security-Policy": rules, **HEADERS}
    return Response(status.value, status.phrase, Headers(headers), body)


def _problem(host: str, port: int, error: OSError | ValueError) -> str:
    """Say why it cannot be served there, and what to do."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if isinstance(error, ValueError | socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{host:.80} is no address of this machine; give one of its own, or leave it out for 127.0.0.1"
    if error.errno == errno.EADDRINUSE:
        other = min(port + 1, 65_535)
        return f"port {port} of {host} is in use, maybe by another listener; give another, such as :{other}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"serving on {where} is not allowed; give a port from 1024 on, such as :{PORT}"
    return f"the page cannot be served on {where} ({error.strerror or error}); give another address"
