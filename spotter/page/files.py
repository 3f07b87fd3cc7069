"""The page's own files, read once; a request can name these and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "static"
_KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def policy(host: str) -> str:
    """Return what the page may load and do: its own files, and a connection to the host that it came from."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@dataclass(frozen=True, slots=True)
class File:
    """What a path gives."""

    kind: str
    body: bytes


def read_files() -> dict[str, File]:
    """Return the page's files by the path of a request."""
    files = {
        f"/{path.name}": File(_KINDS[path.suffix], path.read_bytes())
        for path in FOLDER.iterdir()
        if path.suffix in _KINDS and not path.name.startswith(".")
    }
    return {**files, "/": files["/index.html"], "/favicon.ico": files["/favicon.svg"]}
