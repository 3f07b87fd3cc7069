"""After Ctrl-C, what nobody takes is thrown away: a command that waits for its reader would never end.

A pipe whose reader stands still blocks who writes to it, in the middle of a line, whichever thread that is. So
standard output and standard error are led nowhere then, and the threads that wait are woken: they write again.
"""

from __future__ import annotations

import _thread
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import Final

_PATIENCE_S: Final = 0.5  # what is underway at Ctrl-C may take so long
_TAKEN_S: Final = 0.4  # a reader that takes something within it is only slow

_watchers: Final[list[_Watcher]] = []


def begin() -> None:
    """Look from now on; for a handler of signals in the main thread, so without anything that could wait."""
    if not _watchers and sys.platform != "win32":
        signal.signal(signal.SIGALRM, _nothing)  # stays: one may be on its way when the command has ended
        _watchers.append(_Watcher())
        with suppress(RuntimeError):  # the system has none to give: then a second Ctrl-C it is
            _thread.start_new_thread(_watchers[0].watch, ())  # `threading.Thread` takes locks that may be held now


def end() -> None:
    """Look no more: the command has written everything."""
    while _watchers:
        _watchers.pop().over = True


class _Watcher:
    over = False

    def watch(self) -> None:
        time.sleep(_PATIENCE_S)
        while not self.over:
            for descriptor in (1, 2):
                if _stuck(descriptor) and not self.over:
                    with suppress(OSError):  # too many files are open; the next turn may do
                        lead_nowhere(descriptor)
                        _wake()
            time.sleep(_TAKEN_S)


def lead_nowhere(descriptor: int) -> None:
    """Let what is written there go nowhere."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def _stuck(descriptor: int) -> bool:
    try:
        return not select.select([], [descriptor], [], _TAKEN_S)[1]
    except (OSError, ValueError):  # closed
        return False


def _wake() -> None:
    """Interrupt every thread that waits in the system."""
    if sys.platform != "win32":
        for thread in threading.enumerate():
            if thread.ident is not None:
                with suppress(OSError):  # it has ended
                    signal.pthread_kill(thread.ident, signal.SIGALRM)


def _nothing(*_: object) -> None:
    pass
