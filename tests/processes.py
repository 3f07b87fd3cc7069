"""Processes that tests start: none outlives its test, and a busy machine is not held against them."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

LIMIT_S: Final = 60.0  # only guards against hanging: how fast a machine is says nothing of the code
_TRIES: Final = 3


@contextmanager
def started(command: Sequence[str], **how: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a command until the test is over, whatever becomes of the test."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as under nohup; what is started would ignore it, too
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, text=True, **how) as process:
        try:
            yield process
        finally:
            process.kill()


def ends_within(limit_s: float, attempt: Callable[[], float]) -> None:
    """Try what is promised to take so long: once in some tries, since others use the machine, too."""
    took: list[float] = []
    while len(took) < _TRIES:
        took.append(attempt())
        if took[-1] < limit_s:
            return
    raise AssertionError(f"it took {took} s, and {limit_s:g} s are promised")


def until(condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    """Wait for something to come about."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"did not happen within {limit_s:g} s"
        time.sleep(0.005)


def gone(pid: int) -> bool:
    """Whether a process has ended, also where nobody has asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
