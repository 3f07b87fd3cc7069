"""Which addresses the page is served on, and whose requests are answered there."""

from __future__ import annotations

import socket

import pytest

from spotter.errors import BadInputError
from spotter.page.checks import is_loopback, is_ours, read_address, url


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        (":80", ("127.0.0.1", 80)),
        ("80", ("127.0.0.1", 80)),
        ("", ("127.0.0.1", 7_768)),
        ("localhost:9", ("127.0.0.1", 9)),
        ("[::1]:9", ("::1", 9)),
        ("[::1]", ("::1", 7_768)),
        ("0.0.0.0", ("0.0.0.0", 7_768)),  # noqa: S104  asked for
        ("mill.local:1234", ("mill.local", 1_234)),
    ],
)
def test_addresses_are_read(text: str, wanted: tuple[str, int]) -> None:
    assert read_address(text) == wanted


@pytest.mark.parametrize("text", ["1.2.3.4:99999", "::1", "a:b", "[x]:1", "http://127.0.0.1:1", "127.0.0.1:1/"])
def test_what_is_no_address_is_a_sentence(text: str) -> None:
    with pytest.raises(BadInputError, match="is no address to serve the page on; give ADDRESS:PORT"):
        read_address(text)


@pytest.mark.parametrize(
    ("hosts", "served_on", "ours"),
    [
        (["localhost:5"], "127.0.0.1", True),
        (["127.9.9.9:5"], "127.0.0.1", True),
        (["[::1]:5"], "127.0.0.1", True),
        (["192.0.2.1:5"], "127.0.0.1", False),
        (["192.0.2.1:5"], "0.0.0.0", True),  # noqa: S104  as above
        ([f"{socket.gethostname()}:5"], "0.0.0.0", True),  # noqa: S104
        (["evil.example:5"], "0.0.0.0", False),  # noqa: S104
        (["mill.example:5"], "mill.example", True),
        (["localhost"], "127.0.0.1", False),
        (["localhost:5", "localhost:5"], "127.0.0.1", False),
        ([], "127.0.0.1", False),
        (["localhost:5@evil.example"], "127.0.0.1", False),
        ([""], "127.0.0.1", False),
    ],
)
def test_whose_name_a_request_was_sent_to(hosts: list[str], served_on: str, *, ours: bool) -> None:
    assert is_ours(hosts, served_on, 5) is ours


def test_only_loopback_is_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.2", "localhost.evil.example")))  # noqa: S104


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("127.0.0.1", "http://127.0.0.1:5/"),
        ("::1", "http://[::1]:5/"),
        ("mill.local", "http://mill.local:5/"),
        ("::", f"http://{socket.gethostname()}:5/"),
    ],
)
def test_what_a_browser_is_to_open(host: str, wanted: str) -> None:
    assert url(host, 5) == wanted
