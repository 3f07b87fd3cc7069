"""One file over HTTP into a `.part` file, going on where an earlier attempt was cut (RFC 9110, ranges)."""

from __future__ import annotations

import http.client
import math
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from train.progress import track

_BLOCK: Final = 1 << 20
_TIMEOUT_S: Final = 30.0
_NEVER: Final = (400, 401, 403, 404, 410, 451)  # asking again changes nothing


class Interrupted(Exception):  # noqa: N818 (no error: what came is kept)
    """It ended before its end. `final`: asking again changes nothing."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


def download(url: str, part: Path, *, size: int | None = None, timeout_s: float = _TIMEOUT_S) -> None:
    """Download into `part`, after what is in it already; it has all bytes when this returns.

    A server that does not know ranges, or has another file now, sends it from the beginning.

    Parameters
    ----------
    url : str
        http or https.
    part : Path
        Grows as bytes come; the file's tag at the server is kept beside it.
    size : int, optional
        Bytes of the whole file, where that is known before.

    Raises
    ------
    Interrupted
        The network or the server failed; what came is kept.
    """
    if not url.startswith(("http://", "https://")):
        raise Interrupted(f"{url} is no address on the network", final=True)
    have = part.stat().st_size if part.exists() else 0
    if size is not None and have == size:
        return
    if size is not None and have > size:
        part.unlink()
        have = 0
    tag_file = part.with_name(f"{part.name}.tag")
    try:
        request = urllib.request.Request(url, headers=_headers(have, tag_file))  # noqa: S310 (looked at above)
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 (looked at above)
            goes_on = answer.status == 206 and _first_byte(answer.headers.get("Content-Range")) == have
            have = have if goes_on else 0
            total = have + int(answer.headers["Content-Length"]) if answer.headers.get("Content-Length") else None
            if size is not None and total is not None and total != size:
                raise Interrupted(f"{url} has {total} bytes, {size} were expected", final=True)
            tag_file.write_text(answer.headers.get("ETag") or "", "utf-8")
            blocks = math.ceil((total or size or 0) / _BLOCK)
            with part.open("ab" if goes_on else "wb") as file:
                for block in track(_blocks(answer, have), total=blocks, what=f"{part.stem} (MiB)"):
                    file.write(block)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # what is there is no beginning of the file
            part.unlink(missing_ok=True)
        raise Interrupted(f"{url} answered {error.code} {error.reason}", final=error.code in _NEVER) from None
    except (urllib.error.URLError, http.client.HTTPException, ssl.SSLError, ConnectionError, TimeoutError) as error:
        raise Interrupted(f"no connection to {url}: {getattr(error, 'reason', None) or error}") from error
    end = part.stat().st_size
    if (whole := total if total is not None else size) is not None and end < whole:
        raise Interrupted(f"the connection to {url} was cut after {end / 1e6:.1f} of {whole / 1e6:.1f} MB")


def _headers(have: int, tag_file: Path) -> dict[str, str]:
    tag = tag_file.read_text("utf-8") if tag_file.exists() else ""
    headers = {"User-Agent": "spotter-train"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if tag and not tag.startswith("W/"):
            headers["If-Range"] = tag
    return headers


def _first_byte(content_range: str | None) -> int | None:
    """Where a `Content-Range: bytes 5-9/10` begins."""
    try:
        return int((content_range or "").removeprefix("bytes").strip().split("-")[0])
    except ValueError:
        return None


def _blocks(answer: http.client.HTTPResponse, have: int) -> Iterator[bytes]:
    """Yield what comes; first nothing for each block that is there already, so that progress shows all."""
    yield from (b"" for _ in range(have // _BLOCK))
    while block := answer.read(_BLOCK):
        yield block
