"""One run of `spotter listen`: what it shows, counts and says while it listens."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from spotter.cli import keeping
from spotter.cli.common import interrupted_by, tell, writing

if TYPE_CHECKING:
    from spotter.cli.explaining import Explaining, Output
    from spotter.cli.outlets import Outlet
    from spotter.events import Event
    from spotter.listener import Listener
    from spotter.sources import LiveSource, Source


@dataclass
class Session:
    """One run of the command, and what it counts."""

    listener: Listener
    kept: keeping.Keeping
    explaining: Explaining | None = None
    outlets: list[Outlet] = field(default_factory=list)
    gaps: int = 0
    invalid_samples: int = 0
    invalid_places: int = 0
    invalid_first_s: float = 0.0

    def run(self, options: argparse.Namespace) -> int:
        """Listen to the end; return the exit code."""
        from spotter.errors import BadInputError

        listener = self.listener
        with _signals(listener):
            try:
                for outlet in self.outlets:
                    outlet.begin(listener)
                listener.start(options.seconds)
            except BaseException:
                self.kept.give_up()
                self._end_outlets()
                raise
            source = listener.source
            if listener.waiting:
                tell(f"waiting for {source.name}, hop {listener.hop_used_ms:g} ms; Ctrl-C ends")
            else:
                tell(
                    f"listening to {source.name} ({source.sample_rate} Hz, {source.channels} ch), "
                    f"hop {listener.hop_used_ms:g} ms; Ctrl-C ends"
                )
            wanted = True
            try:
                with self._output(options) as output:
                    self._follow(output)
            except BrokenPipeError:
                wanted = False  # nobody listens any more: a quiet end
                raise
            finally:
                self.kept.stopping()
                try:
                    listener.stop()
                finally:
                    self.kept.end()
                    self._end_outlets()
                    if wanted:
                        self._say_counts()
        if self.explaining and listener.spotter:
            self.explaining.end(source, listener.spotter.position / 16_000)
        if self.invalid_places:
            places = "1 place" if self.invalid_places == 1 else f"{self.invalid_places} places"
            raise BadInputError(
                f"{source.name}: {self.invalid_samples} samples (at 16 kHz) in {places}, the first at "
                f"{self.invalid_first_s:.4f} s, are NaN or infinite; they were left out, repair the recording"
            )
        return 0

    def _follow(self, output: Output) -> None:
        """Show events until the end."""
        listener = self.listener
        for event in listener.events(output.tick_s):
            if event is not None:
                self._count(event)
                for outlet in self.outlets:
                    outlet.hear(event)
                with writing():
                    output.show(event)
            if listener.spotter:
                self.kept.look(listener.spotter, self.gaps)
                with writing():
                    output.tick(listener.spotter)
        if listener.spotter:  # what came after the last event: a file ends at 100%
            with writing():
                output.tick(listener.spotter)
        with writing():
            output.rest()

    def _end_outlets(self) -> None:
        """End each of them, also where another fails."""
        with ExitStack() as stack:
            for outlet in reversed(self.outlets):
                stack.callback(outlet.end)

    def _output(self, options: argparse.Namespace) -> Output:
        output = _output(self.listener, options)
        if self.explaining:
            return self.explaining.among(output)
        return output

    def _count(self, event: Event) -> None:
        from spotter.events import Gap

        if not isinstance(event, Gap):
            return
        self.gaps += 1
        if event.reason == "invalid":
            if not self.invalid_places:
                self.invalid_first_s = event.time - event.seconds
            self.invalid_places += 1
            self.invalid_samples += event.samples

    def _say_counts(self) -> None:
        from spotter.running import is_live

        spotter = self.listener.spotter
        if spotter is None:
            return
        overflows = spotter.overflows + getattr(self.listener.source, "overflow_flags", 0)
        heard = spotter.position - spotter.lost_samples
        live = ""
        if is_live(self.listener.source):
            live = f", skipped: {spotter.skipped_windows} ({spotter.skipped_samples / 16_000:.2f} s), "
            live += f"latest: {self.listener.most_behind_s:.2f} s"
        tell(
            f"windows: {spotter.windows}, detections: {spotter.detections}, overflows: {overflows}, "
            f"gaps: {self.gaps} ({spotter.lost_samples / 16_000:.2f} s), heard: {heard / 16_000:.2f} s{live}"
        )


def _output(listener: Listener, options: argparse.Namespace) -> Output:
    from spotter.running import is_live

    source = listener.source
    live = is_live(source)
    if options.json or not sys.stdout.isatty():
        from spotter.cli.lines import Lines

        return Lines(as_json=options.json, time_of_day=listener.time_of_day if live else None)
    from spotter.cli.terminal import FileView, LiveView

    if live:
        return LiveView()
    return FileView(Path(source.name).name, length_s(source, options))


def length_s(source: Source | LiveSource | None, options: argparse.Namespace) -> float | None:
    """Return how much there is to hear, where that is known."""
    frames = getattr(source, "frames", None)
    known_s: float | None = frames / source.sample_rate if source and frames else None
    if options.seconds is not None:
        return float(min(options.seconds, known_s or options.seconds))
    return known_s


@contextmanager
def _signals(listener: Listener) -> Iterator[None]:
    """Ctrl-C and SIGTERM end listening, so that nothing heard is lost; a second one ends the command."""
    stopped = False

    def end(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        if stopped or not listener.running:
            raise KeyboardInterrupt
        stopped = True
        listener.stop(wait=False)

    with interrupted_by(end):
        yield
