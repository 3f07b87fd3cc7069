"""A page of another site, in a real browser, gets nothing out of the live page; nor does anything that it sends."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.page.messages import Mark, MessageError, Play, Save, Try, read, read_token
from tests.chromium import chromium, opened
from tests.page_parts import hear_all, listener_of, served

if TYPE_CHECKING:
    from playwright.sync_api import Page

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["yes", "mark", "try", "play"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["yes", "no"]), inner),
    max_leaves=12,
)
KEYS = ("type", "time", "keyword", "right", "number", "thresholds", "smooth_ms", "margin")


class Foreign(BaseHTTPRequestHandler):
    """Serves an empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as the library has it
        pass


@pytest.fixture
def foreign() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Foreign)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_page_of_another_site_cannot_connect_read_or_frame_it_even_with_the_token(
    tmp_path: Path, foreign: str, caplog: pytest.LogCaptureFixture
) -> None:
    listener = listener_of()
    with chromium() as browser, served(listener, tmp_path) as server, caplog.at_level(logging.WARNING):
        hear_all(listener, server)
        address = f"127.0.0.1:{server.port}"
        with opened(browser, foreign, quiet=False) as page:
            assert outcome(page, f"new WebSocket('ws://{address}/live')", "open", "error") == "error"
            assert page.evaluate(f"fetch('http://{address}/main.js').then(() => 'read', () => 'refused')") == "refused"
            script = f"Object.assign(document.createElement('script'), {{src: 'http://{address}/main.js'}})"
            assert outcome(page, f"document.head.appendChild({script})", "load", "error") == "error"
            frame = f"Object.assign(document.createElement('iframe'), {{src: '{server.url}'}})"
            outcome(page, f"document.body.appendChild({frame})", "load", "error")
            framed = page.frames[1]
            assert framed.locator("canvas").count() == 0
        assert server.viewers == 0
        assert [record.message for record in caplog.records if "another site" in record.message] == [
            f"another site ({foreign.rstrip('/')}) tried to connect to the page; it was refused"
        ]


def outcome(page: Page, thing: str, *events: str) -> str:
    """Make a thing in the page; return which of these events comes of it."""
    listening = "".join(f"thing.addEventListener('{event}', () => done('{event}'));" for event in events)
    text: str = page.evaluate(f"new Promise((done) => {{ const thing = {thing}; {listening} }})")
    return text


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES) | VALUES)
def test_whatever_is_sent_is_a_message_or_refused(values: object) -> None:
    text = json.dumps(values)
    try:
        message = read(text, ("yes", "no"))
    except MessageError:
        return
    assert isinstance(message, Try | Save | Play | Mark)


@given(st.text() | st.binary())
def test_whatever_comes_first_is_a_text_to_compare_or_refused(data: str | bytes) -> None:
    with contextlib.suppress(MessageError):
        assert isinstance(read_token(data), str)
