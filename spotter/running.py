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
from spotter.errors import MicrophoneError
from spotter.events import Event
from spotter.health import HealthMonitor
from spotter.overload import Overload
from spotter.pipeline import RING_S, Spotter
from spotter.reopening import Keeper
from spotter.ring import Ring
from spotter.settings import DecoderConfig
from spotter.sources import LiveSource, Missing, Source

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from spotter.arrays import Floats
    from spotter.explain import Moment
    from spotter.judge import Network
    from spotter.tape import Tape
    from spotter.windows import Window

_log = logging.getLogger(__name__)

_MOST_WAITING: Final = 10_000  # events kept for a loop that does not fetch them
_LOOP_COMES_S: Final = 1.0  # how long a recording waits, once, for a loop that fetches its events
_POLL_S: Final = 0.01
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
        self.callbacks = CallbackThread(self.stop)
        self.done = threading.Event()
        self.closed = False  # whether somebody has waited for its end
        self.dropped_events = 0  # that no loop fetched in time; callbacks have had them
        self._calls_for = calls_for
        self._seconds = seconds
        self._stopping = False  # a plain flag, since signal handlers set it
        self._error: BaseException | None = None
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._loops = 0  # that fetch events now
        self._patience_s = 0.0 if is_live(source) else _LOOP_COMES_S
        self._drops_said = False
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
        self._stopping = True
        self._doorbell.put(None)

    def finish(self, limit_s: float) -> None:
        """Wait for its threads, so long at most; then raise, once, what ended it before its time."""
        self.wait(limit_s)
        if not self.callbacks.is_current:  # there it would only be logged
            self._raise_error()

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
        """Yield events until the end; None after every `tick_s` without one."""
        self._loops += 1
        try:
            while True:
                self._say_drops()
                try:
                    event = self._events.get(timeout=tick_s or _SLICE_S)
                except Empty:
                    if tick_s:
                        yield None
                    continue
                if event is None:
                    self._events.put(None)  # for whoever else iterates
                    self._raise_error()
                    return
                yield event
        finally:
            self._loops -= 1

    def _consume(self) -> None:
        try:
            if self.keeper is not None:
                self._follow(self.keeper)
            elif not is_live(self.source):
                self._pour(self.source)
        except BaseException as error:  # noqa: BLE001  raised again where somebody waits for the end
            self._error = error
        finally:
            self._events.put(None)
            self.callbacks.close()
            self.done.set()

    def _follow(self, keeper: Keeper) -> None:
        """Work whenever the callback rings, until told to stop."""
        ends = time.monotonic() + self._seconds if self._seconds else float("inf")
        try:
            while not self._stopping and (now := time.monotonic()) < ends:
                with suppress(Empty):
                    self._doorbell.get(timeout=min(_SLICE_S, ends - now))
                self._deliver(keeper.events())
        finally:
            self._deliver(keeper.finish())

    def _pour(self, source: Source) -> None:
        """Work through what the source gives, as fast as it gives it."""
        left = round(self._seconds * source.sample_rate) if self._seconds else None
        most = source.sample_rate  # a second at a time fits the ring, whatever the source thinks a block is
        blocks = source.blocks()
        try:
            for block in blocks:
                if self._stopping:
                    break
                if isinstance(block, Missing):
                    self._deliver(self._miss(block))
                    continue
                for at in range(0, len(block[:left]), most):
                    self.spotter.write(block[:left][at : at + most])
                    self._deliver(self.spotter.events())
                if left is not None:
                    left -= min(left, len(block))
                    if not left:
                        break
        finally:  # also when the source fails: what came before it counts
            close = getattr(blocks, "close", None)
            if close:
                close()
            self._deliver(self.spotter.finish())

    def _miss(self, missing: Missing) -> Iterator[Event]:
        """Pass on what a recording says it lacks, as it came when it was made."""
        spotter = self.spotter
        if missing.frames:
            spotter.ring.lose(missing.frames, missing.reason)
        else:
            spotter.ring.flush()
            yield from spotter.events()
            yield from spotter.miss(missing.samples, missing.reason)
            ring = Ring(spotter.ring.capacity, spotter.ring.channels)
            spotter.take(ring, self.source.sample_rate, self.source.channels)

    def _deliver(self, events: Iterator[Event]) -> None:
        for event in events:
            self._make_room()
            self._events.put(event)
            for call in tuple(self._calls_for(event)):
                self.callbacks.submit(call, event)

    def _make_room(self) -> None:
        """Wait for the loop that fetches events, or drop the oldest where waiting would be wrong.

        A microphone does not wait, and without a loop waiting would never end. Once it is to stop,
        the little that is left is kept.
        """
        while self._events.qsize() >= _MOST_WAITING and not self._stopping:
            if is_live(self.source) or (not self._loops and self._patience_s <= 0.0):
                self._events.get()
                self.dropped_events += 1
                return
            if not self._loops:
                self._patience_s -= _POLL_S
            time.sleep(_POLL_S)

    def _say_drops(self) -> None:
        """Say it to whom it concerns, a loop: callbacks have had every event."""
        if self.dropped_events and not self._drops_said:
            self._drops_said = True
            _log.warning(
                "%d events or more were not fetched in time and are lost to this loop; "
                "do less in it, or use callbacks, which get every event",
                self.dropped_events,
            )

    def _raise_error(self) -> None:
        error = self.take_error()
        if error is not None:
            raise error


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
