"""Several processes share the clients of one address, and end together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.context import SpawnProcess
from pathlib import Path

import numpy as np
import pytest

from benchmarks.wyoming_load import family
from spotter.checkup import DEMO
from spotter.serving.address import Address
from spotter.serving.limits import Limits
from spotter.serving.processes import Others, Share
from spotter.serving.server import Server
from spotter.sources.files import AudioFile
from tests.command_line import TINY
from tests.processes import LIMIT_S, ends_within, gone, started, until
from tests.test_serve_command import connected, refused, serving
from tests.wyoming_parts import detections, service

pytestmark = pytest.mark.skipif(
    not Path("/proc/thread-self/children").exists(), reason="no /proc tells which processes belong together"
)


def helpers(pid: int) -> list[int]:
    """Return the processes that serve beside the first."""
    try:
        return [other for other in family(pid)[1:] if b"spawn_main" in Path(f"/proc/{other}/cmdline").read_bytes()]
    except OSError:  # one has ended while we looked
        return []


def sockets(pid: int) -> int:
    links = (link.readlink() for link in Path(f"/proc/{pid}/fd").iterdir())
    return sum(str(link).startswith("socket:") for link in links)


def test_who_has_fewer_clients_comes_first() -> None:
    async def crowd() -> list[int]:
        with contextlib.ExitStack() as open_ones:
            listening = open_ones.enter_context(socket.create_server(("127.0.0.1", 0)))
            counts, servers = [0, 0], [Server(service(), Limits()) for _ in range(2)]
            letting_in = [
                asyncio.create_task(Share(open_ones.enter_context(listening.dup()), counts, number).accept(server))
                for number, server in enumerate(servers)
            ]
            for there in range(1, 21):
                open_ones.enter_context(socket.create_connection(listening.getsockname()))
                while sum(counts) < there:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            shares = list(counts)
            for task in letting_in:
                task.cancel()
            await asyncio.gather(*letting_in, return_exceptions=True)
            for server in servers:
                await server.stop()
            return shares

    shares = asyncio.run(asyncio.wait_for(crowd(), LIMIT_S))
    assert sum(shares) == 20
    assert max(shares) - min(shares) <= 2


def test_clients_are_shared_out_and_each_is_heard() -> None:
    audio = np.concatenate([block[:, 0].copy() for block in AudioFile(DEMO).blocks()])[12_800:36_800]

    async def crowd(port: int) -> list[list[str]]:
        heard = await asyncio.gather(*(detections(port, audio) for _ in range(4)))
        return [[name for name, _ in one] for one in heard]

    def serve() -> float:
        with serving("--model", "commands", "--processes", "2") as (server, port):
            pids = [server.pid, *helpers(server.pid)]
            assert len(pids) == 2
            before = [sockets(pid) for pid in pids]
            with connected(port, 20):
                until(lambda: sum(map(sockets, pids)) == sum(before) + 20)
                assert all(sockets(pid) > had for pid, had in zip(pids, before, strict=True))
                assert asyncio.run(crowd(port)) == [["yes"]] * 4
            began = time.monotonic()
            server.send_signal(signal.SIGINT)
            _, err = server.communicate(timeout=LIMIT_S)
            took = time.monotonic() - began
            assert (server.returncode, err) == (0, "")
            until(lambda: all(map(gone, pids[1:])))
            return took

    ends_within(2.0, serve)


def test_when_one_ends_the_service_ends_with_one_sentence() -> None:
    with serving("--model", TINY, "--processes", "2") as (server, _):
        (helper,) = helpers(server.pid)
        os.kill(helper, signal.SIGKILL)
        _, err = server.communicate(timeout=LIMIT_S)
        assert server.returncode == 1
        assert err == f"spotter: process {helper} of the service has ended (-9); start it again\n"


def test_when_the_first_is_killed_the_others_end_too() -> None:
    with serving("--model", TINY, "--processes", "3") as (server, _):
        others = helpers(server.pid)
        assert len(others) == 2
        server.kill()
        server.wait(LIMIT_S)
        until(lambda: all(map(gone, others)))


def test_ctrl_c_in_a_terminal_which_reaches_all_of_them_ends_in_silence() -> None:
    command = [sys.executable, "-m", "spotter.serve", "--model", TINY, "--uri", "tcp://127.0.0.1:0", "--processes", "2"]
    with started(command, stderr=subprocess.PIPE, start_new_session=True) as server:
        assert server.stderr is not None
        assert server.stderr.readline().startswith("serving yes, no on tcp://127.0.0.1:")
        os.killpg(server.pid, signal.SIGINT)
        assert server.stderr.read() == ""
        assert server.wait(LIMIT_S) == 0


@pytest.mark.parametrize(
    ("tell", "number"), [(os.killpg, signal.SIGINT), (os.kill, signal.SIGINT), (os.kill, signal.SIGTERM)]
)
def test_ctrl_c_while_processes_are_still_getting_ready_ends_it_within_two_seconds(
    tell: Callable[[int, int], None], number: int
) -> None:
    command = [sys.executable, "-m", "spotter.serve", "--uri", "tcp://127.0.0.1:0", "--processes", "24"]

    def end() -> float:
        with started(command, stderr=subprocess.PIPE, start_new_session=True) as server:
            until(lambda: helpers(server.pid))
            began = time.monotonic()
            tell(server.pid, number)
            _, err = server.communicate(timeout=LIMIT_S)
            took = time.monotonic() - began
            assert (server.returncode, err) == (0, "")
            return took

    ends_within(2.0, end)


def test_who_is_told_to_end_starts_no_further_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[object] = []

    async def begin() -> None:
        others = Others(Address("127.0.0.1", 0), 24, print, [])
        beginning = asyncio.create_task(others.begin())
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(SpawnProcess, "start", lambda _: begun.append(loop.call_soon(beginning.cancel)))
        with pytest.raises(asyncio.CancelledError):
            await beginning
        others.end()

    asyncio.run(begin())
    assert len(begun) < 3


@pytest.mark.parametrize("count", ["0", "65", "-1"])
def test_a_number_of_processes_that_makes_no_sense_is_one_sentence(
    count: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, "--model", TINY, "--processes", count)
    assert said == f"--processes {count} is out of range; give 1 to 64"


def test_where_the_system_lets_no_further_client_in_the_service_goes_on_and_says_so_once() -> None:
    with serving("--model", TINY, "--processes", "2") as (server, port):
        pids = [server.pid, *helpers(server.pid)]
        before = [resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in pids]
        for pid, (_, hard) in zip(pids, before, strict=True):
            there = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (there + 2, hard))
        with connected(port, 10):
            for _ in pids:
                assert server.stderr is not None
                line = server.stderr.readline()
                assert "no further client can be let in (Too many open files); trying again" in line
            # While all are there: if some went first, others would be let in, and that no further one can be said anew.
            for pid, limits in zip(pids, before, strict=True):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        assert asyncio.run(detections(port, np.zeros(1_600, np.float32))) == []
        server.send_signal(signal.SIGINT)
        _, err = server.communicate(timeout=LIMIT_S)
        assert server.returncode == 0
        # Who was let in with the last file may have found none left to be served with.
        assert all(line.endswith("the service failed; closed") for line in err.splitlines()), err
