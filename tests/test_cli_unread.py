"""Ctrl-C where nobody takes what the command writes, and where Ctrl-C does not concern it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
import soundfile

from tests.command_line import ROOT, TINY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")

DEMO = str(ROOT / "spotter" / "data" / "demo.flac")
LISTEN = (sys.executable, "-m", "spotter.listen", "--model", TINY, "--json", "--threshold", "0.2", "--input")
WRITES = """
import sys, threading
from spotter.cli.common import guarded, interrupted_by, put, tell

def much():
    for _ in range(1_000):
        put("x" * 1_000, {stream})

def command():
    ended = threading.Event()
    thread = threading.Thread(target=much, daemon=True)
    with interrupted_by(lambda *_: ended.set()):
        thread.start()
        ended.wait()
        {after}
        thread.join()
    return 0

sys.exit(guarded(command))
"""


@contextmanager
def pipe(*, full: bool = False) -> Iterator[tuple[int, int]]:
    """Return its reading end and its writing end; one that is full takes nothing more."""
    reading, writing = os.pipe()
    if full:
        os.set_blocking(writing, False)
        with suppress(BlockingIOError):
            while True:
                os.write(writing, bytes(512))
        os.set_blocking(writing, True)
    try:
        yield reading, writing
    finally:
        os.close(reading)
        os.close(writing)


@contextmanager
def running(command: Sequence[str], **streams: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run it; afterwards it has ended, whatever happens."""
    with subprocess.Popen(command, cwd=ROOT, **streams) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


def feed(descriptor: int, data: bytes) -> None:
    """Give it more than a pipe takes, so that it listens then.

    Where the thread that listens comes to write a line of the main thread's, it waits for that, and takes no more.
    """
    os.set_blocking(descriptor, False)
    taken_s = time.monotonic()
    while data and time.monotonic() - taken_s < 15.0:
        try:
            data = data[os.write(descriptor, data) :]
            taken_s = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline, "did not happen within a minute"
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("full", [("stdout",), ("stderr",), ("stdout", "stderr")], ids="+".join)
def test_a_signal_ends_listening_although_nobody_takes_what_it_writes(
    number: signal.Signals, full: tuple[str, ...]
) -> None:
    with pipe(full=True) as (_, writing):
        outputs = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **dict.fromkeys(full, writing)}
        with running([*LISTEN, "-"], stdin=subprocess.PIPE, **outputs) as process:
            assert process.stdin
            feed(process.stdin.fileno(), soundfile.read(DEMO, dtype="int16")[0].tobytes())
            process.send_signal(number)
            assert process.wait(60.0) == 0


@pytest.mark.parametrize("after", ["pass", "tell('so many')"])
@pytest.mark.parametrize("stream", ["sys.stdout", "sys.stderr"])
def test_a_signal_ends_it_although_another_thread_waits_for_who_takes_what_it_writes(stream: str, after: str) -> None:
    command = [sys.executable, "-c", WRITES.format(stream=stream, after=after)]
    with pipe() as (_, writing), running(command, stdout=writing, stderr=writing) as process:
        until(lambda: not select.select([], [writing], [], 0.0)[1])  # and much more is still to be written
        process.send_signal(signal.SIGINT)
        assert process.wait(60.0) == 0


def test_a_reader_that_is_only_slow_gets_everything() -> None:
    code = WRITES.format(stream="sys.stdout", after="pass")
    code = f"from spotter.cli import unread\nunread._PATIENCE_S, unread._TAKEN_S = 0.0, 30.0\n{code}"
    with pipe() as (reading, writing), running([sys.executable, "-c", code], stdout=writing) as process:
        until(lambda: not select.select([], [writing], [], 0.0)[1])
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)  # in which it takes nothing
        taken = 0
        while taken < 1_001_000:
            assert select.select([reading], [], [], 60.0)[0]
            taken += len(os.read(reading, 65_536))
        assert process.wait(60.0) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_was_ignored_at_the_start_stays_so(number: signal.Signals) -> None:
    code = f"""
import os, signal, sys
signal.signal({int(number)}, signal.SIG_IGN)
from spotter.cli.listen import main
from spotter.listener import Listener
starts = Listener.start
def start(self, seconds):
    starts(self, seconds)
    os.kill(os.getpid(), {int(number)})
Listener.start = start
sys.exit(main(sys.argv[1:]))
"""
    command = [sys.executable, "-c", code, *LISTEN[3:], DEMO]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60.0)
    assert done.returncode == 0
    heard_s = float(done.stderr.split("heard: ")[1].split()[0])
    assert heard_s == pytest.approx(soundfile.info(DEMO).duration, abs=0.01)
