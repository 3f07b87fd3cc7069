"""A microphone that goes away and comes back, on a fake sound system: what is said and heard."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import numpy as np
import pytest

from spotter.events import Detection, DeviceBack, DeviceLost, Gap
from tests.fakes import FakeSoundDevice, recording
from tests.lost_devices import RATE, SILENCE, WORD, Heard, say, until

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_device_that_goes_and_comes_back_is_heard_again_and_the_time_away_is_a_gap(system: FakeSoundDevice) -> None:
    with Heard(device="usb") as heard:
        began = time.monotonic()
        say(system.streams[0])
        until(lambda: heard.of(Detection))
        system.plug([])
        system.streams[0].die()
        until(lambda: heard.of(DeviceLost))
        time.sleep(0.3)
        system.plug([("Another", 1), ("USB Mic", 2)])
        until(lambda: len(system.streams) == 2 and system.streams[1].active)
        say(system.streams[1])
        until(lambda: len(heard.of(Detection)) == 2)
        took_s = time.monotonic() - began
    assert heard.kinds() == ["detection", "device_lost", "device_back", "gap", "detection"]
    lost, back, gap = heard.of(DeviceLost)[0], heard.of(DeviceBack)[0], heard.of(Gap)[0]
    assert lost == DeviceLost(time_sample=32_000, device="USB Mic", reason="the microphone 'USB Mic' stopped by itself")
    assert (back.device, back.reason, gap.reason) == ("USB Mic", "opened", "device")
    assert back.time_sample == gap.time_sample == 32_000 + gap.samples
    # What was said came all at once here: as much of each word's two seconds as was there at a look is no part of it.
    assert 0.0 < gap.seconds < took_s
    assert heard.of(Detection)[1].start - gap.time == pytest.approx(1.2, abs=0.05)
    assert system.streams[1].settings["device"] == 1


def test_stream_time_goes_on_by_the_time_away(system: FakeSoundDevice) -> None:
    began = time.monotonic()
    with Heard() as heard:
        system.streams[0].deliver(SILENCE)
        until(lambda: heard.listener.spotter and heard.listener.spotter.position == 800)
        system.plug([])
        system.streams[0].die()
        time.sleep(0.6)
        system.plug([("USB Mic", 1)])
        until(lambda: len(system.streams) == 2 and system.streams[1].active)
        system.streams[1].deliver(SILENCE)
        until(lambda: heard.of(DeviceBack))
    assert 0.3 < heard.of(DeviceBack)[0].time < time.monotonic() - began + 0.1


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (44_100, 2), (48_000, 8)])
def test_another_device_may_come_back_at_another_rate_with_other_channels(
    system: FakeSoundDevice, rate: int, channels: int
) -> None:
    with Heard() as heard:
        say(system.streams[0])
        until(lambda: heard.of(Detection))
        system._own_rate = float(rate)
        system._refuses = {(r, c) for r in (rate, RATE) for c in (1, 2) if c < channels}
        system.plug([("Headset", channels)])
        system.streams[0].die()
        until(lambda: len(system.streams) == 2 and system.streams[1].active)
        say(system.streams[1], recording((1.2, "yes"), seconds=2.5, sample_rate=rate), channels)
        until(lambda: len(heard.of(Detection)) == 2)
    assert (system.streams[1].samplerate, system.streams[1].settings["channels"]) == (rate, channels)
    assert heard.of(DeviceBack)[0].device == "Headset"
    second, gap = heard.of(Detection)[1], heard.of(Gap)[0]
    assert second.start - gap.time == pytest.approx(1.2, abs=0.05)


def test_a_stream_that_pauses_is_said_to_be_lost_and_loses_nothing(system: FakeSoundDevice) -> None:
    with Heard() as heard:
        say(system.streams[0], WORD[:20_000])
        until(lambda: heard.of(DeviceLost))
        say(system.streams[0], WORD[20_000:])
        until(lambda: heard.of(DeviceBack))
        until(lambda: heard.of(Detection))
    assert sorted(heard.kinds()) == ["detection", "device_back", "device_lost"]  # and no gap
    assert heard.of(DeviceBack)[0].reason == "resumed"
    assert "has given no audio" in heard.of(DeviceLost)[0].reason
    assert heard.of(Detection)[0].start == pytest.approx(1.2, abs=0.05)
    assert len(system.streams) == 1


def test_a_stream_that_stays_silent_is_opened_anew_and_lost_is_said_once(system: FakeSoundDevice) -> None:
    with Heard() as heard:
        say(system.streams[0])
        until(lambda: len(system.streams) == 2 and system.streams[1].active)
        assert system.streams[0].calls == ["start", "abort", "close"]
        say(system.streams[1])
        until(lambda: heard.of(DeviceBack))
    assert heard.kinds().count("device_lost") == 1


def test_what_the_old_stream_says_late_is_not_heard_in_the_new_one(system: FakeSoundDevice) -> None:
    with Heard() as heard:
        say(system.streams[0], np.zeros(20_000, np.float32))
        until(lambda: len(system.streams) == 2 and system.streams[1].active)
        say(system.streams[1], np.zeros(20_000, np.float32))
        until(lambda: heard.of(Gap))
        say(system.streams[0])  # a call that had hung
        say(system.streams[1], np.zeros(20_000, np.float32))
        assert heard.listener.spotter is not None
        wanted = 60_000 + heard.of(Gap)[0].samples
        until(lambda: heard.listener.spotter and heard.listener.spotter.position == wanted)
    assert not heard.of(Detection)


def test_a_machine_that_slept_opens_its_microphone_anew_and_the_night_is_a_gap(
    system: FakeSoundDevice, nap: Callable[[float], None]
) -> None:
    with Heard() as heard:
        say(system.streams[0])
        until(lambda: heard.of(Detection))
        nap(28_800.0)
        say(system.streams[0], SILENCE[:, 0])  # the device goes on as if no time had passed
        until(lambda: len(system.streams) == 2 and system.streams[1].active)
        say(system.streams[1])
        until(lambda: len(heard.of(Detection)) == 2)
        age = datetime.now(timezone.utc) - heard.listener.time_of_day(heard.of(Detection)[1].time)
    assert heard.kinds() == ["detection", "device_lost", "device_back", "gap", "detection"]
    assert heard.of(DeviceLost)[0].reason == "the machine slept for 28800 s"
    assert heard.of(Gap)[0].seconds == pytest.approx(28_800.0, abs=5.0)
    assert abs(age.total_seconds()) < 60.0  # and not at night
    assert system.streams[0].calls[-1] == "close"


def test_after_a_loss_it_may_be_stopped_and_started_again(system: FakeSoundDevice) -> None:
    heard = Heard()
    for turn in (1, 2):
        with heard:
            until(lambda: system.streams[-1].active)
            say(system.streams[-1])
            until(lambda turn=turn: len(heard.of(Detection)) == turn)  # type: ignore[misc]
            system.streams[-1].die()
    assert heard.kinds().count("detection") == 2
