"""Stand-ins for what is slow, heavy or not there: a model that reads its scores off the sound, a sound system."""

from __future__ import annotations

import _thread
import io
import threading
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from spotter.settings import SAMPLE_RATE, DecoderConfig, FrontendConfig

if TYPE_CHECKING:
    from queue import SimpleQueue

    from spotter.arrays import Floats
    from spotter.sources import Sink

LABELS = ("yes", "no", "_unknown_", "_silence_")
TONES_HZ = {"yes": 1_000.0, "no": 3_000.0}


def tone(keyword: str, seconds: float = 0.5, sample_rate: int = SAMPLE_RATE) -> Floats:
    """What `ScriptedModel` hears as that keyword, shape (samples,)."""
    times = np.arange(round(seconds * sample_rate)) / sample_rate
    return (0.3 * np.sin(2 * np.pi * TONES_HZ[keyword] * times)).astype(np.float32)


def recording(*words: tuple[float, str], seconds: float, sample_rate: int = SAMPLE_RATE) -> Floats:
    """Near silence with the tones of words that begin at these seconds, shape (samples,)."""
    rng = np.random.default_rng(0)
    samples = (rng.standard_normal(round(seconds * sample_rate)) * 1e-4).astype(np.float32)
    for start, keyword in words:
        sound = tone(keyword, sample_rate=sample_rate)
        at = round(start * sample_rate)
        samples[at : at + len(sound)] += sound
    return samples


class ScriptedModel:
    """Says "yes" while a tone of 1 kHz is in the window's last 0.3 s, "no" for 3 kHz."""

    name = "scripted"
    labels: tuple[str, ...] = LABELS
    keywords: tuple[str, ...] = ("yes", "no")
    step = 320
    window = 16_000
    context = 15_920  # 98 whole frames

    def __init__(self) -> None:
        self.frontend = FrontendConfig()
        self.decoder = DecoderConfig(gate_dbfs=-60.0)
        self.context_frames = self.frontend.frames_in(self.context)

    def scorer(self, hop_samples: int) -> ToneScorer:
        return ToneScorer(self.frontend)


class ToneScorer:
    """Keeps no state: the score of a window depends on its frames alone."""

    def __init__(self, config: FrontendConfig) -> None:
        low, high = (2_595.0 * np.log10(1.0 + hz / 700.0) for hz in (config.low_hz, config.high_hz))
        mels = (2_595.0 * np.log10(1.0 + hz / 700.0) for hz in TONES_HZ.values())
        self._bands = [round((mel - low) / (high - low) * (config.mel_bands + 1)) - 1 for mel in mels]

    def score(self, frames: Floats, new: int) -> Floats:
        scores = np.full(len(LABELS), 0.01, np.float32)
        loud = frames[-30:, self._bands].mean(axis=0)
        if loud.max() > 0.0:
            scores[int(loud.argmax())] = 0.97
        else:
            scores[3] = 0.97
        return scores

    def reset(self) -> None:
        pass


class Pushed:
    """A live source that a test drives by hand; `push` is its callback."""

    name = "pushed"
    sample_rate = SAMPLE_RATE
    channels = 1

    def __init__(self) -> None:
        self.opened = self.closed = 0
        self.error: Exception | None = None
        self._sink: Sink | None = None
        self._doorbell: SimpleQueue[None] | None = None

    def open(self) -> None:
        self.opened += 1

    def start(self, sink: Sink, doorbell: SimpleQueue[None]) -> None:
        self._sink, self._doorbell = sink, doorbell

    def push(self, samples: Floats, block: int = 320) -> None:
        assert self._sink is not None
        assert self._doorbell is not None
        for at in range(0, len(samples), block):
            self._sink.write(samples[at : at + block, None])
            self._doorbell.put(None)

    def lose(self, frames: int) -> None:
        assert self._sink is not None
        self._sink.lose(frames)

    def check(self) -> None:
        if self.error:
            raise self.error

    def close(self) -> None:
        self.closed += 1


class FakePortAudioError(Exception):
    """Stands for sounddevice.PortAudioError."""


