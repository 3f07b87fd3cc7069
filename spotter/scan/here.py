"""Recordings heard one after the other by the process that writes; one that may have ended it before, by another."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Generator, Sequence
from multiprocessing.connection import Connection

from spotter.scan.journal import Journal
from spotter.scan.rows import KILLS, Heard, Recording


def heard(
    work: Callable[[Recording], Heard], recordings: Sequence[Recording], journal: Journal
) -> Generator[Heard, None, None]:
    """Yield what was heard.

    A recording that makes a decoder crash ends the scan. When the scan goes on, the journal tells which one it was at,
    and that one is heard by a process of its own: if that dies, too, the recording is broken; if not, it was something
    else that had ended the scan.
    """
    for recording in recordings:
        if journal.may_end_the_process(recording):
            yield _apart(work, recording)
        else:
            journal.begin(recording)
            yield work(recording)


def _apart(work: Callable[[Recording], Heard], recording: Recording) -> Heard:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(theirs, work, recording), name="spotter-scan", daemon=True)
    process.start()
    theirs.close()
    try:
        answer: Heard | BaseException = ours.recv()
    except EOFError:  # it has died
        return Heard(recording=recording, problem=KILLS)
    finally:
        process.kill()
        process.join()
        ours.close()
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _tell(theirs: Connection, work: Callable[[Recording], Heard], recording: Recording) -> None:
    """Hear a recording, and send what came of it; runs in the other process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first one
    try:
        theirs.send(work(recording))
    except Exception as error:  # noqa: BLE001  raised in the first one
        theirs.send(error)
