"""The page's server: what viewers are sent, those that do harm, and addresses that cannot be had."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from spotter.errors import BadInputError
from spotter.page.server import Server
from tests.fakes import Pushed, recording
from tests.page_parts import (
    Viewer,
    fired,
    heard_server,  # noqa: F401  a fixture
    listener_of,
    served,
    until_judged,
)
from tests.processes import until

SETTINGS = {"thresholds": {"yes": 0.5, "no": 0.5}, "smooth_ms": 100, "margin": 0.1}


def test_a_viewer_sees_what_was_heard(server: Server) -> None:
    with Viewer(server) as viewer:
        greeting = viewer.wait_for("greeting")
        assert greeting["keywords"] == ["yes", "no"]
        assert greeting["source"] == "talk.wav"
        happened = viewer.wait_for("events")["events"]
        rows = viewer.wait_for("rows")
        assert rows["anew"]
        assert [(one["keyword"], one["time"]) for one in happened] == fired(rows)
        assert [one["keyword"] for one in happened] == ["yes", "no"]
        width = len(greeting["keywords"])
        assert len(rows["smoothed"]) == width * len(rows["ends"]) == width * len(rows["share"])
        columns = viewer.wait_for("columns")
        assert len(columns["spectrogram"]) == greeting["bands"] * len(columns["wave"]) / 2
        assert columns["wave"].max() > 9_000
        assert viewer.wait_for("status")["detections"] == 2


def test_other_settings_are_tried_for_the_viewer_that_asks_alone(server: Server) -> None:
    with Viewer(server) as one, Viewer(server) as other:
        assert [keyword for keyword, _ in fired(one.try_out(1, yes=0.99, no=0.5))] == ["no"]
        assert [keyword for keyword, _ in fired(one.try_out(2, yes=0.5, no=0.99))] == ["yes"]
        assert [keyword for keyword, _ in fired(other.wait_for("rows"))] == ["yes", "no"]


def test_the_last_of_many_settings_is_what_is_shown(server: Server) -> None:
    with Viewer(server) as viewer:
        for number in range(1, 40):
            ask(viewer, number)
        assert fired(viewer.try_out(40, yes=0.99, no=0.99)) == []


def test_a_viewer_that_asks_and_never_reads_costs_little_and_delays_nobody(tmp_path: Path) -> None:
    source = Pushed()
    listener = listener_of(source, hop_ms=20.0)
    with served(listener, tmp_path, seconds=40.0) as server:
        listener.start()
        kept = server.shown.kept
        for seconds in range(2, 42, 2):
            source.push(recording((1.2, "yes"), seconds=2.0), block=1_600)
            until_judged(kept, 16_000 * seconds - 1_600)
        lazy, eager = Viewer(server), Viewer(server)
        eager.wait_for("greeting")
        before, took = memory_mb(), []
        for number in range(600):  # 80 kB in answer to each, were they read
            lazy.send({"type": "play", "time": kept.end - 16_000})
            if number % 10 == 0:
                ask(lazy, number)
        for _ in range(20):
            begun, wanted = time.monotonic(), kept.end + 7_000
            source.push(recording((0.0, "yes"), seconds=0.5), block=1_600)
            until_judged(kept, wanted)
            took.append(time.monotonic() - begun)
        eager.wait_for(lambda m: m["type"] == "rows" and len(m["ends"]) and m["ends"][-1] > kept.end - 16_000)
        assert len(fired(eager.try_out(1, yes=0.5, no=0.5))) > 10
        assert memory_mb() - before < 20
        assert max(took) < 15.0  # a viewer that does not answer is left after twenty seconds
        assert server.viewers == 2
        begun = time.monotonic()
        listener.stop()
        server.stop()
        assert time.monotonic() - begun < 15.0
        lazy.close()


def ask(viewer: Viewer, number: int) -> None:
    viewer.send({"type": "try", "number": number, **SETTINGS})


def memory_mb() -> float:
    if not os.path.exists("/proc/self/statm"):  # noqa: PTH110
        pytest.skip("memory is read from /proc")
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_one_that_falls_far_behind_loses_sound_and_is_told(tmp_path: Path) -> None:
    with served(listener_of(Pushed()), tmp_path, seconds=60.0) as server, Viewer(server) as viewer:
        server.shown.kept.sound(0, np.zeros(16_000, np.float32))
        viewer.wait_for("columns")
        server.shown.kept.sound(16_000, np.zeros(20 * 16_000, np.float32))  # as if it had not been served meanwhile
        assert viewer.wait_for(lambda m: m["type"] == "columns" and m["lost"])["lost"] > 1_000


def test_no_more_than_sixteen_look(server: Server) -> None:
    with contextlib.ExitStack() as crowd:
        for viewer in [crowd.enter_context(Viewer(server)) for _ in range(16)]:
            viewer.wait_for("greeting")
        with pytest.raises(InvalidStatus, match="503"):
            Viewer(server)
    until(lambda: server.viewers == 0)
    Viewer(server).close()


def test_a_port_in_use_is_a_sentence(server: Server) -> None:
    with pytest.raises(BadInputError, match=rf"port {server.port} of 127.0.0.1 is in use.*give another, such as :"):
        Server(server.shown, "127.0.0.1", server.port).start()


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "a" * 80])
def test_an_address_of_another_machine_is_a_sentence(server: Server, host: str) -> None:
    with pytest.raises(BadInputError, match=rf"{host} is no address of this machine; give one of its own"):
        Server(server.shown, host, 0).start()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_is_not_allowed_is_a_sentence(server: Server, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")  # root may have any port

    monkeypatch.setattr(asyncio.BaseEventLoop, "create_server", refuse)
    with pytest.raises(BadInputError, match=r"1\]?:80 is not allowed; give a port from 1024 on, such as :7768"):
        Server(server.shown, host, 80).start()


def test_a_message_is_packed_so_that_json_reads_its_header(server: Server) -> None:
    with Viewer(server) as viewer:
        rows = viewer.wait_for("rows")
        json.dumps({key: value for key, value in rows.items() if not isinstance(value, np.ndarray)}, allow_nan=False)


def test_what_fails_while_sending_ends_that_connection_and_is_said_once(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Any) -> Any:
        raise RuntimeError("a bug")

    with Viewer(server) as before:
        before.wait_for("greeting")
        monkeypatch.setattr(type(server.shown), "status", fail)
        for _ in range(3):
            viewer = Viewer(server)
            with pytest.raises(ConnectionClosed) as closed:
                viewer.wait_for("never")
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1011
            viewer.close()
    until(lambda: server.viewers == 0)
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == ["a viewer of the page was left; listening goes on"]


def test_viewers_that_save_at_once_do_not_meet_in_one_file(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    at_once: list[int] = []
    saving = threading.Semaphore(1)

    def save(*_: Any, **__: Any) -> Path:
        alone = saving.acquire(blocking=False)
        time.sleep(0.01)
        if alone:
            saving.release()
        at_once.append(0 if alone else 1)
        return tmp_path

    monkeypatch.setattr("spotter.page.shown.save_own", save)
    with Viewer(server) as one, Viewer(server) as other:
        for number in range(1, 6):
            for viewer in (one, other):
                viewer.send({"type": "save", "number": number, **SETTINGS})
        until(lambda: len(at_once) == 10)
    assert at_once == [0] * 10
