"""Signs of life come while audio is judged, and only then."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import soundfile

from spotter.cli.listen import main as listen
from spotter.cli.logs import logged
from spotter.errors import BadInputError
from spotter.heartbeat import Heartbeat, Service

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "spotter" / "data" / "demo.flac"
pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no unix sockets here")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def stream(windows: int) -> Any:
    """As much of a pipeline as a heartbeat looks at."""
    health = SimpleNamespace(finding="ok")
    return SimpleNamespace(
        windows=windows, detections=2, position=1_600 * windows, lost_samples=8_000, skipped_windows=0, health=health
    )


class Manager:
    """What systemd is to a service: a datagram socket."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(60.0)

    def next(self) -> list[str]:
        return self.socket.recv(4_096).decode().split("\n")

    def until_silent(self) -> list[list[str]]:
        """What comes until nothing does."""
        states = []
        while True:
            try:
                states.append(self.next())
            except TimeoutError:
                return states

    def waiting(self) -> list[list[str]]:
        """What has come and was not fetched."""
        self.socket.settimeout(0.0)
        states = []
        try:
            while True:
                states.append(self.next())
        except BlockingIOError:
            return states
        finally:
            self.socket.settimeout(60.0)


@pytest.fixture
def manager() -> Iterator[tuple[Manager, str]]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a socket has at most 107 bytes of path
        path = f"{folder}/notify"
        found = Manager(path)
        yield found, path
        found.socket.close()


# The rule


def test_there_is_a_beat_at_once_then_every_five_seconds_and_none_without_new_windows(tmp_path: Path) -> None:
    clock = Clock()
    heartbeat = Heartbeat(tmp_path / "beat", clock=clock)
    assert not heartbeat.look(stream(0))
    assert not (tmp_path / "beat").exists()
    assert heartbeat.look(stream(1))
    clock.now += 4.9
    assert not heartbeat.look(stream(50))
    clock.now += 0.2
    assert heartbeat.look(stream(51))
    clock.now += 3_600.0  # stalled
    assert not heartbeat.look(stream(51))
    assert heartbeat.look(stream(52))


def test_the_file_is_one_object_with_the_counts(tmp_path: Path) -> None:
    path = tmp_path / "beat"
    Heartbeat(path).look(stream(100), gaps=3)
    values = json.loads(path.read_text("utf-8"))
    assert values.pop("time").startswith("20")
    assert values == {
        "type": "heartbeat",
        "stream_seconds": 10.0,
        "windows": 100,
        "detections": 2,
        "gaps": 3,
        "lost_seconds": 0.5,
        "health": "ok",
        "pid": os.getpid(),
    }
    assert list(tmp_path.iterdir()) == [path]


def test_a_heartbeat_of_before_is_replaced_and_any_other_file_refused(tmp_path: Path) -> None:
    (tmp_path / "beat").touch()
    for windows in (1, 2):
        assert Heartbeat(tmp_path / "beat").look(stream(windows))
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(BadInputError, match="exists and is no heartbeat"):
        Heartbeat(tmp_path / "thesis.txt")
    with pytest.raises(BadInputError, match="exists and is no heartbeat"):
        Heartbeat(tmp_path)
    with pytest.raises(BadInputError, match="is no folder"):
        Heartbeat(tmp_path / "none" / "beat")


def test_a_disk_that_takes_no_file_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    clock = Clock()
    heartbeat = Heartbeat(folder / "beat", clock=clock)
    folder.rmdir()
    for windows in range(1, 5):
        clock.now += 10.0
        assert heartbeat.look(stream(windows))
    assert len(caplog.records) == 1


# The service manager


