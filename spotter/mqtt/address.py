"""Where the broker is, and what it is told about who we are."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from spotter.errors import BadInputError

PASSWORD_VARIABLE: Final = "SPOTTER_MQTT_PASSWORD"  # noqa: S105  its name
_PORTS: Final = {"mqtt": 1_883, "mqtts": 8_883}
_EXAMPLE: Final = "mqtt://user@homeassistant.local:1883, or mqtts:// for TLS"
_NO_ID: Final = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """A broker's address; the password is not shown."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def in_clear(self) -> bool:
        """Whether everybody on the way can read what is sent."""
        return self.tls is None and self.host not in ("localhost", "127.0.0.1", "::1")


def broker(address: str, *, password: str = "", ca_file: Path | None = None) -> Broker:
    """Read an address.

    Parameters
    ----------
    address : str
        `mqtt://[USER@]HOST[:PORT]`, or `mqtts://…` for TLS; without a scheme it is `mqtt://`.
    password : str
        Of that user.
    ca_file : Path, optional
        The certificates that the broker's is checked with, in PEM; left out: those of the system.

    Raises
    ------
    BadInputError
        No such address, a password in it, or a password without a user.
    """
    parts = urlsplit(address if "://" in address else f"mqtt://{address}")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in _PORTS or not parts.hostname or port == 0 or parts.path.strip("/") or parts.query:
        raise BadInputError(f"{_without_password(address)!r} is no address of a broker; give {_EXAMPLE}")
    if parts.password is not None:
        raise BadInputError(
            f"a password in {_without_password(address)} can be read by other users of this machine; "
            f"put it into a file (--mqtt-password-file) or into {PASSWORD_VARIABLE}"
        )
    user = unquote(parts.username or "")
    if password and not user:
        raise BadInputError("there is a password for the broker and no user; give mqtt://USER@HOST")
    tls = _context(ca_file) if parts.scheme == "mqtts" else None
    if ca_file and tls is None:
        raise BadInputError(f"{ca_file} is for TLS; give mqtts:// instead of mqtt://, or leave it out")
    return Broker(host=parts.hostname, port=port or _PORTS[parts.scheme], user=user, password=password, tls=tls)


def password(file: Path | None, environment: Mapping[str, str]) -> str:
    """Return the password in a file's first line, or else in the environment; empty where there is none."""
    if file is None:
        return environment.get(PASSWORD_VARIABLE, "")
    try:
        text = file.read_text("utf-8-sig").partition("\n")[0].rstrip("\r")  # Windows' editors begin a file with a mark
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "no text"
        raise BadInputError(f"the password file {file} cannot be read ({reason}); check its path and rights") from None
    if not text:
        raise BadInputError(f"the password file {file} has an empty first line; write the password into its first line")
    return text


def usual_id() -> str:
    """Return the machine's name, as it may stand in topics."""
    return _NO_ID.sub("-", socket.gethostname().partition(".")[0]).strip("-") or "spotter"


def check_id(text: str) -> str:
    """Return it, if it may stand in topics and in the names of entities."""
    if not text or _NO_ID.search(text) or len(text) > 64:
        raise BadInputError(f"{text!r} cannot stand in a topic; give letters, digits, - and _, 64 at most")
    return text


def check_prefix(text: str) -> str:
    """Return the prefix of Home Assistant's discovery, if it is one."""
    if not text.strip("/") or text.strip("/") != text or re.search(r"[+#\x00\s]", text) or not text.isprintable():
        raise BadInputError(f"{text!r} is no prefix of topics; give one such as homeassistant")
    return text


def _context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ValueError) as error:
        reason = "no certificates in PEM" if isinstance(error, ssl.SSLError | ValueError) else error.strerror
        raise BadInputError(f"the certificates {ca_file} cannot be used ({reason}); give a PEM file") from None


def _without_password(address: str) -> str:
    """Leave out whatever stands between the user and the last @, since a password may hold any of @, / and :."""
    return re.sub(r"^([^:/@]*://)?([^:@]*):.*@", r"\1\2:…@", address, flags=re.DOTALL)
