"""What a command does before anything heavy is imported."""

from __future__ import annotations

import os
import signal
from types import FrameType


def leave_quietly_on_interrupt() -> None:
    """Let Ctrl-C end the process at once with 0, without a traceback, until the listener takes over.

    An exception would not do: in the middle of an import, libraries turn it into others.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is ignored, as under nohup
        signal.signal(signal.SIGINT, _leave)


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)