def test_the_manager_is_told_ready_then_watchdog_then_stopping(manager: tuple[Manager, str]) -> None:
    systemd, path = manager
    clock = Clock()
    service = Service({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, 7)
    heartbeat = Heartbeat(service=service, clock=clock)
    heartbeat.look(stream(0))
    assert systemd.waiting() == []
    heartbeat.look(stream(1))
    clock.now += 1.1  # a third of what it waits
    heartbeat.look(stream(2))
    heartbeat.end()
    assert systemd.waiting() == [["READY=1", "WATCHDOG=1"], ["WATCHDOG=1"], ["STOPPING=1"]]


@pytest.mark.parametrize("environment", [{}, {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "8"}, {"WATCHDOG_USEC": "x"}])
def test_without_a_watchdog_for_this_process_only_ready_is_told(
    environment: dict[str, str], manager: tuple[Manager, str]
) -> None:
    systemd, path = manager
    clock = Clock()
    heartbeat = Heartbeat(service=Service({"NOTIFY_SOCKET": path, **environment}, 7), clock=clock)
    for windows in (1, 2, 3):
        clock.now += 20.0
        heartbeat.look(stream(windows))
    assert systemd.waiting() == [["READY=1"]]


def test_a_manager_that_is_gone_is_said_once_and_again_when_it_has_been_there_meanwhile(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "notify"
        service = Service({"NOTIFY_SOCKET": str(path)}, 1)
        for there in (False, False, True, False, False):
            manager = Manager(str(path)) if there else None
            service.tell("WATCHDOG=1")
            if manager is not None:
                assert manager.next() == ["WATCHDOG=1"]
                manager.socket.close()
                path.unlink()
    assert ["cannot be told WATCHDOG=1" in record.getMessage() for record in caplog.records] == [True, True]


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
def test_an_abstract_socket_works_too() -> None:
    name = f"spotter-test-{os.getpid()}"
    systemd = Manager(f"\0{name}")
    Service({"NOTIFY_SOCKET": f"@{name}"}, 1).tell("READY=1")
    assert systemd.waiting() == [["READY=1"]]
    systemd.socket.close()


@pytest.mark.parametrize("address", ["", "relative", "vsock:2:1234"])
def test_an_address_that_is_none_is_no_service(address: str) -> None:
    service = Service({"NOTIFY_SOCKET": address}, 1)
    assert not service
    service.tell("READY=1")


def test_a_manager_that_is_gone_does_not_disturb(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Service({"NOTIFY_SOCKET": str(tmp_path / "gone")}, 1).tell("READY=1")
    assert len(caplog.records) == 1


# The command


def test_a_process_is_ready_and_beats_while_audio_comes_and_not_while_its_source_stalls(
    manager: tuple[Manager, str], tmp_path: Path
) -> None:
    systemd, path = manager
    environment = {**os.environ, "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "60000"}  # a beat every 20 ms
    environment.pop("WATCHDOG_PID", None)
    beat = tmp_path / "beat"
    child = subprocess.Popen(
        [sys.executable, "-m", "spotter.listen", "--json", "--input", "-", "--heartbeat", str(beat)],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stderr is not None
    try:
        samples = soundfile.read(DEMO, dtype="int16")[0].astype("<i2")
        while b"listening" not in (line := child.stderr.readline()):
            assert line, "it has ended"
        child.stdin.write(samples[:8_000].tobytes())  # less than the first window needs
        child.stdin.flush()
        systemd.socket.settimeout(1.5)
        with pytest.raises(TimeoutError):  # a stalled source: neither ready nor alive
            systemd.next()
        assert not beat.exists()
        systemd.socket.settimeout(60.0)
        child.stdin.write(samples[8_000:64_000].tobytes())
        child.stdin.flush()
        assert systemd.next() == ["READY=1", "WATCHDOG=1"]
        for _ in range(3):  # audio comes again and again
            child.stdin.write(samples[64_000:80_000].tobytes())
            child.stdin.flush()
            assert systemd.next() == ["WATCHDOG=1"]
        systemd.socket.settimeout(1.5)
        beats = systemd.until_silent()  # it stalls again, for many times what a beat takes
        assert all(states == ["WATCHDOG=1"] for states in beats)
        assert len(beats) < 10
        systemd.socket.settimeout(60.0)
        assert json.loads(beat.read_text("utf-8"))["windows"] > 20
        child.stdin.close()
        assert child.wait(60) == 0
        assert systemd.waiting()[-1] == ["STOPPING=1"]
    finally:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()


def test_a_heartbeat_that_cannot_be_gets_one_line_and_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("mine")
    assert listen(["--input", str(DEMO), "--heartbeat", str(tmp_path / "mine")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "is no heartbeat" in line
    assert (tmp_path / "mine").read_text() == "mine"


# Logging


def test_the_library_installs_no_handlers_and_logs_under_its_own_name() -> None:
    code = (
        "import logging, pkgutil, importlib, spotter, spotter.listener, spotter.record, spotter.saving, spotter.model\n"
        "names = [n for n in logging.root.manager.loggerDict if n.split('.')[0] == 'spotter']\n"
        "print(len(names), [n for n in names if getattr(logging.getLogger(n), 'handlers', [])], logging.root.handlers)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    count, _, handlers = done.stdout.strip().partition(" ")
    assert int(count) > 3
    assert handlers == "[] []"


@pytest.mark.parametrize(("level", "said"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_log_level_says_from_which_severity_on_lines_are_printed(
    level: str, said: int, capsys: pytest.CaptureFixture[str]
) -> None:
    log = logging.getLogger("spotter.anything")
    with logged(level):
        for call in (log.debug, log.info, log.warning, log.error):
            call("something")
    assert len(capsys.readouterr().err.splitlines()) == said
    log.error("not ours any more")
    assert capsys.readouterr().err.count("spotter: ") == 0


def test_debugging_shows_what_was_opened(capsys: pytest.CaptureFixture[str]) -> None:
    assert listen(["--input", str(DEMO), "--log-level", "debug"]) == 0
    assert "debug: model: " in capsys.readouterr().err
    assert listen(["--input", str(DEMO)]) == 0
    assert "debug" not in capsys.readouterr().err
