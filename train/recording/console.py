"""What somebody who records sees: plain lines, or at a terminal a line with a level meter below them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import TracebackType

    from rich.text import Text
    from typing_extensions import Self

_STYLES: Final = {"": "", "good": "green", "bad": "yellow", "ask": "bold cyan"}
_CELLS: Final = 20
_QUIETEST_DBFS: Final = -70.0
_TOO_LOUD: Final = 0.95  # of the meter


class Lines:
    """For a pipe, a file or a program: what stays, each line flushed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def say(self, text: str, tone: str = "") -> None:
        """Print a line that stays."""
        del tone
        print(text, flush=True)

    def status(self, text: str, level_dbfs: float, *, recording: bool) -> None:
        """Show what happens now."""


class Meter(Lines):
    """For a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def say(self, text: str, tone: str = "") -> None:
        """Print a line above the meter."""
        from rich.text import Text

        self._console.print(Text(text, _STYLES[tone]))

    def status(self, text: str, level_dbfs: float, *, recording: bool) -> None:
        """Redraw the meter and what to do."""
        self._live.update(self.line(text, level_dbfs, recording=recording), refresh=True)

    def line(self, text: str, level_dbfs: float, *, recording: bool) -> Text:
        """Return the line with the meter."""
        from rich.text import Text

        share = min(1.0, max(0.0, (level_dbfs - _QUIETEST_DBFS) / -_QUIETEST_DBFS))
        filled = round(_CELLS * share)
        full, empty, dot = ("#", ".", "*") if self._console.options.ascii_only else ("█", "░", "●")
        out = Text(no_wrap=True, overflow="crop")
        out.append(f"{dot} " if recording else "  ", "bold red")
        out.append(full * filled, "green" if share < _TOO_LOUD else "red")
        out.append(empty * (_CELLS - filled), "dim")
        out.append(f" {level_dbfs:4.0f} dBFS  ", "dim")
        out.append(text, "bold" if recording else "")
        return out
