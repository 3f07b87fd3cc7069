"""The page's server: which requests and messages it answers, and which it refuses."""

from __future__ import annotations

import contextlib
import http.client
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from spotter.page.messages import MOST_BYTES
from spotter.page.server import Server
from tests.page_parts import (
    Viewer,
    fired,
    heard_server,  # noqa: F401  a fixture
    listener_of,
    served,
)
from tests.processes import LIMIT_S

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


def get(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT_S)
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
        stranger.connection.recv(timeout=LIMIT_S)
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
    with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_S) as sock:
        sock.sendall(garbage + b"\r\n\r\n")
        while sock.recv(65_536):
            pass
    assert caplog.text == ""
    assert get(server, "/")[0] == 200


@pytest.fixture
def patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve so that nobody is cut off for being slow."""
    monkeypatch.setattr("spotter.page.server._HANDSHAKE_S", 600.0)
    monkeypatch.setattr("spotter.page.viewer._TOKEN_S", 600.0)
    with served(listener_of(), tmp_path) as server:
        yield server


def test_who_opens_hundreds_of_connections_loses_them_and_viewers_stay(patient: Server) -> None:
    with Viewer(patient) as viewer, contextlib.ExitStack() as open_ones:
        viewer.wait_for("greeting")
        crowd = [
            open_ones.enter_context(socket.create_connection(("127.0.0.1", patient.port), LIMIT_S)) for _ in range(300)
        ]
        for one in crowd[: 300 - 64]:
            with contextlib.suppress(ConnectionResetError):
                assert one.recv(1) == b""
        assert fired(viewer.try_out(1, yes=0.99, no=0.99)) == []
    assert get(patient, "/")[0] == 200


def test_strangers_who_only_stay_keep_no_viewer_out(patient: Server) -> None:
    origin = Origin(f"http://127.0.0.1:{patient.port}")
    with contextlib.ExitStack() as open_ones:
        for _ in range(70):
            open_ones.enter_context(
                connect(f"ws://127.0.0.1:{patient.port}/live", origin=origin, proxy=None, close_timeout=1)
            )
        with Viewer(patient) as viewer:
            viewer.wait_for("greeting")
            assert get(patient, "/")[0] == 200