class FakeStream:
    """An input stream whose buffer the driver takes back after each callback."""

    def __init__(self, system: FakeSoundDevice, **settings: Any) -> None:
        self.system = system
        self.settings = settings
        self.samplerate = float(settings["samplerate"])
        self.calls: list[str] = []
        self.active = False
        self._time = 100.0

    def start(self) -> None:
        self.calls.append("start")
        self.active = True

    def abort(self, *, ignore_errors: bool = True) -> None:
        self.calls.append("abort")
        self.active = False

    def close(self, *, ignore_errors: bool = True) -> None:
        self.calls.append("close")

    def deliver(
        self, frames: Floats, *, lost_s: float = 0.0, overflow: bool | None = None, late_s: float = 0.0
    ) -> None:
        """Call back with frames, shape (frames, channels), after audio that was lost, and so late."""
        self._time += lost_s
        buffer = np.array(frames, np.float32, order="C")
        when = SimpleNamespace(inputBufferAdcTime=self._time, currentTime=self._time + 0.04 + late_s)
        flagged = lost_s > 0 if overflow is None else overflow
        self.settings["callback"](buffer.data.cast("B"), len(buffer), when, Flags(input_overflow=flagged))
        self._time += len(frames) / self.samplerate
        buffer.fill(np.nan)

    def die(self) -> None:
        """End as a device does that is pulled out."""
        self.active = False
        self.settings["finished_callback"]()


class Flags:
    """Stands for sounddevice.CallbackFlags."""

    def __init__(self, *, input_overflow: bool = False) -> None:
        self.input_overflow = input_overflow

    def __bool__(self) -> bool:
        return self.input_overflow


class FakeSoundDevice:
    """A module `sounddevice` with these devices; `refuses` are (rate, channels) that it does not open."""

    PortAudioError = FakePortAudioError

    def __init__(
        self,
        devices: Sequence[tuple[str, int]] = (("Built-in Microphone", 2), ("Speakers", 0), ("USB Headset", 1)),
        *,
        default: int = 0,
        own_rate: float = 44_100.0,
        refuses: Sequence[tuple[int, int]] = (),
        hosts: Sequence[int] | None = None,
    ) -> None:
        self.default = SimpleNamespace(device=[default, -1])
        self.streams: list[FakeStream] = []
        self.initialised = 1  # how often
        self._refuses = set(refuses)
        self._own_rate, self._hosts = own_rate, hosts
        self.host_defaults = [default, -1]
        self.plug(devices, default=default)

    def plug(self, devices: Sequence[tuple[str, int]], *, default: int = 0) -> None:
        """Have these devices from now on."""
        self.default.device[0] = default
        own_rate, hosts = self._own_rate, self._hosts
        self._devices = [
            {
                "name": name,
                "hostapi": hosts[number] if hosts else 0,
                "max_input_channels": channels,
                "default_samplerate": own_rate,
            }
            for number, (name, channels) in enumerate(devices)
        ]

    def query_devices(self) -> list[dict[str, Any]]:
        return self._devices

    def _terminate(self) -> None:
        pass

    def _initialize(self) -> None:
        self.initialised += 1

    def query_hostapis(self) -> list[dict[str, Any]]:
        names = ("Fake Audio", "Other Audio")
        return [
            {"name": name, "default_input_device": number}
            for name, number in zip(names, self.host_defaults, strict=True)
        ]

    def RawInputStream(self, **settings: Any) -> FakeStream:  # noqa: N802  as sounddevice has it
        if (settings["samplerate"], settings["channels"]) in self._refuses:
            raise FakePortAudioError("Invalid sample rate [PaErrorCode -9997]")
        self.streams.append(FakeStream(self, **settings))
        return self.streams[-1]


class Failing:
    """A source that gives some blocks and then fails."""

    name = "failing"
    sample_rate = SAMPLE_RATE
    channels = 1
    padded = True

    def __init__(self, samples: Floats, error: Exception) -> None:
        self._samples, self._error = samples, error

    def blocks(self) -> Iterator[Floats]:
        yield self._samples[:, None]
        raise self._error


WORDS = ((1.5, "yes"), (3.0, "no"))
TALK = recording(*WORDS, seconds=4.5)


class LiveSystem(FakeSoundDevice):
    """A sound system in which somebody speaks as soon as a stream starts; then Ctrl-C is pressed."""

    def __init__(self) -> None:
        super().__init__(own_rate=16_000.0)
        self.listening = threading.Event()

    def RawInputStream(self, **settings: Any) -> FakeStream:  # noqa: N802  as sounddevice has it
        stream = super().RawInputStream(**settings)
        begin = stream.start

        def start() -> None:
            begin()
            threading.Thread(target=self.speak, args=(stream,)).start()

        stream.start = start  # type: ignore[method-assign]
        return stream

    def speak(self, stream: FakeStream) -> None:
        for at in range(0, len(TALK), 320):
            stream.deliver(TALK[at : at + 320, None], lost_s=0.5 if at == 32_000 * 2 else 0.0)
        assert self.listening.wait(60.0)
        _thread.interrupt_main()


class Terminal(io.StringIO):
    """A stdout that is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True
