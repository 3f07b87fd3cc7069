"""What the package logs, as the command's own lines on stderr."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from spotter.cli.common import say

LEVELS: Final = ("debug", "info", "warning", "error")


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "raised", False):  # the command says it when it ends
            return
        message = record.getMessage()
        if record.levelno < logging.WARNING:
            message = f"{record.levelname.lower()}: {record.name.removeprefix('spotter.')}: {message}"
        say(message)


@contextmanager
def logged(level: str = "warning") -> Iterator[None]:
    """Print what the package logs from this level on; the library itself never installs a handler."""
    logger = logging.getLogger("spotter")
    number: int = getattr(logging, level.upper())
    handler = _Handler(number)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(number)
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)
