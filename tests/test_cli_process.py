"""The command as a process: signals, readers that go away, outputs that are full or closed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from tests.command_line import ROOT, TINY


def start(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "spotter.listen", "--model", TINY, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe)


def loud(seconds: float) -> bytes:
    """Something that the tiny model takes for keywords at a low threshold."""
    samples, _ = soundfile.read(ROOT / "spotter" / "data" / "demo.flac", dtype="int16", frames=round(seconds * 16_000))
    return bytes(samples.astype("<i2").tobytes())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")
def test_each_line_comes_as_it_happens_and_a_signal_ends_with_counts(number: signal.Signals) -> None:
    with start("--input", "-", "--json", "--threshold", "0.2") as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(loud(10.0))
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["type"] == "detection"  # while stdin is open
        process.send_signal(number)
        assert process.wait(60.0) == 0
        said = process.stderr.read().decode()
    assert "windows: " in said
    assert "Traceback" not in said


@pytest.mark.skipif(sys.platform == "win32", reason="no such sockets")
@pytest.mark.parametrize("way", [["--json"], []])
def test_where_python_buffers_nothing_each_line_is_written_whole(way: list[str]) -> None:
    command = [sys.executable, "-u", "-m", "spotter.listen", "--model", TINY, "--threshold", "0.2", *way]
    command += ["--input", str(ROOT / "spotter" / "data" / "demo.flac")]
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    written: list[bytes] = []
    with near, far, subprocess.Popen(command, cwd=ROOT, stdout=far.fileno(), stderr=far.fileno()) as process:
        near.settimeout(60.0)
        while not written or b"windows: " not in written[-1]:
            written.append(near.recv(65_536))
        assert process.wait(60.0) == 0
    assert len(written) > 3
    assert all(packet.count(b"\n") == 1 and packet.endswith(b"\n") for packet in written), written


@pytest.mark.skipif(sys.platform == "win32", reason="no head")
def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path) -> None:
    with start("--input", "-", "--threshold", "0.2") as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(loud(10.0))
        process.stdin.flush()
        assert process.stdout.readline()
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):  # it may be gone already
            process.stdin.write(loud(27.0))
            process.stdin.flush()
        assert process.wait(60.0) == 0
        assert process.stderr.read().count(b"\n") == 1


def test_a_process_says_its_errors_in_one_line() -> None:
    with start("--input", os.devnull + "-not-there") as process:
        out, err = process.communicate(timeout=60.0)
    assert process.returncode == 2
    assert out == b""
    assert err.count(b"\n") == 1


DEMO = str(ROOT / "spotter" / "data" / "demo.flac")
HEAR = ("--model", TINY, "--input", DEMO, "--seconds", "4", "--threshold", "0.2")


def shell(redirection: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command with a shell's redirection."""
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-m", "spotter.listen", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
@pytest.mark.parametrize("arguments", [HEAR, ("--help",), ("--version",)], ids=lambda a: a[0])
def test_an_output_that_is_full_gets_one_line_and_1(arguments: tuple[str, ...]) -> None:
    done = shell(">/dev/full", *arguments)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[-1].startswith("spotter: the output cannot be written (No space left on device);")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no sh")
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "<&- 2>&-"])
def test_without_stderr_it_listens_all_the_same_and_stdout_has_events_only(redirection: str) -> None:
    if "full" in redirection and not Path("/dev/full").exists():
        pytest.skip("no disk that is always full")
    done = shell(redirection, *HEAR, "--json")
    assert done.returncode == 0
    assert {json.loads(line)["type"] for line in done.stdout.splitlines()} == {"detection"}
    failed = shell(redirection, *HEAR, "--hop", "7")
    assert (failed.returncode, failed.stdout) == (2, "")


@pytest.mark.skipif(sys.platform == "win32", reason="no sh")
def test_without_stdout_it_listens_all_the_same() -> None:
    done = shell(">&-", *HEAR)
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["listening", "windows:"]


@pytest.mark.skipif(sys.platform == "win32", reason="no sh")
@pytest.mark.parametrize("module", ["spotter.listen", "spotter"])
@pytest.mark.parametrize("imported", ["argparse", "numpy"])
def test_ctrl_c_while_it_starts_up_ends_it_quietly(module: str, imported: str) -> None:
    code = f"""
import os, runpy, signal, sys
class Press:
    def find_spec(self, name, *_):
        if name == {imported!r}:
            os.kill(os.getpid(), signal.SIGINT)
for name in [name for name in sys.modules if name.partition(".")[0] == {imported!r}]:
    del sys.modules[name]
sys.meta_path.insert(0, Press())
sys.argv[1:] = {["listen"] if module == "spotter" else []} + {[*HEAR]}
runpy.run_module({module!r}, run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
