"""Each example is complete and short, and does what it says with the demo recording."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import soundfile

from spotter.cli.listen import DEMO

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, *arguments: str) -> list[str]:
    command = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), "--input", str(DEMO), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_voice_assistant_keeps_what_is_said_after_its_wake_word(tmp_path: Path) -> None:
    lines = run("voice_assistant", "--wake", "go", "--out", str(tmp_path))
    assert re.fullmatch(r"19\.\d\d s: go! I am listening …", lines[0])
    assert lines[1:] == [f"what was said is in {tmp_path / '1.wav'}"]
    samples, rate = soundfile.read(tmp_path / "1.wav")
    assert len(samples) == 3 * rate
    whole, _ = soundfile.read(DEMO)
    starts = [at for at in range(18 * rate, 22 * rate, rate // 10) if (whole[at : at + 3 * rate] == samples).all()]
    assert len(starts) == 1, "it is the three seconds after the word, as they came"


def test_the_robot_drives_as_it_is_told() -> None:
    assert run("robot") == [
        "left: wheels -0.4 +0.4",
        "right: wheels +0.4 -0.4",
        "go: wheels +1.0 +1.0",
        "stop: wheels +0.0 +0.0",
    ]


def test_the_game_moves_its_player_and_ends_at_stop() -> None:
    places = [line for line in run("game") if ":" in line]
    assert places == [
        "start: 10 3",
        "yes: 10 3",
        "no: 10 3",
        "up: 10 0",
        "down: 10 3",
        "left: 5 3",
        "right: 10 3",
        "go: 10 3",
        "stop: 10 3",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process")
def test_the_web_server_tells_each_browser_what_it_heard() -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLES / "web_server.py"), "--input", str(DEMO), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\n", process.stdout.readline())
            assert found
            port = int(found[1])
            assert b"EventSource" in ask(port, "/", b"</script>")
            for _ in range(2):
                answer = ask(port, "/events", b'"keyword": "yes"', times=2).decode()
                heard = [json.loads(line.removeprefix("data: ")) for line in answer.splitlines() if "data: " in line]
                assert words(heard)[:10] == ["yes", "no", "up", "down", "left", "right", "go", "stop", "no", "yes"]
        finally:
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")


def words(heard: list[dict[str, Any]]) -> list[str]:
    return [event["keyword"] for event in heard]


def ask(port: int, path: str, until: bytes, *, times: int = 1) -> bytes:
    """What a browser gets, up to the line in which something comes so many times."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), 60.0) as browser:
        browser.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        while got.count(until) < times or not got.endswith(b"\n"):
            piece = browser.recv(65_536)
            if not piece:
                break
            got += piece
    return got


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_each_example_is_short_and_says_how_it_is_run(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 120
    assert f"    python examples/{path.name}" in text
    assert path.name in (EXAMPLES.parent / "docs" / "python.md").read_text("utf-8")


def test_the_code_of_the_page_about_python_is_python() -> None:
    page = (EXAMPLES.parent / "docs" / "python.md").read_text("utf-8")
    blocks = re.findall(r"^( *)```python\n(.*?)^ *```", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    for indent, block in blocks:
        compile(textwrap.dedent(block) if indent else block, "python.md", "exec")
