"""The same function over many jobs on all cores, in the order of the jobs; Ctrl-C ends at once and quietly."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from train.progress import track

J = TypeVar("J")
R = TypeVar("R")


def each(function: Callable[[J], R], jobs: Sequence[J], *, what: str) -> Iterator[R]:
    """Yield `function(job)` for each job, showing how far it is; one job alone is done in this process."""
    if len(jobs) < 2:
        yield from track(map(function, jobs), total=len(jobs), what=what)
        return
    pool = ProcessPoolExecutor(max_workers=min(len(jobs), os.cpu_count() or 1), initializer=_leave_ctrl_c_to_parent)
    try:
        with _ctrl_c_waits():  # a worker that is just starting would say what it was doing
            results = pool.map(function, jobs)
        yield from track(results, total=len(jobs), what=what)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """Ctrl-C comes after this; processes that are started in it never get it."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave_ctrl_c_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
