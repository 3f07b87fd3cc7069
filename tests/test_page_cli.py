"""`listen --page` and `page FILE`: what they say, refuse, and leave running."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import soundfile

from spotter.cli import main
from spotter.cli.listen import DEMO
from spotter.cli.listen import main as listen
from spotter.model import Model
from tests.fakes import TALK, LiveSystem, ScriptedModel
from tests.processes import LIMIT_S, started

windows = pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent otherwise there")


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Model, "open", lambda *_, **__: ScriptedModel())


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a command, and wait for the address of its page."""
    command = [sys.executable, "-m", "spotter", *arguments]
    with started(command, stderr=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        assert process.stderr
        for line in process.stderr:
            if line.startswith("page: "):
                break
        yield process, line.split()[1]


@windows
def test_a_recording_is_shown_until_ctrl_c() -> None:
    with running("page", str(DEMO), "--address", "127.0.0.1:0") as (process, url):
        assert process.stderr
        assert process.stderr.readline() == "10 detections in demo.flac; Ctrl-C ends\n"
        assert b"<canvas" in urllib.request.urlopen(url, timeout=LIMIT_S).read()  # noqa: S310  our own address
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 0
        assert process.stderr.read() == ""


@windows
def test_the_microphones_page_ends_with_listening() -> None:
    with running("listen", "--input", "-", "--page", ":0", "--json") as (process, url):
        host, port = url.split("/")[2].split(":")
        socket.create_connection((host, int(port))).close()
        assert process.stdin
        process.stdin.write("\0" * 64_000)  # two seconds
        process.stdin.close()
        assert process.wait(LIMIT_S) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)))


@pytest.mark.usefixtures("scripted")
def test_what_is_heard_is_the_same_with_a_page(live: LiveSystem, capsys: pytest.CaptureFixture[str]) -> None:
    assert listen(["--json", "--page", "127.0.0.1:0"]) == 0
    captured = capsys.readouterr()
    objects = [json.loads(line) for line in captured.out.splitlines()]
    assert [one["keyword"] for one in objects if one["type"] == "detection"] == ["yes", "no"]
    first, second = captured.err.splitlines()[:2]
    assert first.startswith("page: http://127.0.0.1:")
    assert second.startswith("listening to ")


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])  # asked for
def test_another_address_comes_with_a_warning(
    live: LiveSystem, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    if address.startswith("[") and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    assert listen(["--page", address]) == 0
    err = capsys.readouterr().err
    assert "spotter: warning: other machines reach the page on" in err
    assert "travels in clear" in err
    assert f"page: http://{socket.gethostname()}:" in err


@pytest.mark.usefixtures("scripted")
def test_on_loopback_nothing_is_warned_of(live: LiveSystem, capsys: pytest.CaptureFixture[str]) -> None:
    assert listen(["--page", ":0"]) == 0
    assert "warning" not in capsys.readouterr().err


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    return captured.err


def test_a_recording_has_its_own_command(capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "listen", "--page", "--input", str(DEMO))
    assert f"`spotter page {DEMO}` shows it" in said


def test_a_port_in_use_and_what_is_no_address_are_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} of 127.0.0.1 is in use" in refusal(capsys, "page", str(DEMO), "--address", f":{port}")
        assert f"port {port} of 127.0.0.1 is in use" in refusal(capsys, "listen", "--input", "-", "--page", f":{port}")
    assert "is no address to serve the page on" in refusal(capsys, "page", str(DEMO), "--address", "a:b")
    assert "192.0.2.1 is no address of this machine" in refusal(capsys, "page", str(DEMO), "--address", "192.0.2.1:0")


@pytest.mark.parametrize("begin", ["-1", "28", "nan"])
def test_a_part_that_is_none_of_the_recording_is_a_sentence(capsys: pytest.CaptureFixture[str], begin: str) -> None:
    assert "no second of the recording; give 0 to 27.8" in refusal(capsys, "page", str(DEMO), f"--from={begin}")


def test_a_missing_file_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert "nowhere.wav" in refusal(capsys, "page", "nowhere.wav")


def test_without_the_package_the_install_line_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "websockets", None)
    assert main(["page", str(DEMO)]) == 1
    assert 'run `pip install "spotter-kws[page]"`' in capsys.readouterr().err


def test_listening_without_a_page_loads_nothing_of_it() -> None:
    code = (
        "import sys; from spotter.cli.listen import main; main(sys.argv[1:]); "
        "print([m for m in sys.modules if m.split('.')[0] in ('websockets', 'asyncio') or 'spotter.page' in m])"
    )
    arguments = [sys.executable, "-c", code, "--input", str(DEMO), "--seconds", "1"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


@windows
def test_a_damaged_recording_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    path: Any = tmp_path / "talk.flac"
    soundfile.write(path, TALK, 16_000)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with running("page", str(path), "--address", ":0") as (process, url):
        assert process.stderr
        said = [process.stderr.readline() for _ in range(2)]
        assert "detections in talk.flac; Ctrl-C ends" in said[1]
        urllib.request.urlopen(url, timeout=LIMIT_S).close()  # noqa: S310  our own address
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 2
