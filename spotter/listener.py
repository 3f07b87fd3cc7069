"""The shell around the pipeline: a source, a thread that reads it, and the users' callbacks."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from spotter.errors import BadInputError
from spotter.events import Detection, DeviceBack, DeviceLost, Event, Gap, Health, Skipped
from spotter.pipeline import hop_for
from spotter.running import Run
from spotter.settings import SAMPLE_RATE, check_keywords, with_threshold
from spotter.sources import check_channel

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from spotter.arrays import Floats
    from spotter.explain import Moment
    from spotter.judge import Network
    from spotter.pipeline import Spotter
    from spotter.reopening import Keeper
    from spotter.settings import DecoderConfig
    from spotter.sources import LiveSource, Source
    from spotter.tape import Tape
    from spotter.windows import Window

_log = logging.getLogger(__name__)

_STOP_LIMIT_S: Final = 10.0
_LONGEST_S: Final = 1e9  # 32 years
_SLICE_S: Final = 0.1

_OnDetection = TypeVar("_OnDetection", bound="Callable[[Detection], object]")
_OnGap = TypeVar("_OnGap", bound="Callable[[Gap], object]")
_OnSkipped = TypeVar("_OnSkipped", bound="Callable[[Skipped], object]")
_OnHealth = TypeVar("_OnHealth", bound="Callable[[Health], object]")
_OnDevice = TypeVar("_OnDevice", bound="Callable[[DeviceLost | DeviceBack], object]")


class Listener:
    """Listens to a microphone, or another source, and says which keywords it hears.

    Parameters
    ----------
    model : str, path or Model
        A shipped model's name, a model folder, or an open model.
    device : int or str, optional
        The microphone's number, or a part of its name or of its host's; left out: the system's default.
    source : Source or LiveSource, optional
        What to listen to instead of a microphone, such as `spotter.sources.files.AudioFile("talk.flac")`.
    hop_ms : float, optional
        Milliseconds between windows; left out: the model's valid hop nearest to 100 ms.
    threshold : float or mapping, optional
        0..1, for every keyword, or word to threshold for some; left out: the model's own.
    decoder : DecoderConfig, optional
        Every decision's settings instead of the model's own.
    channel : int, optional
        The one of several channels that is heard, counted from 1; left out: their mean.
    wait : bool
        Where there is no microphone at the start, wait for it instead of raising `MicrophoneError`.
    once : bool
        Where the microphone is lost, raise `MicrophoneError` instead of opening it again when it is back.

    Examples
    --------
    >>> listener = Listener()  # doctest: +SKIP
    >>> @listener.on("yes", "no")
    ... def answer(detection):
    ...     print(detection.keyword, detection.time)
    >>> listener.run()  # until Ctrl-C
    """

    def __init__(
        self,
        model: str | Path | Network = "commands",
        *,
        device: int | str | None = None,
        source: Source | LiveSource | None = None,
        hop_ms: float | None = None,
        threshold: float | Mapping[str, float] | None = None,
        decoder: DecoderConfig | None = None,
        channel: int | None = None,
        wait: bool = False,
        once: bool = False,
    ) -> None:
        if wait and once:
            raise BadInputError("wait and once exclude each other; give one of them")
        if channel is not None:
            check_channel(channel)
        if device is not None and source is not None:
            raise BadInputError(f"device {device!r} and a source exclude each other; give one of them")
        self.model = _opened(model)
        self.decoder = with_threshold(decoder or self.model.decoder, threshold, self.model.keywords)
        hop_for(self.model, hop_ms)  # says what is wrong with it before a device is opened
        self.hop_ms = hop_ms
        self.source: Source | LiveSource = _microphone(device, channel, self.hop_used_ms) if source is None else source
        self.channel, self.wait, self.once = channel, wait, once
        # Is shown each window's decision with its reasons, in the thread that listens; set it before `start`.
        self.explain: Callable[[Moment], object] | None = None
        # Is told everything that comes, so as to keep it; set it before `start`.
        self.tape: Tape | None = None
        # Are shown each window with its scores (see `Spotter`), and what is judged (see `Judge`); set them likewise.
        self.tap: Callable[[Window, Floats], None] | None = None
        self.sound: Callable[[int, Floats], object] | None = None
        self._by_keyword: dict[str, list[Callable[[Detection], object]]] = {}
        self._by_kind: dict[type, list[Callable[[Any], object]]] = {}
        self._run: Run | None = None
        self._starting = threading.Lock()

    @overload
    def on(self, *keywords: str) -> Callable[[_OnDetection], _OnDetection]: ...

    @overload
    def on(self, *keywords: str, call: _OnDetection) -> _OnDetection: ...

    def on(self, *keywords: str, call: Any = None) -> Any:
        """Have a function called with each `Detection` of these keywords.

        `@listener.on("yes", "no")` above a function, or `listener.on("yes", "no", call=function)`.
        Calls run one after the other on a thread of their own. Should a microphone hear more than they can keep up
        with, 10,000 calls wait, of whatever kind; then the oldest is dropped for each new one, which is logged once.
        A recording waits for them.

        Raises
        ------
        BadInputError
            The model does not know one of the keywords.
        """
        check_keywords(keywords, self.model.keywords)
        if not keywords:
            raise BadInputError(f"no keyword given; give some of {', '.join(self.model.keywords)}, or use on_any")

        def register(function: _OnDetection) -> _OnDetection:
            for keyword in dict.fromkeys(keywords):
                self._by_keyword.setdefault(keyword, []).append(function)
            return function

        return register if call is None else register(call)

    @overload
    def on_any(self, call: None = None) -> Callable[[_OnDetection], _OnDetection]: ...

    @overload
    def on_any(self, call: _OnDetection) -> _OnDetection: ...

    def on_any(self, call: Any = None) -> Any:
        """Have a function called with every `Detection`: `@listener.on_any`, or `listener.on_any(function)`."""
        return self.on(*self.model.keywords, call=call)

    def on_gap(self, call: _OnGap) -> _OnGap:
        """Have a function called with every `Gap`, that is, when audio was lost."""
        self._by_kind.setdefault(Gap, []).append(call)
        return call

    def on_skipped(self, call: _OnSkipped) -> _OnSkipped:
        """Have a function called with every `Skipped`, that is, when the machine was too slow for the model."""
        self._by_kind.setdefault(Skipped, []).append(call)
        return call

    def on_health(self, call: _OnHealth) -> _OnHealth:
        """Have a function called with every `Health`: no working microphone sounds like this, or it does again."""
        self._by_kind.setdefault(Health, []).append(call)
        return call

    def on_device(self, call: _OnDevice) -> _OnDevice:
        """Have a function called with every `DeviceLost` and `DeviceBack`: the microphone has gone, or is back."""
        for kind in (DeviceLost, DeviceBack):
            self._by_kind.setdefault(kind, []).append(call)
        return call

    @property
    def hop_used_ms(self) -> float:
        """Milliseconds between windows."""
        return hop_for(self.model, self.hop_ms) * 1_000 / SAMPLE_RATE

    @property
    def running(self) -> bool:
        """Whether it listens now."""
        return self._run is not None and not self._run.done.is_set()

    @property
    def spotter(self) -> Spotter | None:
        """The pipeline of the run that goes on or was last: counts, level and scores."""
        return self._run.spotter if self._run else None

    @property
    def run_now(self) -> Run | None:
        """The run that goes on, or has ended without anybody having waited for that."""
        return None if self._run is None or self._run.closed or self._run.abandoned else self._run

    @property
    def cut_short(self) -> bool:
        """Whether the run was told to end before its source did."""
        return self._run is not None and self._run.cut_short

    @property
    def waiting(self) -> bool:
        """Whether the microphone is not there at the moment."""
        return self.running and self._keeper is not None and self._keeper.away

    @property
    def most_behind_s(self) -> float:
        """How many seconds old audio was, at most, when this run or the last worked on it; 0 for recordings."""
        return self._keeper.most_behind_s if self._keeper else 0.0

    def time_of_day(self, time_s: float) -> datetime:
        """Return when, in UTC, so many seconds of stream time were recorded; for a live source."""
        return self._keeper.clock.time_of_day(time_s) if self._keeper else datetime.now(timezone.utc)

    def start(self, seconds: float | None = None) -> None:
        """Open the source and listen in the background, for so many seconds or until `stop`.

        Returns when the source delivers; does nothing if it listens already.
        """
        if seconds is not None and not 0 < seconds <= _LONGEST_S:
            raise BadInputError(f"{seconds!r} seconds cannot be listened to; give more than 0, {_LONGEST_S:g} at most")
        with self._starting:
            if self.running and self.run_now:
                return
            if self._run and not self._run.closed:
                self._run.wait(_STOP_LIMIT_S)
                error = self._run.take_error()
                if error is not None:
                    _log.error("the run before had failed: %s", error, exc_info=error)
            self._run = Run(
                self.model,
                self.source,
                self._calls_for,
                hop_ms=self.hop_ms,
                decoder=self.decoder,
                channel=self.channel,
                wait=self.wait,
                once=self.once,
                seconds=seconds,
                explain=self.explain,
                tape=self.tape,
                tap=self.tap,
                sound=self.sound,
            )

    def stop(self, *, wait: bool = True) -> None:
        """End listening; what has been heard so far is still delivered.

        May be called from any thread and from a callback, twice, and when nothing runs.

        Parameters
        ----------
        wait : bool
            Return only when the threads have ended (ten seconds at most) and raise what made the source fail.
        """
        if self._run:
            self._run.stop()
            if wait:
                self._run.finish(_STOP_LIMIT_S)

    def run(self, seconds: float | None = None) -> None:
        """Listen until the source ends, `stop` is called, Ctrl-C is pressed, or so many seconds are over.

        `sys.exit()` in a callback ends it too, and is raised again here.
        """
        self.start(seconds)
        run = self._run
        if run is None:
            return
        try:
            while not (run.done.wait(_SLICE_S) and run.callbacks.join(_SLICE_S)):
                pass
        except KeyboardInterrupt:
            pass
        run.stop()
        run.finish(_STOP_LIMIT_S)

    def events(self, tick_s: float | None = None) -> Iterator[Event | None]:
        """Yield events of the run that goes on, as they happen, until it ends.

        With `tick_s`, None comes after so many seconds without an event. What made the source fail
        is raised at the end.
        """
        if self._run:
            yield from self._run.iterate(tick_s)

    def __iter__(self) -> Iterator[Detection]:
        """Yield detections as they happen; starts if need be, and then stops when the loop is left."""
        started = self.run_now is None
        if started:
            self.start()
        try:
            for event in self.events():
                if isinstance(event, Detection):
                    yield event
        finally:
            if started:
                self.stop()

    def __aiter__(self) -> AsyncIterator[Detection]:
        """Yield detections as they happen, in an asyncio loop; starts and stops as the plain loop does."""
        from spotter.aio import detections

        return detections(self)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.stop()
        except Exception:
            if error is None:
                raise
            _log.exception("stopping failed as well")

    @property
    def _keeper(self) -> Keeper | None:
        return self._run.keeper if self._run else None

    def _calls_for(self, event: Event) -> Iterable[Callable[[Any], object]]:
        if isinstance(event, Detection):
            return self._by_keyword.get(event.keyword, ())
        return self._by_kind.get(type(event), ())


def _opened(model: str | Path | Network) -> Network:
    if isinstance(model, str | Path):
        from spotter.model import Model

        return Model.open(model)
    return model


def _microphone(device: int | str | None, channel: int | None, hop_ms: float) -> LiveSource:
    from spotter.sources.microphone import BLOCK_S, Microphone

    return Microphone(device, block_s=min(BLOCK_S, hop_ms / 1_000), channel=channel)
