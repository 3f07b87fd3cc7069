"""Input devices: which there are, and which one somebody means."""

from __future__ import annotations

import re
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
    host_default: bool = False  # the input that its host would choose

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


class NotThereError(MicrophoneError):
    """No such device is listed; it may be after the list is made anew."""


def find_device(sounddevice: Any, wanted: int | str | None, known: Device | None = None) -> Device:
    """Return the device that is meant.

    Parameters
    ----------
    wanted : int or str, optional
        Its number, a part of its name and host in any case, or a host, for that one's default; left out:
        the system's default.
    known : Device, optional
        What was meant the last time. It is found by name and host, since numbers change when devices come and go;
        the system's default, however, is whatever it is now.

    Raises
    ------
    NotThereError
        There is none such.
    MicrophoneError
        There are several.
    """
    devices = _devices(sounddevice)
    if not devices:
        raise NotThereError("no input device found; connect a microphone, or give a recording with `--input FILE`")
    if wanted is None:
        return next((device for device in devices if device.default), devices[0])
    number = isinstance(wanted, int) or wanted.strip().isdecimal()
    if known is not None:
        again = _again(devices, known)
        if again is not None:
            return again
        if number:
            raise NotThereError(f"the microphone {known.name!r} is not there; there are: {_listed(devices)}")
    if number:
        matches = [device for device in devices if device.number == int(wanted)]
        if not matches:
            raise NotThereError(f"no input device has the number {wanted}; there are: {_listed(devices)}")
        return matches[0]
    return _named(devices, str(wanted))


def _again(devices: Sequence[Device], known: Device) -> Device | None:
    """Return the device that was meant before, wherever it stands now."""
    same = [device for device in devices if (device.name, device.host) == (known.name, known.host)]
    if not same:
        plain = _without_numbers(known.name)
        same = [d for d in devices if (_without_numbers(d.name), d.host) == (plain, known.host)]
    # Of two that are called the same, the one in the same place.
    return min(same, key=lambda device: abs(device.number - known.number), default=None)


def _without_numbers(name: str) -> str:
    """Return a name without what changes when it is plugged in again: ALSA's (hw:1,0), Windows' (2- …)."""
    return re.sub(r"\(hw:\d+,\d+\)|\b\d+- ", "", name).casefold()


def _named(devices: Sequence[Device], wanted: str) -> Device:
    words = wanted.casefold().split()
    matches = [
        device for device in devices if all(word in f"{device.name}, {device.host}".casefold() for word in words)
    ]
    exact = [device for device in matches if device.name.casefold() == wanted.casefold()]
    matches = exact or matches
    if len(matches) > 1 and all(all(word in device.host.casefold() for word in words) for device in matches):
        # A host was named and no device: its default is meant.
        matches = [device for device in matches if device.host_default] or matches
    if len(matches) > 1:
        # Windows shows one microphone once for every host: the default host's is meant.
        host = next((device.host for device in devices if device.default), "")
        if len({device.host for device in matches}) == len(matches):
            matches = [device for device in matches if device.host == host] or matches
    if not matches:
        raise NotThereError(f"no input device is called {wanted!r}; there are: {_listed(devices)}")
    if len(matches) > 1:
        raise MicrophoneError(
            f"{len(matches)} input devices match {wanted!r}: {_listed(matches)}; give more of the name, or the number"
        )
    return matches[0]


def _devices(sounddevice: Any) -> list[Device]:
    try:
        default = sounddevice.default.device[0]
        hosts = sounddevice.query_hostapis()
        return [
            Device(
                number=number,
                name=" ".join(str(entry["name"]).split()),
                host=hosts[entry["hostapi"]]["name"],
                channels=entry["max_input_channels"],
                sample_rate=entry["default_samplerate"],
                default=number == default,
                host_default=number == hosts[entry["hostapi"]].get("default_input_device"),
            )
            for number, entry in enumerate(sounddevice.query_devices())
            if entry["max_input_channels"] > 0
        ]
    except sounddevice.PortAudioError as error:
        raise MicrophoneError(f"the sound system lists no devices ({error}); check the system's sound") from None


def _listed(devices: Sequence[Device]) -> str:
    return ", ".join(f"{device.number} {device.name!r} ({device.host})" for device in devices)
