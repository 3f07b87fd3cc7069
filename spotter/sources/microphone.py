"""The microphone, through PortAudio; its callback only copies."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from spotter.errors import MicrophoneError
from spotter.settings import SAMPLE_RATE
from spotter.sources import MOST_CHANNELS, Sink
from spotter.sources.devices import Device, find_device, load_sounddevice

# Half of the usual hop: a window waits for its last samples 25 ms on average, and each wake-up of the audio
# and reader threads costs the more the rarer they are (caches are cold): measured on a busy machine, all of
# listening took 3.1% of a core in blocks of 20 ms, 1.8% in 40 ms, 1.0% in 100 ms. A size of 0 ("whatever the
# driver likes") was seen to give blocks of 1 frame.
BLOCK_S: Final = 0.05
_OPEN_LIMIT_S: Final = 10.0  # a sound server that hangs was seen to block an open for 30 s
_CLOSE_LIMIT_S: Final = 2.0
_LONGEST_LOSS_S: Final = 60.0  # clocks may be set; a loss is believed up to this

_T = TypeVar("_T")


class Microphone:
    """An input device: 16 kHz mono where it can do that, else its own rate and channels.

    Parameters
    ----------
    device : int or str, optional
        Its number, or a part of its name in any case; left out: the system's default input.
    block_s : float
        Seconds between callbacks.

    Attributes
    ----------
    callbacks, overflow_flags : int
        How often the sound system called, and how often it said that it had lost audio.
    stuck : bool
        The sound system did not let go in time: the process should end with `os._exit`.
    """

    def __init__(self, device: int | str | None = None, *, block_s: float = BLOCK_S) -> None:
        self.device = device
        self.block_s = block_s
        self.name = "microphone"
        self.sample_rate = SAMPLE_RATE
        self.channels = 1
        self.callbacks = 0
        self.overflow_flags = 0
        self.stuck = False
        self._failure = ""
        self._ended = False
        self._adc_end = 0.0  # when the last block's last frame was recorded, on the device's clock
        self._stream: Any = None
        self._sink: Sink | None = None
        self._doorbell: SimpleQueue[None] = SimpleQueue()

    def open(self) -> None:
        """Find and reserve the device.

        Raises
        ------
        MicrophoneError
            No PortAudio, no such device, several of that name, or it cannot be opened.
        """
        try:
            with _quiet_stderr():  # sounddevice does so itself, but would not give stderr back if it hung
                sounddevice = _within(_OPEN_LIMIT_S, load_sounddevice)
        except TimeoutError:
            self.stuck = True
            raise MicrophoneError(f"the sound system does not answer within {_OPEN_LIMIT_S:g} s; restart it") from None
        found = find_device(sounddevice, self.device)
        problem = ""
        for sample_rate, channels in _formats(found):
            try:
                with _quiet_stderr():
                    stream = _within(
                        _OPEN_LIMIT_S,
                        lambda rate=sample_rate, channels=channels: sounddevice.RawInputStream(  # type: ignore[misc]
                            samplerate=rate,
                            blocksize=max(1, round(rate * self.block_s)),
                            device=found.number,
                            channels=channels,
                            dtype="float32",
                            callback=self.on_audio,
                            finished_callback=self._on_end,
                        ),
                    )
            except TimeoutError:
                self.stuck = True
                raise MicrophoneError(
                    f"the sound system did not open {found.name!r} within {_OPEN_LIMIT_S:g} s; restart it"
                ) from None
            except (sounddevice.PortAudioError, ValueError) as error:
                problem = problem or str(error)
                continue
            self._stream = stream
            self.name, self.sample_rate, self.channels = found.name, round(stream.samplerate), channels
            return
        raise MicrophoneError(
            f"the microphone {found.name!r} cannot be opened ({problem}); "
            "close what else uses it, or choose another with `--list-devices` and `--device`"
        )

    def start(self, sink: Sink, doorbell: SimpleQueue[None]) -> None:
        """Let the callback run: it writes to `sink`, then rings `doorbell` unless that rings already."""
        if self._stream is None:
            self.open()
        self._sink, self._doorbell = sink, doorbell
        self._adc_end, self._failure, self._ended = 0.0, "", False
        self.callbacks = self.overflow_flags = 0
        sounddevice = load_sounddevice()
        try:
            with _quiet_stderr():
                _within(_OPEN_LIMIT_S, self._stream.start)
        except (sounddevice.PortAudioError, TimeoutError) as error:
            self.stuck = isinstance(error, TimeoutError)
            self.close()
            raise MicrophoneError(f"the microphone {self.name!r} does not start ({error}); try another") from None

    def on_audio(self, indata: Any, frames: int, when: Any, status: Any) -> None:
        """Take a block from PortAudio, in its thread: copy and ring, nothing else, and let no exception out.

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
            sink = self._sink
            if sink is None:
                return
            self.callbacks += 1
            began = when.inputBufferAdcTime
            if status and status.input_overflow:
                self.overflow_flags += 1
                missing = (began - self._adc_end) * self.sample_rate if self._adc_end else 1.0
                # This order of arguments turns a clock that is not a number into 1.
                sink.lose(round(min(max(1.0, missing), _LONGEST_LOSS_S * self.sample_rate)), "driver")
            self._adc_end = began + frames / self.sample_rate
            sink.write_raw(indata, frames)
            if self._doorbell.empty():
                self._doorbell.put(None)
        except Exception as error:  # noqa: BLE001  the audio thread must live; `check` tells the reader
            # Only the text: the exception's frame would keep the driver's memory alive.
            self._failure = f"{type(error).__name__}: {error}"

    def check(self) -> None:
        """Raise `MicrophoneError` if the device has gone, or a callback failed."""
        if self._failure:
            raise MicrophoneError(f"taking audio from {self.name!r} failed ({self._failure}); please report this")
        if self._ended and self._stream is not None:
            raise MicrophoneError(f"the microphone {self.name!r} stopped by itself; connect it again and restart")

    def close(self) -> None:
        """End the callback and give the device back; waits at most two seconds."""
        stream, self._stream = self._stream, None
        self._sink = None
        if stream is None:
            return

        def end() -> None:
            # `stop` waits for data that may never come; `abort` does not.
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)

        try:
            _within(_CLOSE_LIMIT_S, end, always_thread=True)
        except TimeoutError:
            self.stuck = True

    def _on_end(self) -> None:
        self._ended = True
        self._doorbell.put(None)


def _formats(device: Device) -> list[tuple[int, int]]:
    """(sample rate, channels) to ask for, in this order; as few channels as work, since they are averaged."""
    own = round(device.sample_rate)
    wanted = [(SAMPLE_RATE, 1), (own, 1), (own, min(2, device.channels)), (own, device.channels)]
    return [pair for pair in dict.fromkeys(wanted) if pair[1] <= MOST_CHANNELS]


def _within(limit_s: float, call: Callable[[], _T], *, always_thread: bool = False) -> _T:
    """Call on a daemon thread, so that a sound system that hangs cannot hold up Ctrl-C or the end."""
    if sys.platform == "win32" and not always_thread:
        return call()  # WASAPI streams must be opened by the thread that initialised COM
    results: list[_T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001  raised again by the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name="spotter-portaudio", daemon=True)
    thread.start()
    deadline = time.monotonic() + limit_s
    while thread.is_alive() and time.monotonic() < deadline:
        thread.join(0.1)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no answer within {limit_s:g} s")
    return results[0]


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """PortAudio and ALSA write every refusal to stderr; we say it in one line of our own (as sounddevice does)."""
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, AttributeError, ValueError):
        yield
        return
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
