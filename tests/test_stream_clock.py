"""When a moment of the stream was: late audio is old, and a clock that is a little off is followed."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest

from spotter.clock import StreamClock
from spotter.events import Detection
from spotter.sources import microphone as module
from tests.fakes import FakeSoundDevice, recording
from tests.lost_devices import SILENCE, Heard, say, until


def test_words_that_come_in_a_burst_after_a_stall_keep_the_time_at_which_they_were_said(
    system: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GIVE_UP_S", 5.0)
    with Heard() as heard:
        began, began_at = time.monotonic(), datetime.now(timezone.utc)
        for number in range(1, 26):  # in real time, so that it is known when the stream began
            time.sleep(max(0.0, began + number * 0.05 - time.monotonic()))
            system.streams[0].deliver(SILENCE)
        said_at = began_at + timedelta(seconds=25 * 0.05)
        time.sleep(1.0)
        say(system.streams[0], recording((0.2, "yes"), seconds=1.0))
        until(lambda: heard.of(Detection) and heard.listener.most_behind_s > 0.5)
        late = datetime.now(timezone.utc)
        when = heard.listener.time_of_day(heard.of(Detection)[0].start)
        assert heard.listener.most_behind_s < (late - said_at).total_seconds() + 0.1
    assert (when - said_at).total_seconds() == pytest.approx(0.2, abs=0.2)
    assert (late - when).total_seconds() > 0.6


def test_a_device_whose_clock_is_a_little_off_is_followed_and_bursts_are_not() -> None:
    clock = StreamClock()
    for second in range(3_600):
        late = 5.0 if second % 30 == 7 else 0.0
        position = round(second * 16_000 * 1.0001)  # a clock that is 0.01% too fast
        clock.note(position, 50_000.0 + second + late)
        assert clock.begin_s == pytest.approx(50_000.0 + second - position / 16_000, abs=0.02)


def test_time_before_anything_came_is_now() -> None:
    assert StreamClock().age_s(16_000, 1e6) == 0.0
