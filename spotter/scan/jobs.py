"""Recordings heard by several processes of this machine, through joblib."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final

from spotter.extras import want
from spotter.scan.rows import KILLS, Heard, Recording

_log = logging.getLogger(__name__)

_ATTEMPTS: Final = 2  # alone, after the process has died that had it among others


def check() -> None:
    """Say what is missing for several processes."""
    want("joblib", "scan", "--jobs")


def heard(
    work: Callable[[Recording], Heard], recordings: Sequence[Recording], jobs: int
) -> Generator[Heard, None, None]:
    """Yield what was heard, as it comes.

    Where a process dies, those that it may have had are heard again, each alone: one that ends its process then, too,
    is broken, and the others lose nothing.
    """
    waiting = list(recordings)
    while waiting:
        given: list[Recording] = []  # to processes
        done: set[str] = set()
        try:
            with closing(_parallel(work, _noted(waiting, given), jobs)) as results:
                for one in results:
                    done.add(one.recording.name)
                    yield one
        except _deaths() as death:
            suspects = [recording for recording in given if recording.name not in done]
            _log.info("a process died (%s); %d recordings are heard again, each alone", death, len(suspects))
            for recording in suspects:
                yield _alone(work, recording)
            done.update(recording.name for recording in suspects)
        else:
            return
        waiting = [recording for recording in waiting if recording.name not in done]


def _parallel(
    work: Callable[[Recording], Heard], recordings: Iterator[Recording], jobs: int
) -> Generator[Heard, None, None]:
    from joblib import Parallel, delayed, parallel_config

    with parallel_config(backend="loky", n_jobs=jobs, initializer=_leave_ctrl_c_to_parent):
        results: Any = None
        try:
            with _ctrl_c_held():
                results = Parallel(return_as="generator_unordered")(delayed(work)(one) for one in recordings)
            for heard in results:  # noqa: UP028  # `yield from` would close it by itself, with a warning
                yield heard
        finally:
            if results is not None:
                _close(results)


def _close(results: Any) -> None:
    with warnings.catch_warnings():  # joblib tells of results that nobody took; the same command hears them later
        warnings.simplefilter("ignore", UserWarning)
        results.close()


def _noted(recordings: Sequence[Recording], given: list[Recording]) -> Iterator[Recording]:
    for recording in recordings:
        given.append(recording)
        yield recording


def _alone(work: Callable[[Recording], Heard], recording: Recording) -> Heard:
    for _ in range(_ATTEMPTS):
        try:
            return next(_parallel(work, iter([recording]), 2))  # 1 would be this process
        except _deaths():
            continue
    return Heard(recording=recording, problem=KILLS)


def _deaths() -> tuple[type[BaseException], ...]:
    from joblib.externals.loky import BrokenProcessPool

    return (BrokenProcessPool,)


@contextmanager
def _ctrl_c_held() -> Iterator[None]:
    """Start processes that Ctrl-C in a terminal does not reach while they get ready; we are told of it afterwards."""
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as of_joblib

    for tracker in (resource_tracker, of_joblib):  # each would let Ctrl-C through when it is started
        tracker.ensure_running()
    came: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) is not None
    }
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # which processes inherit
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def _leave_ctrl_c_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
