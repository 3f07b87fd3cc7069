"""Where the service listens: a URI taken apart, and whether others than this machine reach it."""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from spotter.errors import BadInputError


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP address; port 0 stands for any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        """As a URI."""
        return f"tcp://[{self.host}]:{self.port}" if ":" in self.host else f"tcp://{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return all(ipaddress.ip_address(number).is_loopback for number in self._numbers())

    @property
    def is_everywhere(self) -> bool:
        """Whether it stands for all of the machine's addresses."""
        return any(ipaddress.ip_address(number).is_unspecified for number in self._numbers())

    def _numbers(self) -> list[str]:
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise BadInputError(
                f"there is no host {self.host!r}; give an address of this machine, such as 127.0.0.1"
            ) from None
        return [str(place[4][0]).partition("%")[0] for place in found]


def parse(uri: str) -> Address:
    """Take a URI apart.

    Raises
    ------
    BadInputError
        It is not of the form tcp://HOST:PORT.
    """
    fix = "give tcp://HOST:PORT, such as tcp://127.0.0.1:10400"
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadInputError(f"the address {uri!r} cannot be read; {fix}") from None
    if parts.scheme != "tcp" or not host or port is None or parts.path or parts.query or parts.username:
        raise BadInputError(f"the address {uri!r} is not what this can listen on; {fix}")
    return Address(host, port)


def why_not(address: Address, error: OSError | OverflowError) -> BadInputError:
    """Return, in a sentence, why an address cannot be listened on."""
    code = getattr(error, "errno", None)
    if code == errno.EADDRINUSE:
        return BadInputError(f"{address} is in use; end what listens there, or give another port with --uri")
    if code == errno.EADDRNOTAVAIL:
        return BadInputError(f"{address} is no address of this machine; give one of its own, or tcp://0.0.0.0:10400")
    if code in (errno.EACCES, errno.EPERM):
        return BadInputError(f"{address} is not allowed for this user; give a port above 1023 with --uri")
    why = getattr(error, "strerror", None) or error
    return BadInputError(f"{address} cannot be listened on ({why}); give another address with --uri")
