"""`spotter serve` as a process: what it says, how it ends, and what bad arguments get."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from wyoming.info import Describe, Info

from spotter.cli import main as spotter_main
from spotter.cli.serve import main
from spotter.serving.address import Address, parse
from tests.command_line import TINY
from tests.processes import LIMIT_S, ends_within, started
from tests.wyoming_parts import AsyncTcpClient, Detect, answered

ROOT = Path(__file__).parents[1]


@contextlib.contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run the command on a free port until the test is over."""
    command = [sys.executable, "-m", "spotter.serve", "--uri", "tcp://127.0.0.1:0", *arguments]
    with started(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stderr is not None
        ready = server.stderr.readline()
        found = re.fullmatch(r"serving (.*) on tcp://127\.0\.0\.1:(\d+); Ctrl-C ends\n", ready)
        assert found, ready
        yield server, int(found[2])


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    """Run; the exit code must be this one, and what is said one line."""
    assert main(arguments) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("spotter: ")
    return line.removeprefix("spotter: ")


@contextlib.contextmanager
def connected(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Be so many clients until the test is over."""
    with contextlib.ExitStack() as crowd:
        yield [crowd.enter_context(socket.create_connection(("127.0.0.1", port), LIMIT_S)) for _ in range(count)]


def pour(client: socket.socket, data: bytes) -> None:
    """Send as much as is taken without waiting; what is sent is never cut in its middle and begun anew."""
    rest = memoryview(data)
    client.setblocking(False)  # noqa: FBT003
    with contextlib.suppress(BlockingIOError):
        while rest:
            rest = rest[client.send(rest) :]


def resident_mb(pid: int) -> float:
    (pages,) = re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(pages) / 1_024


def test_it_says_what_it_serves_and_where_and_names_its_words() -> None:
    async def ask(port: int) -> list[str]:
        async with AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(Describe().event())
            return [model.name for model in Info.from_event(await answered(client)).wake[0].models]

    with serving("--model", TINY) as (_, port):
        assert asyncio.run(ask(port)) == ["yes", "no"]


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a signal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_within_two_seconds_also_with_clients_that_pour_or_never_read(number: int) -> None:
    header = b'{"type": "audio-chunk", "data": {"rate": 16000, "width": 2, "channels": 1}, "payload_length": 320}\n'

    def end() -> float:
        with serving("--model", TINY) as (server, port), connected(port, 3) as (_, pouring, deaf):
            pour(pouring, (header + bytes(320)) * 25_000)
            pour(deaf, b'{"type": "describe"}\n' * 1_000_000)
            began = time.monotonic()
            server.send_signal(number)
            out, err = server.communicate(timeout=LIMIT_S)
            took = time.monotonic() - began
            assert server.returncode == 0
            assert (out, err) == ("", "")
            return took

    ends_within(2.0, end)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc tells a process's memory")
def test_an_oversized_payload_raises_no_memory_and_is_one_line() -> None:
    with serving("--model", TINY) as (server, port):
        before = resident_mb(server.pid)
        with connected(port, 1) as (connection,):
            connection.sendall(b'{"type": "audio-chunk", "payload_length": 400000000}\n')
            with contextlib.suppress(OSError):
                for _ in range(100):
                    connection.sendall(bytes(1_000_000))
        with connected(port, 1) as (connection,):  # as much as is taken, and not all of it
            connection.sendall(b'{"type": "x", "payload_length": 262144}\n' + bytes(250_000))
            connection.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                connection.recv(1)
            assert resident_mb(server.pid) - before < 10.0
        server.send_signal(signal.SIGTERM)
        _, err = server.communicate(timeout=LIMIT_S)
    assert re.fullmatch(
        r"spotter: 127\.0\.0\.1:\d+: payload_length is 400000000; send 262144 bytes at most; closed\n", err
    )


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc tells a process's memory")
def test_clients_with_many_channels_at_a_high_rate_take_little_more_memory_than_others() -> None:
    header = b'{"type": "audio-chunk", "data": {"rate": 192000, "width": 2, "channels": 8}, "payload_length": 261120}\n'
    with serving("--model", TINY) as (server, port):
        before = resident_mb(server.pid)
        with connected(port, 10) as crowd:
            for client in crowd:
                for _ in range(16):  # more than a second of audio
                    client.sendall(header + bytes(261_120))
                client.sendall(b'{"type": "ping"}\n' + header + bytes(261_119))  # of which the end never comes
            for client in crowd:
                assert client.recv(1)  # it is at the ping
            assert (resident_mb(server.pid) - before) / len(crowd) < 3.0
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=LIMIT_S)


def test_a_name_that_nobody_has_is_one_line_on_stderr() -> None:
    async def ask(port: int) -> None:
        async with AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(Detect(names=["hey_robot"]).event())
            await answered(client)

    with serving("--model", TINY) as (server, port):
        asyncio.run(ask(port))
        server.terminate()
        assert server.stderr is not None
        assert re.fullmatch(
            r"spotter: 127\.0\.0\.1:\d+: no wake word called 'hey_robot'; there are yes, no\n", server.stderr.read()
        )


def test_a_port_in_use_is_one_sentence_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        uri = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        said = refused(capsys, "--model", TINY, "--uri", uri)
    assert said == f"{uri} is in use; end what listens there, or give another port with --uri"


def test_an_address_of_another_machine_is_one_sentence_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", TINY, "--uri", "tcp://192.0.2.1:10400"]) == 2
    warning, said = capsys.readouterr().err.splitlines()
    assert warning.startswith(
        "spotter: warning: tcp://192.0.2.1:10400 is reached by other machines, and Wyoming has no"
    )
    assert said == (
        "spotter: tcp://192.0.2.1:10400 is no address of this machine; give one of its own, or tcp://0.0.0.0:10400"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--uri", "http://127.0.0.1:1"],
            "the address 'http://127.0.0.1:1' is not what this can listen on; give tcp://",
        ),
        (["--uri", "tcp://127.0.0.1"], "the address 'tcp://127.0.0.1' is not what this can listen on"),
        (
            ["--uri", "tcp://127.0.0.1:99999"],
            "the address 'tcp://127.0.0.1:99999' cannot be read; give tcp://HOST:PORT",
        ),
        (["--uri", "tcp://[::1:5"], "the address 'tcp://[::1:5' cannot be read"),
        (["--uri", f"tcp://{'x' * 70}.org:1"], "there is no host 'xxxxxxx"),
        (["--connections", "0"], "--connections 0 lets nobody in; give 1 or more"),
        (["--idle", "0"], "--idle 0 closes every client at once; give seconds"),
        (["--threshold", "2"], "--threshold '2' is out of range"),
        (["--threshold", "maybe=0.5"], "no keyword called 'maybe' to set a threshold for; there are yes, no"),
        (["--hop", "7"], "a hop of 7 ms is not possible with this model"),
        (["--zeroconf"], "--zeroconf would announce tcp://127.0.0.1:10400, which no other machine reaches; give --uri"),
        (["--model", TINY], "'tiny/yes' is in two of the models under the same name; rename the one in its manifest"),
        (["--bogus"], "unrecognized arguments: --bogus; see `python -m spotter.serve --help`"),
    ],
)
def test_bad_arguments_are_one_sentence_and_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, "--model", TINY, *arguments).startswith(sentence)


def test_a_model_that_is_not_there_is_4(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "--model", "nothing", code=4).startswith("there is no model called 'nothing'")


@pytest.mark.parametrize(
    ("package", "arguments", "extra"),
    [("wyoming", [], "serve"), ("zeroconf", ["--uri", "tcp://192.0.2.1:0", "--zeroconf"], "zeroconf")],
)
def test_a_missing_extra_is_one_sentence_with_the_fix(
    package: str,
    arguments: list[str],
    extra: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    said = refused(capsys, "--model", TINY, *arguments, code=1)
    assert said.endswith(f'needs the package {package}, which is missing; run `pip install "spotter-kws[{extra}]"`')


@pytest.mark.skipif(shutil.which("unshare") is None or os.name != "posix", reason="no unshare to make a network with")
def test_beyond_loopback_it_warns_that_there_is_no_authentication() -> None:
    command = ["unshare", "-rn", sys.executable, "-m", "spotter.serve", "--model", TINY, "--uri", "tcp://0.0.0.0:10400"]
    with started(command, cwd=ROOT, stderr=subprocess.PIPE) as server:
        assert server.stderr is not None
        warning = server.stderr.readline()
        if "unshare" in warning:
            pytest.skip(f"this system makes no network: {warning.strip()}")
        assert warning == (
            "spotter: warning: tcp://0.0.0.0:10400 is reached by other machines, and Wyoming has no authentication: "
            "whoever reaches it can send audio and learns what is heard in it\n"
        )
        assert server.stderr.readline().startswith("serving yes, no on tcp://0.0.0.0:10400")


def test_it_is_a_subcommand_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert spotter_main(["serve", "--help"]) == 0
    assert "tcp://127.0.0.1:10400" in capsys.readouterr().out


def test_thresholds_go_to_the_models_that_have_the_word() -> None:
    from spotter.cli import serve

    options = argparse.ArgumentParser()
    serve.add_arguments(options)
    given = options.parse_args(
        ["--model", TINY, "--model", "commands", "--threshold", "0.6", "--threshold", "stop=0.9"]
    )
    tiny, commands = serve._server(given).service._decoders
    assert (tiny.threshold, tiny.thresholds) == (0.6, {})
    assert (commands.threshold, commands.thresholds) == (0.6, {"stop": 0.9})


def test_which_addresses_only_this_machine_reaches() -> None:
    assert parse("tcp://127.0.0.1:1").is_loopback
    assert parse("tcp://[::1]:1").is_loopback
    assert str(parse("tcp://[::1]:1")) == "tcp://[::1]:1"
    assert Address("localhost", 1).is_loopback
    assert not parse("tcp://192.0.2.1:1").is_loopback
    assert parse("tcp://0.0.0.0:1").is_everywhere
    assert not parse("tcp://0.0.0.0:1").is_loopback


def test_the_other_commands_load_none_of_it() -> None:
    code = "import sys, spotter.cli; print([m for m in sys.modules if m.split('.')[0] in ('wyoming', 'asyncio')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
