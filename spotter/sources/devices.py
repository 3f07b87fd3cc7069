"""Input devices: which there are, and which one somebody means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spotter.errors import MicrophoneError
from spotter.sources.libraries import install_line


@dataclass(frozen=True, slots=True)
class Device:
    """An input device as PortAudio describes it."""

    number: int
    name: str
    host: str  # the system's way to it, such as ALSA, Core Audio or Windows WASAPI
    channels: int
    sample_rate: float  # its own, in Hz
    default: bool

    def __str__(self) -> str:
        """Return the line that people read."""
        star = "*" if self.default else " "
        return f"{star} {self.number:2}  {self.name}, {self.host} ({self.channels} in, {self.sample_rate:g} Hz)"


def load_sounddevice() -> Any:
    """Import sounddevice, which loads PortAudio."""
    try:
        import sounddevice
    except ImportError:
        raise MicrophoneError("the package sounddevice is missing; run `python -m pip install sounddevice`") from None
    except OSError as error:
        raise MicrophoneError(f"{str(error).rstrip('.')}; run `{install_line('portaudio')}`") from None
    except Exception as error:
        raise MicrophoneError(f"PortAudio does not start ({error}); check the system's sound") from error
    return sounddevice


def input_devices() -> list[Device]:
    """Return the input devices, in PortAudio's order."""
    return _devices(load_sounddevice())


def find_device(sounddevice: Any, wanted: int | str | None) -> Device:
    """Return the one that is meant: a number, a part of a name (any case), or None for the default."""
    devices = _devices(sounddevice)
    if not devices:
        raise MicrophoneError("no input device found; connect a microphone, or give a recording with `--input FILE`")
    if wanted is None:
        return next((device for device in devices if device.default), devices[0])
    if isinstance(wanted, int) or wanted.strip().isdecimal():
        matches = [device for device in devices if device.number == int(wanted)]
        if not matches:
            raise MicrophoneError(f"no input device has the number {wanted}; there are: {_listed(devices)}")
        return matches[0]
    words = wanted.casefold().split()
    matches = [
        device for device in devices if all(word in f"{device.name}, {device.host}".casefold() for word in words)
    ]
    exact = [device for device in matches if device.name.casefold() == wanted.casefold()]
    matches = exact or matches
    if len(matches) > 1:
        # Windows shows one microphone once for every host: the default host's is meant.
        host = next((device.host for device in devices if device.default), "")
        if len({device.host for device in matches}) == len(matches):
            matches = [device for device in matches if device.host == host] or matches
    if not matches:
        raise MicrophoneError(f"no input device is called {wanted!r}; there are: {_listed(devices)}")
    if len(matches) > 1:
        raise MicrophoneError(
            f"{len(matches)} input devices match {wanted!r}: {_listed(matches)}; give more of the name, or the number"
        )
    return matches[0]


def _devices(sounddevice: Any) -> list[Device]:
    try:
        default = sounddevice.default.device[0]
        hosts = [host["name"] for host in sounddevice.query_hostapis()]
        return [
            Device(
                number=number,
                name=" ".join(str(entry["name"]).split()),
                host=hosts[entry["hostapi"]],
                channels=entry["max_input_channels"],
                sample_rate=entry["default_samplerate"],
                default=number == default,
            )
            for number, entry in enumerate(sounddevice.query_devices())
            if entry["max_input_channels"] > 0
        ]
    except sounddevice.PortAudioError as error:
        raise MicrophoneError(f"the sound system lists no devices ({error}); check the system's sound") from None


def _listed(devices: Sequence[Device]) -> str:
    return ", ".join(f"{device.number} {device.name!r} ({device.host})" for device in devices)
