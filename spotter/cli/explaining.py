"""Explanations printed where they belong among the events, and drawn when all is heard."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from spotter.cli.common import say, tell
from spotter.errors import BadInputError
from spotter.events import Detection
from spotter.explainer import Explainer, Kept
from spotter.resample import Resampler
from spotter.settings import SAMPLE_RATE
from spotter.sources import Missing
from spotter.sources.files import AudioFile

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from spotter.arrays import Floats
    from spotter.cli.explain import Wanted
    from spotter.events import Event
    from spotter.explain import Explanation, Moment
    from spotter.model import Model
    from spotter.pipeline import Spotter
    from spotter.settings import DecoderConfig
    from spotter.sources import LiveSource, Source

_PICTURE_S: Final = 30.0  # of a longer recording, where no part of it was asked for
_TAIL_S: Final = 0.7  # a word at the very end is decided in the silence after it
_MOST_DRAWN: Final = 10_000


class Output(Protocol):
    """What prints events: `Lines`, `LiveView`, `FileView`."""

    @property
    def tick_s(self) -> float:
        """How often `tick` is to be called, in seconds."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def show(self, event: Event) -> None:
        """Print an event."""

    def explain(self, explanation: Explanation) -> None:
        """Print an explanation."""

    def tick(self, spotter: Spotter) -> None:
        """Look anew at what is shown all the time."""

    def rest(self) -> None:
        """No event will come any more."""


class Explaining:
    """Watches one run, and prints and draws what was wanted.

    Parameters
    ----------
    model, decoder, hop_samples : what decides
    length_s : of the recording, where it is known
    channel : the one that is heard, counted from 1; None for the mean
    """

    def __init__(
        self,
        wanted: Wanted,
        model: Model,
        decoder: DecoderConfig,
        hop_samples: int,
        length_s: float | None,
        channel: int | None = None,
    ) -> None:
        self._channel = channel
        self._wanted, self._model, self._decoder, self._hop = wanted, model, decoder, hop_samples
        self._explainer = self._new(wanted.at)
        shown = wanted.shown
        if shown is None and length_s is not None and length_s <= _PICTURE_S:
            shown = 0.0, length_s + _TAIL_S
        self._kept = Kept(shown, seconds=_PICTURE_S)
        self._drawn = self._new(None)
        self._held_back: list[Explanation] = []  # in the picture
        self._detections: deque[Detection] = deque(maxlen=_MOST_DRAWN)

    def see(self, moment: Moment) -> None:
        """Take the next window's decision; in the thread that listens."""
        if self._wanted.text:
            self._explainer.see(moment)
        if self._wanted.picture is not None:
            self._kept.see(moment)
            self._drawn.see(moment)
            self._take_drawn()

    def among(self, output: Output) -> Explained:
        """Print explanations among the events that another prints."""
        return Explained(output, self._explainer, self._detections)

    def end(self, source: Source | LiveSource, position_s: float) -> None:
        """When all is heard and printed: say whether there was such a moment, and draw."""
        at, picture = self._wanted.at, self._wanted.picture
        if at is not None and at[0] > position_s:
            raise BadInputError(
                f"--at {at[0]:g} is beyond the {position_s:.2f} s that were heard; give a moment of them"
            )
        if picture is None or not isinstance(source, AudioFile):
            return
        from spotter.cli.explain_picture import Scene, draw

        first, last = self._kept.stretch or (max(0.0, position_s - _PICTURE_S), position_s)
        sound_s = min(last, position_s)
        self._drawn.finish()
        self._take_drawn()
        hop_ms = self._hop * 1_000 / SAMPLE_RATE
        whole = first <= 0.0 and sound_s >= position_s
        part = "" if whole else f", {first:.1f} to {sound_s:.1f} s of {position_s:.1f} s"
        scene = Scene(
            title=f"{Path(source.name).name}{part}; model {self._model.name}, hop {hop_ms:g} ms",
            first=first,
            last=sound_s,
            samples=piece(source, first, sound_s, self._channel),
            frontend=self._model.frontend,
            labels=self._model.labels,
            moments=tuple(self._kept.moments),
            hop_samples=self._hop,
            detections=tuple(d for d in self._detections if first <= d.time <= last),
            held_back=tuple(self._held_back),
            thresholds={k: self._decoder.threshold_of(k) for k in self._model.keywords},
            at=at[0] if at is not None and at[0] == at[1] else None,
        )
        draw(scene, picture)
        rest = "" if whole else f", which shows {first:.1f} to {sound_s:.1f} s; --at FROM-TO shows another part"
        tell(f"wrote {picture}{rest}")

    def _take_drawn(self) -> None:
        first, last = self._kept.stretch or (0.0, 0.0)
        while self._drawn.found:
            found = self._drawn.found.popleft()
            if found.verdict.rule != "fired" and first <= found.time <= last:
                self._held_back.append(found)

    def _new(self, at: tuple[float, float] | None) -> Explainer:
        return Explainer(self._model.labels, self._decoder, self._hop, at=at)


class Explained:
    """Prints explanations among the events that another prints."""

    def __init__(self, output: Output, explainer: Explainer, detections: deque[Detection]) -> None:
        self.tick_s = output.tick_s
        self._output, self._explainer, self._detections = output, explainer, detections

    def __enter__(self) -> Self:
        self._output.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._output.__exit__(kind, error, traceback)

    def show(self, event: Event) -> None:
        """Print what was held back before an event, the event, and why it came."""
        self._print_while(lambda e: e.time < event.time)
        self._output.show(event)
        if isinstance(event, Detection):
            self._detections.append(event)
            self._print_while(lambda e: e.time == event.time and e.verdict.keyword == event.keyword, most=1)

    def explain(self, explanation: Explanation) -> None:
        """Print an explanation."""
        self._output.explain(explanation)

    def tick(self, spotter: Spotter) -> None:
        """Print what was held back; an event's own explanation waits for it."""
        self._print_while(lambda e: e.asked or e.verdict.rule != "fired")
        self._output.tick(spotter)

    def rest(self) -> None:
        """Print all that is left, when no event will come any more."""
        self._explainer.finish()
        self._print_while(lambda _: True)
        if self._explainer.dropped:
            say(f"{self._explainer.dropped} explanations came faster than they could be printed and are lost")

    def _print_while(self, fits: Callable[[Explanation], bool], most: int | None = None) -> None:
        found = self._explainer.found
        while found and most != 0 and fits(found[0]):
            self._output.explain(found.popleft())
            most = None if most is None else most - 1


def piece(source: Source, first: float, last: float, channel: int | None = None) -> Floats:
    """Read a part of a recording again, in seconds, as 16 kHz mono; what is missing or no number is 0."""
    resampler = Resampler(source.sample_rate, source.channels, channel)
    begin, end = round(first * SAMPLE_RATE), round(last * SAMPLE_RATE)
    parts: list[Floats] = []
    at = 0

    def go_on(samples: Floats) -> None:
        nonlocal at
        parts.append(samples[max(0, begin - at) : max(0, end - at)].copy())
        at += len(samples)

    for block in source.blocks():
        if isinstance(block, Missing):
            go_on(resampler.finish())
            count = block.samples or round(block.frames * SAMPLE_RATE / source.sample_rate)
            parts.append(np.zeros(max(0, min(end, at + count) - max(begin, at)), np.float32))
            at += count
        else:
            go_on(resampler.push(np.nan_to_num(block, posinf=0.0, neginf=0.0)))
        if at >= end:
            break
    else:
        go_on(resampler.finish())
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)
