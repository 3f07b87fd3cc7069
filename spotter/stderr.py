"""Keeps what C libraries write to the file descriptor of stderr from the user."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Final

_STDERR: Final = 2
# Two at once would each take the other's file for the real stderr, and leave it in place.
_redirecting: Final = threading.Lock()


@contextmanager
def without_chatter(is_chatter: Callable[[bytes], bool]) -> Iterator[None]:
    """Drop the lines for which `is_chatter` is true; others, also those of other threads, come out afterwards.

    Costs some 20 µs. Where stderr is closed or nothing can be written in its place, nothing is changed.
    """
    with _redirecting:
        real = _copy_of_stderr()
        kept = None if real is None else _scratch()
        if real is None or kept is None:
            if real is not None:
                os.close(real)
            yield
            return
        try:
            os.dup2(kept.fileno(), _STDERR)
            yield
        finally:
            os.dup2(real, _STDERR)
            os.close(real)
            _pass_on(kept, is_chatter)


@contextmanager
def given_back() -> Iterator[None]:
    """Have stderr afterwards as it is now, whatever a library that hangs has put in its place."""
    with _redirecting:
        real = _copy_of_stderr()
        try:
            yield
        finally:
            if real is not None:
                os.dup2(real, _STDERR)
                os.close(real)


def settled(limit_s: float = 1.0) -> bool:
    """Wait, for a moment at most, until all that was written to stderr has come out; before a process ends at once."""
    free = _redirecting.acquire(timeout=limit_s)
    if free:
        _redirecting.release()
    return free


def _copy_of_stderr() -> int | None:
    with suppress(OSError):
        return os.dup(_STDERR)
    return None


def _scratch() -> BinaryIO | None:
    with suppress(OSError):
        if hasattr(os, "memfd_create"):
            return open(os.memfd_create("spotter-stderr"), "w+b", buffering=0)  # noqa: PTH123 (a descriptor)
        import tempfile  # 10 ms, so only where there is no file in memory

        return tempfile.TemporaryFile(buffering=0)
    return None


def _pass_on(kept: BinaryIO, is_chatter: Callable[[bytes], bool]) -> None:
    with kept, suppress(OSError):
        kept.seek(0)
        rest = b"".join(line for line in kept.read().splitlines(keepends=True) if not is_chatter(line))
        while rest:
            rest = rest[os.write(_STDERR, rest) :]
