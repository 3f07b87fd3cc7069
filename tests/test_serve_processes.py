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
from pathlib import Path

import numpy as np
import pytest

from benchmarks.wyoming_load import family
from spotter.checkup import DEMO
from spotter.sources.files import AudioFile
from tests.command_line import TINY
from tests.test_serve_command import refused, serving
from tests.wyoming_parts import detections

pytestmark = pytest.mark.skipif(
    not Path("/proc/thread-self/children").exists(), reason="no /proc tells which processes belong together"
)


def helpers(pid: int) -> list[int]:
    """Return the processes that serve beside the first."""
    return [other for other in family(pid)[1:] if b"spawn_main" in Path(f"/proc/{other}/cmdline").read_bytes()]


def sockets(pid: int) -> int:
    links = (link.readlink() for link in Path(f"/proc/{pid}/fd").iterdir())
    return sum(str(link).startswith("socket:") for link in links)


def gone(pids: list[int]) -> bool:
    """Whether processes end soon."""
    ends = time.monotonic() + 5.0
    while time.monotonic() < ends:
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.02)
    return False


def test_clients_are_shared_out_and_each_is_heard() -> None:
    audio = np.concatenate([block[:, 0].copy() for block in AudioFile(DEMO).blocks()])[: 16_000 * 3]

    async def crowd(port: int, pids: list[int]) -> tuple[list[int], list[list[str]]]:
        before = [sockets(pid) for pid in pids]
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        ends = time.monotonic() + 5.0
        while (there := sum(map(sockets, pids)) - sum(before)) < 20 and time.monotonic() < ends:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert there == 20
        shares = [sockets(pid) - had for pid, had in zip(pids, before, strict=True)]
        heard = await asyncio.gather(*(detections(port, audio) for _ in range(6)))
        for _, writer in idle:
            writer.close()
        return shares, [[name for name, _ in one] for one in heard]

    with serving("--model", "commands", "--processes", "2") as (server, port):
        pids = [server.pid, *helpers(server.pid)]
        assert len(pids) == 2
        shares, heard = asyncio.run(crowd(port, pids))
        assert min(shares) >= 6, shares
        assert heard == [["yes"]] * 6
        began = time.monotonic()
        server.send_signal(signal.SIGINT)
        _, err = server.communicate(timeout=10)
        assert time.monotonic() - began < 2.0
        assert (server.returncode, err) == (0, "")
        assert gone(pids[1:])


def test_when_one_ends_the_service_ends_with_one_sentence() -> None:
    with serving("--model", TINY, "--processes", "2") as (server, _):
        (helper,) = helpers(server.pid)
        os.kill(helper, signal.SIGKILL)
        _, err = server.communicate(timeout=10)
        assert server.returncode == 1
        assert err == f"spotter: process {helper} of the service has ended (-9); start it again\n"


def test_when_the_first_is_killed_the_others_end_too() -> None:
    with serving("--model", TINY, "--processes", "3") as (server, _):
        others = helpers(server.pid)
        assert len(others) == 2
        server.kill()
        server.wait(10)
        assert gone(others)


def test_ctrl_c_in_a_terminal_which_reaches_all_of_them_ends_in_silence() -> None:
    command = [sys.executable, "-m", "spotter.serve", "--model", TINY, "--uri", "tcp://127.0.0.1:0", "--processes", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as server:
        assert server.stderr is not None
        assert server.stderr.readline().startswith("serving yes, no on tcp://127.0.0.1:")
        os.killpg(server.pid, signal.SIGINT)
        assert server.stderr.read() == ""
        assert server.wait(10) == 0


def test_ctrl_c_while_processes_are_still_getting_ready_ends_it_within_two_seconds() -> None:
    command = [sys.executable, "-m", "spotter.serve", "--uri", "tcp://127.0.0.1:0", "--processes", "24"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        ends = time.monotonic() + 30.0
        while not helpers(server.pid):
            assert time.monotonic() < ends
            time.sleep(0.01)
        others = helpers(server.pid)
        server.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, err = server.communicate(timeout=60)
        assert time.monotonic() - began < 2.0
        assert (server.returncode, err) == (0, "")
    assert gone(others)


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
        with contextlib.ExitStack() as crowd:
            for _ in range(10):
                crowd.enter_context(socket.create_connection(("127.0.0.1", port)))
            for _ in pids:
                assert server.stderr is not None
                line = server.stderr.readline()
                assert "no further client can be let in (Too many open files); trying again" in line
        for pid, limits in zip(pids, before, strict=True):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        assert asyncio.run(detections(port, np.zeros(1_600, np.float32))) == []
        server.send_signal(signal.SIGINT)
        _, err = server.communicate(timeout=10)
        assert server.returncode == 0
        # Who was let in with the last file may have found none left to be served with.
        assert all(line.endswith("the service failed; closed") for line in err.splitlines()), err
