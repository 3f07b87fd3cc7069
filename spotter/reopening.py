"""Keeps a live source going: sees that a device has gone, opens it again, and gives the time away its place."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any, Final

from spotter.callbacks import join
from spotter.clock import StreamClock, elapsed_s, slept_s
from spotter.errors import BadInputError, DeviceLostError, MicrophoneError
from spotter.events import DeviceBack, DeviceLost, Event
from spotter.pipeline import Spotter
from spotter.ring import Ring
from spotter.settings import SAMPLE_RATE
from spotter.sources import LiveSource

_log = logging.getLogger(__name__)

_FIRST_RETRY_S: Final = 0.1  # a sound server that is restarted is back within tenths of a second
_LAST_RETRY_S: Final = 3.0
_STEADY_S: Final = 3.0  # a device that gives audio for so long is well again
_ATTEMPT_ENDS_S: Final = 0.6
_NAP_S: Final = 1.0  # a shorter sleep is none


class Keeper:
    """Takes events from a live source's pipeline, in one thread, whatever the device does.

    Parameters
    ----------
    once : bool
        Raise when the device is lost, instead of waiting for it.
    absent : MicrophoneError, optional
        Why there is no device yet.

    Attributes
    ----------
    clock : StreamClock
        When in the day a moment of the stream was.
    most_behind_s : float
        How old audio was, at most, when it was worked on.
    away : bool
        There is no device now.
    """

    def __init__(
        self,
        source: LiveSource,
        spotter: Spotter,
        doorbell: SimpleQueue[None],
        ring_s: float,
        *,
        once: bool = False,
        absent: MicrophoneError | None = None,
    ) -> None:
        self.clock = StreamClock()
        self._began_s, self._slept_s = elapsed_s(), slept_s()
        self.most_behind_s = 0.0
        self._source, self._spotter, self._doorbell, self._ring_s = source, spotter, doorbell, ring_s
        self._once = once
        self.away = absent is not None
        self._reason = _reason(absent) if absent else ""
        self._said = False  # that it is lost
        self._refused = ""  # why it does not open, as it was said
        self._attempt: Attempt | None = None
        self._retry_at_s = 0.0
        self._retry_s = _FIRST_RETRY_S
        self._back_at_s = 0.0

    def events(self) -> Iterator[Event]:
        """Work through what has come; then see how the device is. To be asked several times a second."""
        if self.away:
            yield from self._wait()
        if not self.away:
            yield from self._hear()
            yield from self._wake()
        if not self.away:
            yield from self._look()

    def finish(self) -> Iterator[Event]:
        """Give the device back, and yield what is left to be heard."""
        if self._attempt is not None:
            self._attempt.abandon()
        self._source.close()
        if self.away:
            yield from self._spotter.miss(self._missed(elapsed_s()), "device")
        yield from self._spotter.finish()

    def _hear(self) -> Iterator[Event]:
        spotter = self._spotter
        begin, came_s = spotter.position, elapsed_s()
        yield from spotter.events()
        if spotter.position != begin:
            self.clock.note(spotter.position, elapsed_s())
            self.most_behind_s = max(self.most_behind_s, self.clock.age_s(begin, came_s))

    def _wake(self) -> Iterator[Event]:
        """Begin anew after the machine has slept: devices are dead then, or go on as if no time had passed."""
        nap_s = slept_s() - self._slept_s
        if nap_s < _NAP_S:
            return
        self._slept_s += nap_s
        reason = f"the machine slept for {nap_s:.0f} s"
        if self._once:
            raise DeviceLostError(f"{reason}, and {self._source.name!r} with it; start again")
        yield from self._lose(reason)

    def _look(self) -> Iterator[Event]:
        try:
            self._source.check()
        except DeviceLostError as error:
            if self._once:
                raise
            yield from self._lose(_reason(error))
            return
        trouble = getattr(self._source, "trouble", "")
        if trouble and not self._said:
            if self._once:
                raise DeviceLostError(f"{trouble}; connect it again, or restart the sound system")
            yield self._lost(trouble)
        elif self._said and not trouble:
            self._said = False
            yield DeviceBack(time_sample=self._spotter.position, device=self._source.name, reason="resumed")

    def _lose(self, reason: str) -> Iterator[Event]:
        if not self._said:
            yield self._lost(reason)
        self._begin_clock()
        self.away = True
        self._source.close()
        self._spotter.ring.flush()
        yield from self._spotter.events()
        if self._spotter.tape is not None:
            self._spotter.tape.pause()
        now = elapsed_s()
        if now - self._back_at_s > _STEADY_S:
            self._retry_s = _FIRST_RETRY_S
        else:
            self._retry_s = min(2.0 * self._retry_s, _LAST_RETRY_S)
        self._retry_at_s = now + self._retry_s

    def _lost(self, reason: str) -> DeviceLost:
        self._said = True
        return DeviceLost(time_sample=self._spotter.position, device=self._source.name, reason=reason)

    def _wait(self) -> Iterator[Event]:
        if not self._said:  # there has never been one
            self._begin_clock()
            yield self._lost(self._reason)
        attempt, now = self._attempt, elapsed_s()
        if attempt is None:
            if now >= self._retry_at_s:
                self._try()
            return
        if not attempt.over:
            return
        failed = attempt.error is not None
        if attempt.error is not None:
            self._say_why(attempt.error)
        if not failed and attempt.ring is not None and attempt.ring.waiting:
            yield from self._go_on(attempt.ring, now)
            return
        if not failed:  # open, but nothing has come yet
            try:
                self._source.check()
            except DeviceLostError:
                failed = True
        if failed:
            self._source.close()
            self._attempt = None
            self._try_later()

    def _try(self) -> None:
        try:
            self._attempt = Attempt(self._source, self._doorbell, self._ring_s)
        except RuntimeError as error:  # the system has no thread to give just now
            self._say_why(MicrophoneError(str(error)))
            self._try_later()

    def _try_later(self) -> None:
        self._retry_s = min(2.0 * self._retry_s, _LAST_RETRY_S)
        self._retry_at_s = elapsed_s() + self._retry_s

    def _say_why(self, error: BaseException) -> None:
        """Log why it does not open, when that changes; raise what time will not mend."""
        if not isinstance(error, MicrophoneError | BadInputError):
            raise error
        if str(error) != self._refused:
            self._refused = str(error)
            _log.info("still no microphone: %s", error)

    def _go_on(self, ring: Ring, now_s: float) -> Iterator[Event]:
        source, spotter = self._source, self._spotter
        waits_s = ring.waiting / source.sample_rate
        yield from spotter.miss(self._missed(now_s - waits_s), "device")
        self._slept_s = slept_s()  # while there was no device
        spotter.take(ring, source.sample_rate, source.channels)
        resumed = getattr(source, "resumed", None)
        if resumed is not None:
            resumed(spotter.position)
        self._attempt, self.away, self._said, self._back_at_s = None, False, False, now_s
        self._refused = ""
        yield DeviceBack(time_sample=spotter.position, device=source.name, reason="opened")

    def _begin_clock(self) -> None:
        """Where no audio has ever come, stream time began when we did."""
        if self.clock.begin_s is None:
            self.clock.note(0, self._began_s)

    def _missed(self, until_s: float) -> int:
        # At least a sample, since what comes next is another stream.
        return max(1, round(self.clock.age_s(self._spotter.position, until_s) * SAMPLE_RATE))


class Attempt:
    """Opens and starts a source on a thread of its own, since a sound system may take its time."""

    def __init__(self, source: LiveSource, doorbell: SimpleQueue[None], ring_s: float) -> None:
        self.ring: Ring | None = None
        self.error: BaseException | None = None
        self.over = False
        self._source, self._doorbell, self._ring_s = source, doorbell, ring_s
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="spotter-reopening", daemon=True)
        self._thread.start()

    def abandon(self) -> None:
        """Have no part in it any more; who abandons it closes the source, which ends an opening that goes on."""
        self._abandoned = True
        join(self._thread, _ATTEMPT_ENDS_S)

    def _run(self) -> None:
        source: Any = self._source
        try:
            source.open()
            if self._abandoned:
                return
            # Never the old memory: a call of the old stream might still be writing there.
            self.ring = Ring(int(source.sample_rate * self._ring_s), source.channels)
            source.start(self.ring, self._doorbell)
        except BaseException as error:  # noqa: BLE001  looked at, and raised, by the thread that listens
            self.error = error
        finally:
            self.over = True
            self._doorbell.put(None)


def _reason(error: MicrophoneError) -> str:
    """What is wrong, without what to do: that is being done."""
    return str(error).partition("; ")[0]
