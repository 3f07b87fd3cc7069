"""What the audio thread runs for one open stream: copy and ring, nothing else."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Any

from spotter.sources import Sink
from spotter.sources.device_clock import DeviceClock


class Intake:
    """Takes one stream's blocks; a stream that was given up has none, so its late calls write nowhere.

    Attributes
    ----------
    callbacks, overflow_flags, silent_losses : int
        How often the sound system gave audio; how often it said that it had lost some; how often it had without a word.
    failure : str
        What went wrong in a call; empty while all is well.
    ended : bool
        The stream has stopped.
    """

    def __init__(self) -> None:
        self.sample_rate = 1
        self.sink: Sink | None = None
        self.doorbell: SimpleQueue[None] = SimpleQueue()
        self.callbacks = self.overflow_flags = self.silent_losses = 0
        self.failure = ""
        self.ended = False
        self._clock = DeviceClock()

    def on_audio(self, indata: Any, frames: int, when: Any, status: Any) -> None:
        """Take a block from PortAudio, in its thread, and let no exception out.

        Parameters
        ----------
        indata : buffer of interleaved float32
            PortAudio's own memory, valid during the call.
        frames : int
            How many there are in it.
        when, status
            As sounddevice has them.
        """
        try:
            sink = self.sink
            if sink is None:
                return
            if frames:  # an empty block is no sign of life
                self.callbacks += 1
            flagged = bool(status) and status.input_overflow
            missing_s = self._clock.missing_s(
                when.inputBufferAdcTime, when.currentTime, frames / self.sample_rate, flagged=flagged
            )
            if flagged or missing_s:
                self._lose(sink, missing_s, flagged=flagged)
            sink.write_raw(indata, frames)
            if self.doorbell.empty():
                self.doorbell.put(None)
        except Exception as error:  # noqa: BLE001  the audio thread must live; `Microphone.check` tells the reader
            # Only the text: the exception's frame would keep the driver's memory alive.
            self.failure = f"{type(error).__name__}: {error}"

    def on_end(self) -> None:
        """Take note that the stream has stopped."""
        self.ended = True
        self.doorbell.put(None)

    def _lose(self, sink: Sink, missing_s: float, *, flagged: bool) -> None:
        if flagged:
            self.overflow_flags += 1
        else:
            self.silent_losses += 1
        # This order of arguments turns a clock that is not a number into 1.
        sink.lose(round(max(1.0, missing_s * self.sample_rate)), "driver")
