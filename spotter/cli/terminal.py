"""What a person at a terminal sees: a live line below the detections, or a progress bar for a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from spotter.cli.lines import line
from spotter.events import Detection, DeviceBack, DeviceLost, Event
from spotter.settings import SAMPLE_RATE

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from spotter.explain import Explanation
    from spotter.pipeline import Spotter

_CELLS: Final = 20  # of the level meter
_QUIETEST_DBFS: Final = -70.0
_WORTH_SHOWING: Final = 0.1  # a score below is noise
_NAME_CELLS: Final = 32  # of a file's name


class LiveView:
    """A level meter and the best current word; detections scroll above."""

    tick_s: Final = 0.1

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._lost = False

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, event: Event) -> None:
        """Print an event above the live line."""
        if isinstance(event, DeviceLost | DeviceBack):
            self._lost = isinstance(event, DeviceLost)
        self._console.print(styled(event))

    def explain(self, explanation: Explanation) -> None:
        """Print why a keyword fired or was held back, above the live line."""
        self._console.print(block(explanation, self._console))

    def tick(self, spotter: Spotter) -> None:
        """Redraw the live line."""
        self._live.update(self.line_for(spotter), refresh=True)

    def rest(self) -> None:
        """No event will come any more."""

    def line_for(self, spotter: Spotter) -> Text:
        """Return the live line."""
        if self._lost:
            return Text("  waiting for the microphone; Ctrl-C ends", "yellow", no_wrap=True, overflow="crop")
        share = (spotter.level_dbfs - _QUIETEST_DBFS) / -_QUIETEST_DBFS
        filled = round(_CELLS * min(1.0, max(0.0, share)))
        full, empty = ("#", ".") if self._console.options.ascii_only else ("█", "░")
        scores = {word: float(spotter.scores[spotter.labels.index(word)]) for word in spotter.keywords}
        word = max(scores, key=scores.__getitem__)
        text = Text(no_wrap=True, overflow="crop")
        text.append(f"{spotter.position / SAMPLE_RATE:8.1f} s  ", "dim")
        text.append(full * filled, "green" if share < 0.9 else "red")
        text.append(empty * (_CELLS - filled), "dim")
        text.append(f" {spotter.level_dbfs:4.0f} dBFS  ", "dim")
        if scores[word] >= _WORTH_SHOWING:
            text.append(f"{word} {scores[word]:.2f}", "cyan")
        return text


class FileView:
    """A progress bar; detections scroll above."""

    tick_s: Final = 0.1

    def __init__(self, name: str, seconds: float | None) -> None:
        column = Column(no_wrap=True, overflow="ellipsis", max_width=_NAME_CELLS)
        columns = (
            TextColumn("{task.description}", markup=False, table_column=column),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=Console(highlight=False), auto_refresh=False, transient=True)
        self._task = self._progress.add_task(name, total=seconds)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, event: Event) -> None:
        """Print an event above the bar."""
        self._progress.console.print(styled(event))

    def explain(self, explanation: Explanation) -> None:
        """Print why a keyword fired or was held back, above the bar."""
        console = self._progress.console
        console.print(block(explanation, console))

    def tick(self, spotter: Spotter) -> None:
        """Redraw the bar."""
        self._progress.update(self._task, completed=spotter.position / SAMPLE_RATE)
        self._progress.refresh()

    def rest(self) -> None:
        """No event will come any more."""


def styled(event: Event) -> Text:
    """Return an event's line in its colour."""
    return Text(line(event), "bold green" if isinstance(event, Detection) else "yellow")


def block(explanation: Explanation, console: Console) -> Text:
    """Return an explanation in its colour."""
    text = explanation.text(plain=console.options.ascii_only)
    return Text(text, "dim" if explanation.verdict.rule == "fired" else "dim yellow")
