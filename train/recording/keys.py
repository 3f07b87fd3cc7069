"""Single keys of a terminal, without waiting for them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


class NoKeys:
    """Where nobody sits at a terminal."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def poll(self) -> str:
        """Return a key that was pressed; "" if none was."""
        return ""


class Keys(NoKeys):
    """Standard input, which is a terminal; as it was again when left. Ctrl-C keeps its meaning."""

    def __enter__(self) -> Self:
        if sys.platform != "win32":
            import termios
            import tty

            self._fd = sys.stdin.fileno()
            self._before: list[Any] = termios.tcgetattr(self._fd)
            tty.setcbreak(self._fd)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if sys.platform != "win32":
            import termios

            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)

    def poll(self) -> str:
        """Return a key that was pressed; "" if none was."""
        if sys.platform == "win32":
            import msvcrt

            return msvcrt.getwch().lower() if msvcrt.kbhit() else ""
        import os
        import select

        if not select.select([self._fd], [], [], 0)[0]:
            return ""
        return os.read(self._fd, 1).decode("ascii", "ignore").lower() or "q"  # a terminal that has gone
