"""Who waits for a microphone hears it when it comes; who listens once gets an error when it is lost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from spotter.errors import BadInputError, DeviceLostError, MicrophoneError
from spotter.events import Detection, DeviceLost, Gap
from spotter.listener import Listener
from tests.fakes import FakeSoundDevice, ScriptedModel, recording
from tests.lost_devices import Heard, say, until

if TYPE_CHECKING:
    from collections.abc import Callable


def test_who_listens_once_gets_an_error_when_the_machine_has_slept(
    system: FakeSoundDevice, nap: Callable[[float], None]
) -> None:
    heard = Heard(once=True)
    heard.listener.start()
    say(system.streams[0])
    nap(60.0)
    until(lambda: not heard.listener.running)
    with pytest.raises(DeviceLostError, match="slept for 60 s, and 'USB Mic' with it; start again"):
        heard.listener.stop()


@pytest.mark.parametrize("problem", ["gone", "silent"])
def test_who_listens_once_gets_an_error_when_the_device_is_lost(system: FakeSoundDevice, problem: str) -> None:
    heard = Heard(once=True)
    heard.listener.start()
    say(system.streams[0])
    if problem == "gone":
        system.streams[0].die()
    until(lambda: not heard.listener.running)
    with pytest.raises(DeviceLostError, match="stopped by itself" if problem == "gone" else "no audio"):
        heard.listener.stop()
    assert heard.kinds() == ["detection"]


def test_without_a_microphone_at_the_start_it_raises_at_once(system: FakeSoundDevice) -> None:
    system.plug([])
    with pytest.raises(MicrophoneError, match="no input device found"):
        Listener(ScriptedModel()).start()


def test_who_waits_hears_the_microphone_when_it_comes(system: FakeSoundDevice) -> None:
    system.plug([])
    with Heard(device="headset", wait=True) as heard:
        until(lambda: heard.listener.waiting)
        until(lambda: heard.of(DeviceLost))
        time.sleep(0.3)
        system._own_rate = 44_100.0
        system.plug([("Headset", 1)])
        until(lambda: system.streams and system.streams[0].active)
        say(system.streams[0], recording((1.2, "yes"), seconds=2.5, sample_rate=44_100))
        until(lambda: heard.of(Detection))
        assert not heard.listener.waiting
    assert heard.kinds() == ["device_lost", "device_back", "gap", "detection"]
    assert heard.of(DeviceLost)[0] == DeviceLost(time_sample=0, device="headset", reason="no input device found")


def test_waiting_for_one_that_never_comes_is_ended_by_stop_and_the_time_is_a_gap(system: FakeSoundDevice) -> None:
    system.plug([])
    began = time.monotonic()
    with Heard(wait=True) as heard:
        time.sleep(0.3)
    took_s = time.monotonic() - began
    assert heard.kinds() == ["device_lost", "gap"]
    assert 0.25 < heard.of(Gap)[0].seconds < took_s


def test_waiting_and_listening_once_exclude_each_other() -> None:
    with pytest.raises(BadInputError, match="exclude"):
        Listener(ScriptedModel(), wait=True, once=True)
