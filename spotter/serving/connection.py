"""One client's connection: bytes to its session and answers back, turn by turn, with bounded memory."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import sys
from array import array
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from spotter.serving.frames import FrameError, FrameReader
from spotter.serving.session import Service, Session

if TYPE_CHECKING:
    from wyoming.event import Event

    from spotter.serving.limits import Limits

_log = logging.getLogger(__name__)

_MOST_LINES: Final = 10


class Owner(Protocol):
    """What a connection wants of the server."""

    service: Service
    limits: Limits
    clock: Callable[[], float]

    def opened(self, connection: Connection) -> bool:
        """Take it in; False where there are too many."""

    def closed(self, connection: Connection) -> None:
        """Forget it."""

    def left_out(self, seconds: float) -> None:
        """Count audio in which nothing was decided, since there is too much to do."""


class Connection(asyncio.Protocol):
    """A client, from its first byte to its last.

    Frames are worked through in turns, so that one client that pours audio leaves the others theirs; while it waits
    for its turn, or does not take its answers, nothing more is read from it.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner, self._limits = owner, owner.limits
        self._reader = FrameReader(owner.limits)
        self._session = Session(owner.service, self._say)
        self._loop = asyncio.get_running_loop()
        self._work: Iterator[Event | float] = iter(())  # what the frame before is in the middle of
        self.host = ""  # where the client is
        self._name = "a client"
        self._last_s = owner.clock()  # when a frame was whole
        self.audio_s = self._last_s  # when audio came, or at first the client
        self._due = False  # whether a turn is to come
        self._held = False  # answers wait, since the client does not read
        self._ended = False  # no more will come
        self._said = False  # a frame that was wrong; the rest is not read
        self._lines = 0  # of the log, about this client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.host, self._name = peer[0], f"{peer[0]}:{peer[1]}"
        self._transport.set_write_buffer_limits(high=self._limits.unread_bytes)
        if not self._owner.opened(self):
            self._leave("there are too many clients; try again later", "too-many-clients")

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        if not self._said:
            self._reader.feed(data)
            if not self._due:
                self._turn()

    def eof_received(self) -> bool:
        """Answer what came before the end, then close."""
        self._ended = True
        if self._said:
            self._transport.close()
        self._wait_for_turn()
        return True

    def pause_writing(self) -> None:
        """The client does not read: leave what it says where it is."""
        self._held = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self._held = False
        self._wait_for_turn()

    def connection_lost(self, _error: Exception | None) -> None:
        """Forget everything."""
        self._said = True
        self._work = iter(())
        self._owner.closed(self)

    def close_if_idle(self, now_s: float) -> None:
        """Close a client that has said nothing whole, or has not read its answers, for too long."""
        if now_s - self._last_s > self._limits.idle_s:
            if not self._said:
                self._say(f"no whole frame for {self._limits.idle_s:g} s; closed")
            self.abort()

    def make_room(self) -> None:
        """Close a client whose place another one gets; it may come back."""
        self._leave("there are too many clients, and this one sent no audio; connect again", "too-many-clients")

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def _wait_for_turn(self) -> None:
        if not self._due and not self._said:
            self._due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._due = False
        if self._blocked():
            return
        try:
            more = self._advance()
        except FrameError as problem:
            self._say(f"{problem}; closed")
            self._leave(str(problem), "bad-frame")
            return
        except Exception:  # noqa: BLE001
            # A bug of ours: it costs this client its connection, and nobody else anything.
            _log.exception("%s: the service failed; closed", self._name)
            self.abort()
            return
        if self._session.skipped_s:
            self._owner.left_out(self._session.skipped_s)
            self._session.skipped_s = 0.0
        if self._blocked():
            return
        if more:
            self._transport.pause_reading()
            self._wait_for_turn()
        elif self._ended:
            self._transport.close()
        else:
            self._transport.resume_reading()

    def _advance(self) -> bool:
        """Work through some frames, or a part of one; whether there is more to do."""
        left_s, frames, settled = self._limits.turn_s, self._limits.turn_frames, False
        now_s = self._owner.clock()
        self._session.look(now_s, self._reader.waiting)
        while not self._blocked():
            for answer in self._work:
                if isinstance(answer, float):
                    left_s -= answer
                    if left_s <= 0.0:
                        return True
                else:
                    self._transport.write(encoded(answer))
                    if self._blocked():
                        return True
            if not frames:
                return True
            frame = self._reader.next()
            if frame is not None:
                frames -= 1
                self._last_s = now_s
                self.audio_s = now_s if frame.payload and frame.type == "audio-chunk" else self.audio_s
                self._work = self._session.hear(frame, more=self._reader.waiting > 0)
                settled = False
            elif not settled:
                self._work = self._session.settle()
                settled = True
            else:
                if not unread(self._transport.get_extra_info("socket")):
                    self._session.rest()
                return False
        return False

    def _blocked(self) -> bool:
        """Whether nothing can be done now: the client does not read, or is being let go."""
        return self._held or self._said or self._transport.is_closing()

    def _leave(self, sentence: str, code: str) -> None:
        """Answer with an error, and close; what comes after it is not looked at.

        Closed at once, with bytes on the way, the answer would be lost; so it stays open for reading a moment longer.
        """
        from wyoming.error import Error

        self._said = True
        self._transport.write(encoded(Error(text=sentence, code=code).event()))
        with contextlib.suppress(OSError):  # it is gone, which we are about to be told
            self._transport.write_eof()
        self._transport.resume_reading()
        self._loop.call_later(self._limits.linger_s, self.abort)

    def _say(self, sentence: str) -> None:
        """Write a line, but so few for a client that one with a grudge does not fill the disk."""
        self._lines += 1
        if self._lines < _MOST_LINES:
            _log.warning("%s: %s", self._name, sentence)
        elif self._lines == _MOST_LINES:
            _log.warning("%s: %s; what else is wrong with this client is not said any more", self._name, sentence)


def encoded(event: Event) -> bytes:
    """Return the bytes of an event."""
    from wyoming.event import write_event

    out = io.BytesIO()
    write_event(event, out)
    return out.getvalue()


def unread(socket: Any) -> int:
    """Return how many bytes wait in the system for being read; 0 where it does not tell."""
    if sys.platform == "win32" or socket is None:
        return 0
    import fcntl
    import termios

    count = array("i", [0])
    try:
        fcntl.ioctl(socket.fileno(), termios.FIONREAD, count)
    except OSError:  # it has just been closed
        return 0
    return count[0]
