"""Which device is meant: by number, name, host or default, also when it has come back elsewhere."""

from __future__ import annotations

import builtins
import sys
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pytest

from spotter.errors import DeviceLostError, MicrophoneError
from spotter.ring import Ring
from spotter.sources.devices import input_devices
from spotter.sources.microphone import Microphone
from tests.microphones import system

if TYPE_CHECKING:
    from tests.fakes import FakeSoundDevice


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (None, "Built-in Microphone"),
        (2, "USB Headset"),
        ("2", "USB Headset"),
        ("usb", "USB Headset"),
        ("MICRO", "Built-in Microphone"),
        ("usb fake", "USB Headset"),  # the host's name helps
    ],
)
def test_a_device_is_its_number_or_a_part_of_its_name(
    monkeypatch: pytest.MonkeyPatch, wanted: int | str | None, name: str
) -> None:
    system(monkeypatch)
    microphone = Microphone(wanted)
    microphone.open()
    assert microphone.name == name


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ("piano", r"no input device is called 'piano'; there are: 0 'Built-in Microphone' .*, 2 'USB Headset'"),
        ("speakers", "no input device is called"),  # it has no input
        ("b", r"2 input devices match 'b': 0 'Built-in Microphone' .*, 2 'USB Headset'"),
        (1, "no input device has the number 1; there are: 0"),
        ("7", "no input device has the number 7"),
        (-1, "no input device has the number -1"),
    ],
)
def test_a_device_that_is_not_there_or_not_one_is_an_error_that_lists_them(
    monkeypatch: pytest.MonkeyPatch, wanted: int | str, hint: str
) -> None:
    system(monkeypatch)
    with pytest.raises(MicrophoneError, match=hint):
        Microphone(wanted).open()


def test_the_whole_name_wins_over_longer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch, devices=[("Mic 2", 1), ("Mic", 1)])
    Microphone("mic").open()
    assert fake.streams[0].settings["device"] == 1


@pytest.mark.parametrize("wanted", ["Other Audio", "other"])
def test_a_hosts_name_means_the_input_that_the_host_would_choose(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    fake = system(monkeypatch, devices=[("Mic", 1), ("Line", 1), ("USB Mic", 1)], hosts=[0, 1, 1])
    fake.host_defaults = [0, 2]
    Microphone(wanted).open()
    assert fake.streams[0].settings["device"] == 2


def lost(monkeypatch: pytest.MonkeyPatch, wanted: int | str | None, name: str) -> tuple[FakeSoundDevice, Microphone]:
    """Return a microphone that was open and has gone, and a system in which nothing is where it was."""
    fake = system(monkeypatch, devices=[("Mic", 1), (name, 1), ("Line", 1)], default=1)
    microphone = Microphone(wanted)
    microphone.start(Ring(10, 1), SimpleQueue())
    assert fake.streams[0].settings["device"] == 1
    fake.streams[0].die()
    with pytest.raises(DeviceLostError):
        microphone.check()
    microphone.close()
    return fake, microphone


@pytest.mark.parametrize("wanted", [1, "1", "usb", "USB Mic: - (hw:1,0)"])
@pytest.mark.parametrize("now", ["USB Mic: - (hw:1,0)", "USB Mic: - (hw:3,0)"])
def test_a_device_that_comes_back_is_found_by_its_name_wherever_it_stands_now(
    monkeypatch: pytest.MonkeyPatch, wanted: int | str, now: str
) -> None:
    fake, microphone = lost(monkeypatch, wanted, "USB Mic: - (hw:1,0)")
    fake.plug([("Mic", 1), ("Line", 1), ("Other", 1), (now, 1)], default=1)
    microphone.open()
    assert fake.streams[1].settings["device"] == 3
    assert fake.initialised == 2  # only so does PortAudio list what was plugged in


@pytest.mark.parametrize("wanted", [1, "usb"])
def test_another_device_is_never_taken_for_one_that_was_chosen(
    monkeypatch: pytest.MonkeyPatch, wanted: int | str
) -> None:
    fake, microphone = lost(monkeypatch, wanted, "USB Mic")
    fake.plug([("Mic", 1), ("Line", 1)])
    with pytest.raises(MicrophoneError, match="there are: 0 'Mic'"):
        microphone.open()


def test_of_two_devices_of_one_name_the_one_in_the_same_place_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, microphone = lost(monkeypatch, 1, "USB Mic")
    fake.plug([("USB Mic", 1), ("USB Mic", 1), ("USB Mic", 1)])
    microphone.open()
    assert fake.streams[1].settings["device"] == 1


def test_the_default_is_whatever_the_system_says_when_it_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, microphone = lost(monkeypatch, None, "USB Mic")
    fake.plug([("Mic", 1), ("USB Mic", 1), ("Headset", 1)], default=2)
    microphone.open()
    assert fake.streams[1].settings["device"] == 2


def test_the_list_is_not_made_anew_while_another_microphone_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch)
    other, mine = Microphone(0), Microphone("new")
    other.open()
    for _ in range(2):
        with pytest.raises(MicrophoneError, match="no input device is called 'new'"):
            mine.open()
    assert fake.initialised == 1
    other.close()
    fake.plug([("New", 1)])
    mine.open()
    assert (fake.initialised, mine.name) == (2, "New")


def test_one_microphone_under_two_hosts_is_the_default_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch, devices=[("USB Mic", 1), ("USB Mic", 1)], hosts=[0, 1], default=1)
    Microphone("usb").open()
    assert fake.streams[0].settings["device"] == 1


def test_without_a_default_the_first_input_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch, devices=[("Speakers", 0), ("Mic", 1)], default=-1)
    Microphone().open()
    assert fake.streams[0].settings["device"] == 1


def test_no_input_device_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    system(monkeypatch, devices=[("Speakers", 0)])
    with pytest.raises(MicrophoneError, match="no input device found"):
        Microphone().open()
    assert input_devices() == []


@pytest.mark.parametrize(
    ("error", "platform", "hint"),
    [
        (OSError("PortAudio library not found"), "darwin", "PortAudio library not found; run `brew install portaudio`"),
        (OSError("PortAudio library not found"), "win32", "pip install --force-reinstall"),
        (OSError("PortAudio library not found"), "linux", "run `sudo "),
        (ImportError("No module named 'sounddevice'"), "linux", "python -m pip install sounddevice"),
        (RuntimeError("Error initializing PortAudio"), "linux", "PortAudio does not start"),
    ],
)
def test_without_portaudio_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, error: Exception, platform: str, hint: str
) -> None:
    really = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "sounddevice":
            raise error
        return really(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(MicrophoneError, match=hint):
        Microphone().open()
