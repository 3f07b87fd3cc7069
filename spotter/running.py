"""One run of a listener: from the opened source to its last event."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from spotter.callbacks import CallbackThread, join
from spotter.errors import MicrophoneError, SpotterError
from spotter.event_queue import EventQueue
from spotter.events import Event
from spotter.health import HealthMonitor
from spotter.overload import Overload
from spotter.pipeline import RING_S, Spotter
from spotter.pouring import pour
from spotter.reopening import Keeper
from spotter.settings import DecoderConfig
from spotter.sources import LiveSource, Source

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from spotter.arrays import Floats
    from spotter.explain import Moment
    from spotter.judge import Network
    from spotter.tape import Tape
    from spotter.windows import Window

_log = logging.getLogger(__name__)

_SLICE_S: Final = 0.2  # how long a wait lasts before it looks whether it is to end


class Run:
    """A source, its pipeline, and the thread that takes audio from the one through the other.

    `calls_for` says, in that thread, which callbacks an event has; they run on another.

    Attributes
    ----------
    keeper : Keeper or None
        Of a live source: what keeps it going, with its clock.
    """

    def __init__(  # noqa: PLR0913  given by name
        self,
        model: Network,
        source: Source | LiveSource,
        calls_for: Callable[[Event], Iterable[Callable[[Any], object]]],
        *,
        hop_ms: float | None,
        decoder: DecoderConfig,
        seconds: float | None,
        channel: int | None = None,
        wait: bool = False,
        once: bool = False,
        explain: Callable[[Moment], object] | None = None,
        tape: Tape | None = None,
        tap: Callable[[Window, Floats], None] | None = None,
        sound: Callable[[int, Floats], object] | None = None,
    ) -> None:
        self.source = source
        self.callbacks = CallbackThread(self.stop, can_wait=not is_live(source), stopping=lambda: self.stopping)
        self.done = threading.Event()
        self.closed = False  # whether somebody has waited for its end
        self.stopping = False  # whether it was told to end; a plain flag, since signal handlers set it
        self.cut_short = False  # whether that was before its source did
        self.abandoned = False  # whether nobody wants what it still hears
        self._calls_for = calls_for
        self._seconds = seconds
        self._error: BaseException | None = None
        self.events = EventQueue(can_wait=not is_live(source), stopping=lambda: self.stopping)
        self._doorbell: SimpleQueue[None] = SimpleQueue()
        self._thread = threading.Thread(target=self._consume, name="spotter-consumer", daemon=True)
        self.keeper: Keeper | None = None
        absent = _open(source, wait=wait)
        try:
            self.spotter = Spotter(
                model,
                sample_rate=source.sample_rate,
                channels=source.channels,
                channel=channel,
                hop_ms=hop_ms,
                decoder=decoder,
                padded=not is_live(source) and source.padded,
                tap=tap,
                explain=explain,
            )
            self.spotter.judge.sound = sound
            if is_live(source) or not source.padded:
                self.spotter.health = HealthMonitor()
            self.spotter.judge.left_out = getattr(source, "left_out", ())
            if tape is not None:
                self.spotter.tape = tape
                tape.begin(source.sample_rate, source.channels)
            if is_live(source):
                self.spotter.judge.too_late = Overload()
                absent = absent or _start(source, self.spotter, self._doorbell, wait=wait)
                self.keeper = Keeper(source, self.spotter, self._doorbell, RING_S, once=once, absent=absent)
        except BaseException:
            if is_live(source):
                source.close()
            raise
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; returns at once, and may be called by a signal handler."""
        self.cut_short |= not self.done.is_set()
        self.stopping = True
        self._doorbell.put(None)

    def abandon(self) -> None:
        """Ask it to end, while nobody waits for that."""
        self.abandoned = True
        self.stop()

    def finish(self, limit_s: float) -> None:
        """Wait for its threads, so long at most; then raise, once, what ended it before its time."""
        self.wait(limit_s)
        if not self.callbacks.is_current:  # there it would only be logged
            self.raise_error()

    def wait(self, limit_s: float) -> None:
        """Wait for its threads, so long at most."""
        if not join(self._thread, limit_s):
            _log.warning("%s still blocks after %g s; it is left alone", self.source.name, limit_s)
        elif not self.callbacks.join(limit_s):
            _log.warning("a callback still runs after %g s; it is left alone", limit_s)
        self.closed = True

    def take_error(self) -> BaseException | None:
        """Return, once, what the source failed with, or the `SystemExit` of a callback."""
        error, self._error = self._error or self.callbacks.exit, None
        self.callbacks.exit = None
        return error

    def iterate(self, tick_s: float | None) -> Iterator[Event | None]:
        """Yield events until the end, and raise then what made it fail; None after every `tick_s` without one."""
        yield from self.events.iterate(tick_s)
        self.raise_error()

    def raise_error(self) -> None:
        """Raise, once, what ended it before its time."""
        error = self.take_error()
        if error is not None:
            raise error

    def _consume(self) -> None:
        try:
            if self.keeper is not None:
                self._follow(self.keeper)
            elif not is_live(self.source):
                events = pour(self.source, self.spotter, seconds=self._seconds, stopping=lambda: self.stopping)
                self._deliver(events)
        except BaseException as error:  # noqa: BLE001  raised again where somebody waits for the end
            self._error = error
            # Who uses callbacks only, and waits for nothing, would be deaf without a line.
            _log.error(
                "listening to %s has ended: %s",
                self.source.name,
                str(error) or type(error).__name__,
                exc_info=None if isinstance(error, SpotterError) else error,
                extra={"raised": True},
            )
        finally:
            self.events.close()
            self.callbacks.close()
            self.done.set()

    def _follow(self, keeper: Keeper) -> None:
        """Work whenever the callback rings, until told to stop."""
        ends = time.monotonic() + self._seconds if self._seconds else float("inf")
        try:
            while not self.stopping and (now := time.monotonic()) < ends:
                with suppress(Empty):
                    self._doorbell.get(timeout=min(_SLICE_S, ends - now))
                self._deliver(keeper.events())
        finally:
            self._deliver(keeper.finish())

    def _deliver(self, events: Iterator[Event]) -> None:
        for event in events:
            self.events.put(event)
            for call in tuple(self._calls_for(event)):
                self.callbacks.submit(call, event)


def is_live(source: Source | LiveSource) -> TypeIs[LiveSource]:
    """Whether a source pushes at the pace of the clock, or gives blocks when asked."""
    return not hasattr(source, "blocks")


def _open(source: Source | LiveSource, *, wait: bool) -> MicrophoneError | None:
    """Open a live source; what is in the way of it, if that is waited for."""
    if is_live(source):
        try:
            source.open()
        except MicrophoneError as error:
            if not wait:
                raise
            return error
    return None


def _start(source: LiveSource, spotter: Spotter, doorbell: SimpleQueue[None], *, wait: bool) -> MicrophoneError | None:
    """Let a live source begin; what is in the way of it, if that is waited for."""
    try:
        source.start(spotter.ring, doorbell)
    except MicrophoneError as error:
        if not wait:
            raise
        source.close()
        return error
    return None
