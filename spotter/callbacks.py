"""Users' callbacks on a thread of their own: a slow one delays nobody, one that raises does no harm.

`sys.exit()` in one ends the run, since that is what it says.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final

_log = logging.getLogger(__name__)

_MOST_WAITING: Final = 10_000  # calls kept for callbacks that are slower than what is heard
_POLL_S: Final = 0.01
_SLICE_S: Final = 0.1  # waits are cut, so that Ctrl-C is served on Windows too


class CallbackThread:
    """Runs calls one after the other; the thread begins with the first.

    `on_exit` is called when a call raises `SystemExit`, which is kept in `exit`; no other call runs then.

    Parameters
    ----------
    can_wait : bool
        Where too many calls wait, so does who submits one; otherwise the oldest is dropped, since a microphone
        goes on, and what has waited for hours is of no use.
    stopping
        Whether it is to stop; then nobody waits.
    """

    def __init__(self, on_exit: Callable[[], None], *, can_wait: bool, stopping: Callable[[], bool]) -> None:
        self.exit: SystemExit | None = None
        self._on_exit, self._can_wait, self._stopping = on_exit, can_wait, stopping
        self._exited = self._drops_said = False
        self._calls: SimpleQueue[tuple[Callable[[Any], object], Any] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, call: Callable[[Any], object], argument: object) -> None:
        """Have `call(argument)` run soon."""
        if self._thread is None:
            self._begin()
        while self._waits():
            time.sleep(_POLL_S)
        if not self._can_wait and self._calls.qsize() >= _MOST_WAITING:
            self._drop()
        self._calls.put((call, argument))

    def _begin(self) -> None:
        thread = threading.Thread(target=self._work, name="spotter-callbacks", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system has none to give just now
            _log.warning("a call of a callback waits for the next one (%s)", error)
            return
        self._thread = thread

    def close(self) -> None:
        """Say that no more calls will come; those that wait still run."""
        self._calls.put(None)

    def join(self, limit_s: float) -> bool:
        """Wait, after `close`, until every call has ended; False if one has not within the limit."""
        return self._thread is None or join(self._thread, limit_s)

    @property
    def is_current(self) -> bool:
        """Whether a callback asks."""
        return threading.current_thread() is self._thread

    def _waits(self) -> bool:
        """Whether there is no room for a call, and there will be."""
        ends = self._thread is None or self._stopping() or self._exited
        return self._can_wait and self._calls.qsize() >= _MOST_WAITING and not ends

    def _drop(self) -> None:
        with suppress(Empty):  # just taken
            self._calls.get_nowait()
        if not self._drops_said:
            self._drops_said = True
            _log.warning(
                "%d calls of callbacks wait, which are too slow: the oldest are dropped from now on; "
                "do less in a callback, or hand it to a thread of your own",
                _MOST_WAITING,
            )

    def _work(self) -> None:
        while (item := self._calls.get()) is not None:
            if self._exited:
                continue
            call, argument = item
            try:
                call(argument)
            except SystemExit as end:
                self._exited, self.exit = True, end
                self._on_exit()
            except BaseException:  # noqa: BLE001  whatever it is, it is the callback's
                _log.exception("the callback %s raised; listening goes on", getattr(call, "__qualname__", call))


def join(thread: threading.Thread, limit_s: float) -> bool:
    """Wait for a thread; True if it has ended, or is the one that asks."""
    if thread is threading.current_thread():
        return True
    deadline = time.monotonic() + limit_s
    while thread.is_alive() and (left := deadline - time.monotonic()) > 0:
        thread.join(min(_SLICE_S, left))
    return not thread.is_alive()
