"""The page's server: who is let in, what is refused, and viewers that do harm."""

from __future__ import annotations

import http.client
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from spotter.errors import BadInputError
from spotter.page.messages import MOST_BYTES
from spotter.page.server import Server
from tests.fakes import Pushed, recording
from tests.page_parts import Viewer, fired, hear_all, listener_of, served, until, until_judged

NONE_OF_OURS = [
    "",
    "[]",
    "null",
    "{",
    '{"type": "delete"}',
    '{"type": "play"}',
    '{"type": "play", "time": -1}',
    '{"type": "play", "time": 1.5}',
    '{"type": "play", "time": 1e400}',
    '{"type": "play", "time": true}',
    '{"type": "play", "time": ' + "9" * 5_000 + "}",
    '{"type": "mark", "keyword": "../../etc/passwd", "time": 1, "right": true}',
    '{"type": "mark", "keyword": "yes", "time": 1, "right": "yes"}',
    '{"type": "mark", "keyword": ["yes"], "time": 1, "right": true}',
    '{"type": "try", "number": 1, "thresholds": {"yes": 0.5}, "smooth_ms": 100, "margin": 0.1}',
    '{"type": "try", "number": 1, "thresholds": {"yes": 0.5, "no": 2}, "smooth_ms": 100, "margin": 0.1}',
    '{"type": "try", "number": 1, "thresholds": {"yes": 0.5, "no": NaN}, "smooth_ms": 100, "margin": 0.1}',
    '{"type": "try", "number": 1, "thresholds": {"yes": 0.5, "no": 0.5}, "smooth_ms": 1e9, "margin": 0.1}',
    '{"type": "save", "number": 1, "thresholds": {"yes": 0.5, "no": 0.5}, "smooth_ms": 100, "margin": 1}',
    "[" * 60_000,
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Serve a recording that has been heard."""
    listener = listener_of()
    with served(listener, tmp_path / "clips") as server:
        hear_all(listener, server)
        yield server


def get(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5.0)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def refused(server: Server, origin: str | None, *, host: str = "127.0.0.1") -> int:
    """Try to connect from a page of this origin; return the status that it gets."""
    with socket.create_connection(("127.0.0.1", server.port)) as sock, pytest.raises(InvalidStatus) as refusal:
        connect(
            f"ws://{host}:{server.port}/live", sock=sock, origin=None if origin is None else Origin(origin), proxy=None
        )
    return refusal.value.response.status_code


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


@pytest.mark.parametrize("path", ["/", "/index.html", "/main.js", "/page.css", "/favicon.svg", "/favicon.ico"])
def test_the_pages_files_are_served_with_rules_for_the_browser(server: Server, path: str) -> None:
    status, headers, body = get(server, path)
    assert status == 200
    assert body
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Server" not in headers
    assert server.token.encode() not in body


@pytest.mark.parametrize(
    "path",
    ["/../server.py", "/..%2fserver.py", "/static/index.html", "//etc/passwd", "/%2e%2e/kept.py", "/.git", "/main.js/"],
)
def test_no_other_file_is_reached(server: Server, path: str) -> None:
    assert get(server, path)[0] == 404


def test_only_get_is_served(server: Server) -> None:
    assert get(server, "/", "DELETE")[0] in (400, 405)
    assert get(server, "/")[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.0.2.1", "127.0.0.1:1"])
def test_a_name_that_is_not_ours_is_refused(server: Server, host: str) -> None:
    name = host if ":" in host else f"{host}:{server.port}"
    assert get(server, "/", Host=name)[0] == 403
    if ":" not in host:
        assert refused(server, f"http://{name}", host=host) == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "https://127.0.0.1:{port}", "http://127.0.0.1:1", "null", None]
)
def test_a_page_of_another_site_is_refused_and_that_is_said_once(
    server: Server, origin: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert refused(server, origin and origin.format(port=server.port)) == 403
    assert len(caplog.records) == 1
    assert "another site" in caplog.text


@pytest.mark.parametrize(
    "first", ['{"token": "guessed"}', '{"token": "\\ud800"}', "{}", '{"token": 5}', "{", '{"type": "play", "time": 1}']
)
def test_without_the_token_nothing_is_shown(server: Server, first: str) -> None:
    with Viewer(server, first=first) as stranger, pytest.raises(ConnectionClosed) as closed:
        stranger.connection.recv(timeout=5.0)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


def test_the_token_is_another_one_each_time_and_not_sent_to_be_served(server: Server, tmp_path: Path) -> None:
    with served(listener_of(), tmp_path) as other:
        assert other.token != server.token
    assert len(server.token) >= 32
    assert server.url == f"http://127.0.0.1:{server.port}/#{server.token}"


@pytest.mark.parametrize("message", NONE_OF_OURS, ids=[message[:40] or "empty" for message in NONE_OF_OURS])
def test_a_message_that_no_page_of_ours_sends_ends_that_connection_with_one_line(
    server: Server, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Viewer(server) as other, Viewer(server) as viewer, caplog.at_level(logging.INFO):
        viewer.wait_for("greeting")
        viewer.connection.send(message)
        assert viewer.wait_for_end() == 1008
        assert len(caplog.records) == 1
        assert caplog.records[0].exc_info is None
        assert len(fired(other.try_out(1, yes=0.5, no=0.5))) == 2


@pytest.mark.parametrize("message", ["x" * (MOST_BYTES + 1), b"binary"], ids=["oversized", "binary"])
def test_an_oversized_or_binary_message_ends_that_connection(server: Server, message: str | bytes) -> None:
    with Viewer(server) as viewer:
        viewer.wait_for("greeting")
        viewer.connection.send(message)
        assert viewer.wait_for_end() in (1008, 1009)
    with Viewer(server) as other:
        other.wait_for("greeting")


@pytest.mark.parametrize(
    "garbage", [b"\0" * 100, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 1_000, b"\x16\x03\x01\x02", b""]
)
def test_garbage_is_cut_off_without_a_word(server: Server, garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=8.0) as sock:
        sock.sendall(garbage + b"\r\n\r\n")
        while sock.recv(65_536):
            pass
    assert caplog.text == ""
    assert get(server, "/")[0] == 200


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
        assert max(took) < 3.0
        assert server.viewers == 2
        begun = time.monotonic()
        listener.stop()
        server.stop()
        assert time.monotonic() - begun < 5.0
        lazy.close()


def ask(viewer: Viewer, number: int) -> None:
    thresholds = {"yes": 0.5, "no": 0.5}
    viewer.send({"type": "try", "number": number, "thresholds": thresholds, "smooth_ms": 100, "margin": 0.1})


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
    viewers = [Viewer(server) for _ in range(16)]
    for viewer in viewers:
        viewer.wait_for("greeting")
    with pytest.raises(InvalidStatus, match="503"):
        Viewer(server)
    for viewer in viewers:
        viewer.close()
    until(lambda: server.viewers == 0)
    Viewer(server).close()


def test_a_port_in_use_is_a_sentence(server: Server) -> None:
    with pytest.raises(BadInputError, match=rf"port {server.port} of 127.0.0.1 is in use.*give another, such as :"):
        Server(server.shown, "127.0.0.1", server.port).start()


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "a" * 80])
def test_an_address_of_another_machine_is_a_sentence(server: Server, host: str) -> None:
    with pytest.raises(BadInputError, match=rf"{host} is no address of this machine; give one of its own"):
        Server(server.shown, host, 0).start()


def test_a_message_is_packed_so_that_json_reads_its_header(server: Server) -> None:
    with Viewer(server) as viewer:
        rows = viewer.wait_for("rows")
        json.dumps({key: value for key, value in rows.items() if not isinstance(value, np.ndarray)}, allow_nan=False)
