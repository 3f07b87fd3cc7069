"""Who may talk to the page: where it is served, under which name it is asked for, and from which page.

A browser lets any web site open connections to this machine, and a site may give its own name this machine's
address; so the name that was asked for (`Host`) and the page that asks (`Origin`) are looked at each time. Against
other users of the machine there is the token.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from typing import Final

from spotter.errors import BadInputError

HOST: Final = "127.0.0.1"
PORT: Final = 7768
_ADDRESS: Final = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<host>[^:\[\]]*))(?::(?P<port>\d{1,5}))?")


def read_address(text: str) -> tuple[str, int]:
    """Read `127.0.0.1:7768`, `[::1]:7768`, `:7768`, `7768` or an address alone; what is left out is the default.

    Raises
    ------
    BadInputError
        It is none of these.
    """
    if text.isdecimal():
        text = f":{text}"
    found = _ADDRESS.fullmatch(text.strip())
    port = int(found["port"]) if found and found["port"] else PORT
    if found is None or port > 65_535 or (found["six"] is not None and not _is_address(found["six"])):
        raise BadInputError(
            f"{text!r} is no address to serve the page on; give ADDRESS:PORT, such as {HOST}:{PORT}, or a port"
        )
    host = found["six"] or found["host"] or HOST
    return (HOST if host == "localhost" else host), port


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    return _is_address(host) and ipaddress.ip_address(host).is_loopback


def is_ours(hosts: Sequence[str], served: str, port: int) -> bool:
    """Whether a request's `Host` headers name this server.

    An address cannot be had by another site's name, so any will do, but for a loopback server only loopback ones;
    of names, `localhost`, what the server was told to be, and beyond loopback this machine's own.
    """
    found = _ADDRESS.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if found is None or int(found["port"] or 80) != port:
        return False
    host = (found["six"] or found["host"] or "").lower().rstrip(".")
    if is_loopback(served):
        return host == "localhost" or is_loopback(host)
    own = socket.gethostname().lower()
    return _is_address(host) or host in ("localhost", served.lower(), own, f"{own}.local")


def is_same_origin(origins: Sequence[str], host: str) -> bool:
    """Whether a request's `Origin` headers are those of a page that came from the same server."""
    return list(origins) == [f"http://{host}"]


def url(host: str, port: int) -> str:
    """Return where a browser finds the page; for all addresses of the machine by its name."""
    if _is_address(host) and ipaddress.ip_address(host).is_unspecified:
        host = socket.gethostname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
