"""Starts `spotter serve` as an add-on of Home Assistant: options in, Wyoming service out, Home Assistant is told."""

from __future__ import annotations

import json
import os
import socket
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PORT = 10_400
OPTIONS = Path("/data/options.json")
OWN_MODELS = Path("/share/spotter")
SUPERVISOR = "http://supervisor"
USER = 1_000


def command(options: Mapping[str, Any], own_models: Path = OWN_MODELS) -> list[str]:
    """Return the command for what the person chose; a model of that name in /share/spotter comes first."""
    words = ["spotter", "serve", "--uri", f"tcp://0.0.0.0:{PORT}"]
    for name in options.get("models") or ["commands"]:
        own = own_models / name
        words += ["--model", str(own) if (own / "manifest.json").is_file() else name]
    if options.get("threshold"):
        words += ["--threshold", str(options["threshold"])]
    return words


def announce(token: str, supervisor: str = SUPERVISOR) -> None:
    """Tell Home Assistant where the service is, so that it offers to set it up."""
    about = {"service": "wyoming", "config": {"uri": f"tcp://{socket.gethostname()}:{PORT}"}}
    request = urllib.request.Request(  # noqa: S310  the supervisor's own address
        f"{supervisor}/discovery",
        data=json.dumps(about).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310
        pass


def main() -> None:
    """Read the options as root, become a plain user, and go on as the service."""
    options = json.loads(OPTIONS.read_text("utf-8"))
    token = os.environ.pop("SUPERVISOR_TOKEN", "")
    if token:
        try:
            announce(token)
        except OSError as error:
            print(f"Home Assistant was not told ({error}); add the integration Wyoming by hand", file=sys.stderr)
    os.setgroups([])
    os.setgid(USER)
    os.setuid(USER)
    words = command(options)
    os.execvp(words[0], words)  # noqa: S606


if __name__ == "__main__":
    main()
