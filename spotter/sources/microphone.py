"""The microphone, through PortAudio: found, opened, watched, closed."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Final

from spotter.errors import DeviceLostError, MicrophoneError
from spotter.settings import SAMPLE_RATE
from spotter.sources import MOST_CHANNELS, Sink, check_channel
from spotter.sources.devices import Device, NotThereError, find_device
from spotter.sources.intake import Intake
from spotter.sources.portaudio import OPEN_LIMIT_S, PORTAUDIO, quiet
from spotter.sources.watch import Watch

# Half of the usual hop: a window waits for its last samples 25 ms on average, and each wake-up of the audio
# and reader threads costs the more the rarer they are (caches are cold): measured on a busy machine, all of
# listening took 3.1% of a core in blocks of 20 ms, 1.8% in 40 ms, 1.0% in 100 ms. A size of 0 ("whatever the
# driver likes") was seen to give blocks of 1 frame.
BLOCK_S: Final = 0.05
_START_LIMIT_S: Final = 5.0
_CLOSE_LIMIT_S: Final = 1.0
_QUIET_S: Final = 1.5  # without audio: it has gone, or pauses
_GIVE_UP_S: Final = 5.0  # a stream that only paused goes on by itself and has kept what was said; so long it may
_FIRST_S: Final = 5.0  # a wireless microphone takes seconds to begin
_ARRAY_CHANNELS: Final = 16  # more are no microphones, but what a sound server would make up


class Microphone:
    """An input device, at its own rate and as few channels as work.

    Parameters
    ----------
    device : int or str, optional
        Its number, a part of its name or host in any case; left out: the system's default input.
    block_s : float
        Seconds between callbacks.
    channel : int, optional
        The only channel that is wanted, counted from 1; the device is then opened with all it has.

    Attributes
    ----------
    trouble : str
        Why no audio comes, though the stream may yet go on by itself; empty while all is well. `check` sets it.
    """

    def __init__(
        self, device: int | str | None = None, *, block_s: float = BLOCK_S, channel: int | None = None
    ) -> None:
        if channel is not None:
            check_channel(channel)
        self.device = device
        self.channel = channel
        self.block_s = block_s
        self.name = "microphone" if device is None else str(device)
        self.sample_rate = SAMPLE_RATE
        self.channels = channel or 1
        self.trouble = ""
        self._found: Device | None = None  # what `device` meant the last time
        self._stale = False  # the list of devices may be: it was made before this one went away
        self._closings = 0  # counted, so that an opening that was overtaken by one gives up what it got
        self._lock = threading.Lock()  # of the two around here: closing may come while another thread opens
        self._stream: Any = None
        self._intake = Intake()
        self._before = (0, 0)  # what earlier streams counted
        self._watch = Watch()

    @property
    def callbacks(self) -> int:
        """How often the sound system called."""
        return self._before[0] + self._intake.callbacks

    @property
    def overflow_flags(self) -> int:
        """How often it lost audio, whether it said so or not."""
        return self._before[1] + self._intake.overflow_flags + self._intake.silent_losses

    @property
    def stuck(self) -> bool:
        """The sound system does not let go: the process should end with `os._exit`."""
        return PORTAUDIO.hangs

    def open(self) -> None:
        """Find and reserve the device.

        Raises
        ------
        MicrophoneError
            No PortAudio, no such device, several of that name, or it cannot be opened.
        BadInputError
            It does not have the channel.
        """
        closings = self._closings
        sounddevice = PORTAUDIO.load()
        fresh = self._stale and PORTAUDIO.refresh(sounddevice)
        try:
            self._open(sounddevice, closings)
        except _RefusedError:
            # The list may be older than what was plugged in or out since.
            if fresh or not PORTAUDIO.refresh(sounddevice):
                self._stale = True
                raise
            self._stale = True
            self._open(sounddevice, closings)
        except MicrophoneError:
            self._stale = True
            raise
        self._stale = False

    def _open(self, sounddevice: Any, closings: int) -> None:
        try:
            found = find_device(sounddevice, self.device, self._found)
        except NotThereError as error:
            raise _RefusedError(str(error)) from None
        if self.channel is not None:
            check_channel(self.channel, found.channels)
        intake = Intake()
        try:
            stream, channels = PORTAUDIO.run(
                lambda: self._reserve(sounddevice, found, intake),
                OPEN_LIMIT_S,
                late=lambda got: _end(got[0]),
                stderr=quiet(),
            )
        except TimeoutError:
            raise MicrophoneError(
                f"the sound system did not open {found.name!r} within {OPEN_LIMIT_S:g} s; restart it"
            ) from None
        with self._lock:
            closed = self._closings != closings
            if not closed:
                self._before = self.callbacks, self.overflow_flags
                self._stream, self._intake, self._found = stream, intake, found
                self.name, self.sample_rate, self.channels = found.name, intake.sample_rate, channels
        if closed:
            self._let_go(stream)
            raise MicrophoneError(f"the microphone {found.name!r} was closed while it was being opened; start again")

    def _reserve(self, sounddevice: Any, found: Device, intake: Intake) -> tuple[Any, int]:
        problem = ""
        for sample_rate, channels in formats(found, self.channel):
            try:
                stream = sounddevice.RawInputStream(
                    samplerate=sample_rate,
                    blocksize=max(1, round(sample_rate * self.block_s)),
                    device=found.number,
                    channels=channels,
                    dtype="float32",
                    callback=intake.on_audio,
                    finished_callback=intake.on_end,
                )
            except (sounddevice.PortAudioError, ValueError) as error:
                problem = problem or str(error)
                continue
            intake.sample_rate = round(stream.samplerate)
            PORTAUDIO.opened(stream, lambda: not self.trouble and not intake.ended)
            return stream, channels
        raise _RefusedError(
            f"the microphone {found.name!r} cannot be opened ({problem}); "
            "close what else uses it, or choose another with `--list-devices` and `--device`"
        )

    def start(self, sink: Sink, doorbell: SimpleQueue[None]) -> None:
        """Let the callback run: it writes to `sink`, then rings `doorbell` unless that rings already."""
        if self._stream is None:
            self.open()
        sounddevice = PORTAUDIO.load()
        with self._lock:
            stream, intake = self._stream, self._intake
        if stream is None:
            raise MicrophoneError(f"the microphone {self.name!r} was closed while it was being started; start again")
        self._watch, self.trouble = Watch(), ""
        intake.sink, intake.doorbell = sink, doorbell
        try:
            problem = PORTAUDIO.run(lambda: _begin(stream), _START_LIMIT_S, late=lambda _: _end(stream), always=True)
        except BaseException as error:
            self._stale = True
            self._forget()  # the call that hangs closes it when it returns; two at once would hang for good
            if not isinstance(error, TimeoutError):  # Ctrl-C
                raise
            problem = error
        if problem is not None:
            self._stale = True
            self.close()
            if not isinstance(problem, sounddevice.PortAudioError | TimeoutError):
                raise problem
            raise MicrophoneError(f"the microphone {self.name!r} does not start ({problem}); try another")

    def check(self) -> None:
        """Look after the stream, several times a second.

        Raises
        ------
        DeviceLostError
            The device has gone.
        MicrophoneError
            A callback failed.
        """
        with self._lock:
            stream, intake = self._stream, self._intake
        if intake.failure:
            raise MicrophoneError(f"taking audio from {self.name!r} failed ({intake.failure}); please report this")
        if stream is None:
            return
        quiet_s = self._watch.quiet_s(intake.callbacks, time.monotonic())
        if intake.ended or not _active(stream):
            self._stale = True
            raise DeviceLostError(f"the microphone {self.name!r} stopped by itself; connect it again and restart")
        limit_s = _QUIET_S if intake.callbacks else _FIRST_S
        self.trouble = f"the microphone {self.name!r} has given no audio for {limit_s:g} s" if quiet_s > limit_s else ""
        if quiet_s > max(limit_s, _GIVE_UP_S):
            self._stale = True
            raise DeviceLostError(f"{self.trouble}; connect it again, or restart the sound system")

    def close(self) -> None:
        """End the callback and give the device back; waits a second at most."""
        stream = self._forget()
        if stream is not None:
            self._let_go(stream)

    def _forget(self) -> Any:
        with self._lock:
            self._closings += 1
            stream, self._stream = self._stream, None
            self._intake.sink = None
            return stream

    def _let_go(self, stream: Any) -> None:
        with suppress(TimeoutError):  # `stuck` says so
            PORTAUDIO.run(lambda: _end(stream), _CLOSE_LIMIT_S, always=True)


class _RefusedError(MicrophoneError):
    """Not there, or it does not open: perhaps since the list of devices is old."""


def formats(device: Device, channel: int | None = None) -> list[tuple[int, int]]:
    """(sample rate, channels) to ask for, in this order.

    The device's own rate comes first, and `spotter.resample` brings it to 16 kHz: asked for 16 kHz, a system may
    convert worse. Measured with a 48 kHz source and tones of 9 to 15 kHz, which must not be heard at 16 kHz: ALSA's
    "linear" converter (the one without libasound2-plugins) folds them into the speech band at full level (0 dB),
    its "speexrate" and PulseAudio at -54 dB or less, soxr at -97 dB or less; for 0.04% of a core.
    ALSA says 44.1 kHz of whatever can convert; 48 kHz is what sound servers and most hardware run at.

    Mono comes before more channels, which are averaged. Where one channel is wanted, all that an array has come
    first: asked for fewer, a sound server would mix them.
    """
    own = round(device.sample_rate)
    rates = [*([48_000] if own == 44_100 and device.host == "ALSA" else []), own, SAMPLE_RATE]
    if channel is None:
        counts = [1, min(2, device.channels), device.channels]
    else:
        counts = [*([device.channels] if device.channels <= _ARRAY_CHANNELS else []), max(2, channel), device.channels]
    counts = [count for count in counts if channel is None or channel <= count <= device.channels]
    pairs = [(rate, count) for rate in rates for count in counts if count <= MOST_CHANNELS]
    return list(dict.fromkeys(pairs))


def _active(stream: Any) -> bool:
    try:
        return bool(stream.active)
    except Exception:  # noqa: BLE001  PortAudio was shut down by others
        return False


def _begin(stream: Any) -> Exception | None:
    """Start it; what it fails with is returned, so that a start that fails late is tidied up after as well."""
    try:
        stream.start()
    except Exception as error:  # noqa: BLE001  raised again by who waits
        return error
    return None


def _end(stream: Any) -> None:
    # `stop` waits for data that may never come; `abort` does not.
    stream.abort(ignore_errors=True)
    stream.close(ignore_errors=True)
    PORTAUDIO.closed(stream)
