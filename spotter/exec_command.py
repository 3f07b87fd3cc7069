"""A command for each detection: few at a time, each for a limited time, never through a shell.

text ──shlex──▶ words ──placeholders──▶ argument list ──▶ process, watched by a thread of its own
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

from spotter.errors import BadInputError
from spotter.events import Detection

_log = logging.getLogger(__name__)

PLACEHOLDERS: Final = ("keyword", "score", "time", "start", "end")
_PLACEHOLDER: Final = re.compile("|".join(rf"\{{{name}\}}" for name in PLACEHOLDERS))
_SHELL_SCRIPTS: Final = (".bat", ".cmd")  # Windows hands these to its shell, whatever the caller wants
_SECRET: Final = re.compile(r"SPOTTER_\w*PASSWORD")  # of a variable
_KILL_S: Final = 0.2  # how long a killed process may take to be gone


def split(text: str) -> tuple[str, ...]:
    """Take a command apart as a POSIX shell would, and do nothing else of what a shell does.

    Raises
    ------
    BadInputError
        Nothing in it, a quotation without an end, or a program that is not there.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise BadInputError(f"the command {text!r} cannot be taken apart ({error}); close its quotation") from None
    if not words or not words[0]:
        raise BadInputError("the command is empty; give a program and its arguments")
    if _PLACEHOLDER.search(words[0]):
        raise BadInputError(f"the program {words[0]!r} holds a placeholder; use it in the arguments only")
    program = shutil.which(words[0])
    if program is None:
        raise BadInputError(f"there is no program {words[0]!r} that can be run; check its name, or give its path")
    if sys.platform == "win32" and program.lower().endswith(_SHELL_SCRIPTS):
        raise BadInputError(f"{program} would run in a shell; give a program, such as python with a script")
    return words


def filled(words: Sequence[str], detection: Detection) -> list[str]:
    """Replace the known placeholders, in one pass; everything else, braces too, stays as it is.

    The score and times, in seconds of stream time, have the digits that `--json` prints.
    """
    values = detection.as_dict()
    return [_PLACEHOLDER.sub(lambda found: str(values[found[0][1:-1]]), word) for word in words]


@dataclass(slots=True)
class Counts:
    """What became of the commands."""

    run: int = 0
    failed: int = 0  # could not be started, or ended with another exit code than 0
    timed_out: int = 0
    dropped: int = 0  # for want of a place

    def __str__(self) -> str:
        named = ", ".join(f"{f.name.replace('_', ' ')}: {getattr(self, f.name)}" for f in fields(self))
        return f"commands {named}"


class Commands:
    """Runs a command for each detection.

    Parameters
    ----------
    words
        From `split`.
    places : int
        How many may run at a time; a detection that finds no place is dropped.
    limit_s : float
        How long each may take; then it is killed, on POSIX with everything that it has started.
    """

    def __init__(self, words: Sequence[str], *, places: int = 4, limit_s: float = 10.0) -> None:
        self.counts = Counts()
        self._words, self._limit_s = tuple(words), limit_s
        self._places = threading.BoundedSemaphore(places)
        self._all_places = places
        self._running: dict[subprocess.Popen[bytes], threading.Thread] = {}
        self._lock = threading.Lock()
        self._dropping = False
        self._ended = False

    def start(self, detection: Detection, wait_s: float = 0.0) -> bool:
        """Start the command, if there is a place within so many seconds; whether it was."""
        if not (self._places.acquire(timeout=wait_s) if wait_s else self._places.acquire(blocking=False)):
            return False
        self._dropping = False
        self._start(filled(self._words, detection))
        return True

    def drop(self, detection: Detection) -> None:
        """Count a detection that found no place; say so, once for several in a row."""
        self.counts.dropped += 1
        if not self._dropping:
            self._dropping = True
            _log.warning(
                "%d commands still run, so the one for %s at %.2f s is left out, and those that come meanwhile; "
                "give --exec-places, or a quicker command",
                self._all_places,
                detection.keyword,
                detection.time,
            )

    def end(self, wait_s: float) -> None:
        """Wait so long for commands that run; then kill them."""
        deadline = time.monotonic() + wait_s
        with self._lock:
            threads = list(self._running.values())
        try:
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
        finally:
            with self._lock:
                self._ended = True
                left = list(self._running.items())
            for process, _ in left:
                _log.warning("a command still runs at the end and is killed: %s", shlex.join(_args(process)))
                _kill(process)
            for _, thread in left:
                thread.join(_KILL_S)

    def _start(self, words: list[str]) -> None:
        self.counts.run += 1
        try:
            process = subprocess.Popen(  # noqa: S603  a list, so that no shell sees it
                words,
                stdin=subprocess.DEVNULL,  # ours may be the audio
                env=_without_secrets(),
                stdout=_stderr(),  # nothing but events goes to stdout
                start_new_session=sys.platform != "win32",  # so that all of it can be killed, and Ctrl-C is ours
            )
        except (OSError, ValueError) as error:  # ValueError: a NUL in a keyword
            with self._lock:
                self.counts.failed += 1
            self._places.release()
            _log.warning("the command %s could not be started (%s); check it", shlex.join(words), error)
            return
        thread = threading.Thread(target=self._watch, args=(process,), name="spotter-exec", daemon=True)
        with self._lock:
            self._running[process] = thread
        try:
            thread.start()
        except RuntimeError as error:  # the system has no further thread for us
            _log.warning("the command %s cannot be watched (%s) and is killed", shlex.join(words), error)
            _kill(process)
            process.wait()
            with self._lock:
                self.counts.failed += 1
                del self._running[process]
            self._places.release()

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        code, timed_out = 0, False
        try:
            code = process.wait(self._limit_s)
        except subprocess.TimeoutExpired:
            timed_out = True
            _log.warning(
                "the command %s took more than %g s and is killed; give --exec-limit, or a quicker one",
                shlex.join(_args(process)),
                self._limit_s,
            )
            _kill(process)
            process.wait()
        else:
            if code and not self._ended:
                _log.warning("the command %s failed with exit code %d", shlex.join(_args(process)), code)
        with self._lock:
            self.counts.timed_out += timed_out
            self.counts.failed += bool(code) and not self._ended
            del self._running[process]
        self._places.release()


def _args(process: subprocess.Popen[bytes]) -> list[str]:
    return list(process.args)  # type: ignore[arg-type]  # it was given so


def _without_secrets() -> dict[str, str]:
    """Our environment, less the passwords that are in it for us."""
    return {name: value for name, value in os.environ.items() if not _SECRET.fullmatch(name)}


def _stderr() -> int | None:
    """Where commands may write; nowhere, if our stderr is no file."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return subprocess.DEVNULL


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(OSError):  # it has just ended
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
