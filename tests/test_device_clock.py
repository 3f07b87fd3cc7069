"""The device's clock against ours: what is lost without a word, and what only looks like it."""

from __future__ import annotations

import pytest

from spotter.sources.device_clock import DeviceClock

BLOCK_S = 0.05


class World:
    """Real time, a time of day that may be set, and a device that takes the time of day for its clock."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.day_began_s = 1.7e9
        self.recorded_s = self.now_s  # what the device gives next
        self.clock = DeviceClock(lambda: self.now_s, lambda: self.now_s + self.day_began_s)

    def block(self, late_s: float = 0.0, *, flagged: bool = False) -> float:
        """Let the next block come, so late; return what is said to be missing before it."""
        began, self.recorded_s = self.recorded_s, self.recorded_s + BLOCK_S
        self.now_s = max(self.now_s, self.recorded_s + 0.01 + late_s)
        day = self.day_began_s
        return self.clock.missing_s(began + day, self.now_s + day, BLOCK_S, flagged=flagged)

    def settle(self) -> None:
        """Let the clock prove itself: calls come late and early, and it stays with the audio."""
        assert [self.block(late) for late in (0.0, 0.04, 0.0, 0.0)] == [0.0] * 4


@pytest.mark.parametrize("step_s", [30.0, 0.5, -30.0, 7_200.0])
@pytest.mark.parametrize("flagged", [False, True])
def test_when_the_time_of_day_is_set_nothing_is_missing(step_s: float, *, flagged: bool) -> None:
    world = World()
    world.settle()
    world.day_began_s += step_s
    assert world.block(flagged=flagged) == 0.0
    assert world.block() == 0.0
    world.recorded_s += 0.5
    assert world.block() == pytest.approx(0.5, abs=1e-3)  # and what is missing later is found


@pytest.mark.parametrize("lost_s", [3.0, 59.0, 61.5, 36_000.0])
def test_who_stood_still_for_long_misses_all_that_was_lost_meanwhile(lost_s: float) -> None:
    world = World()
    world.settle()
    world.now_s += lost_s
    kept = [world.block() for _ in range(20)]  # what a sound server had kept comes at once
    world.recorded_s += lost_s - 1.0
    assert kept == [0.0] * 20
    assert world.block() == pytest.approx(lost_s - 1.0, abs=1e-3)
    assert world.block() == 0.0


@pytest.mark.parametrize("flagged", [False, True])
def test_a_clock_that_goes_its_own_way_is_believed_for_a_minute_at_most(*, flagged: bool) -> None:
    world = World()
    world.settle()
    day = world.day_began_s + 3_600.0  # the device's alone
    began, world.now_s = world.recorded_s + day, world.now_s + BLOCK_S
    assert world.clock.missing_s(began, world.now_s + day, BLOCK_S, flagged=flagged) == (60.0 if flagged else 0.0)


@pytest.mark.parametrize("jumps_s", [0.0, 10.0, 39.0])
def test_a_server_whose_queue_ran_over_lost_something_once_whatever_its_clock_makes_of_it(jumps_s: float) -> None:
    """As PulseAudio does it: its clock jumps at once, more or less, and makes up for the rest in the next minute."""
    world = World()
    world.settle()
    for _ in range(100):
        assert world.block() == 0.0
    world.now_s += 60.0
    lost_s = world.now_s - world.recorded_s - 400 * BLOCK_S
    world.recorded_s += jumps_s
    assert [world.block() for _ in range(400)] == [0.0] * 400  # the 20 s that the queue held
    said = []
    for _ in range(1_000):
        world.now_s += BLOCK_S
        day = world.day_began_s
        said.append(world.clock.missing_s(world.recorded_s + day, world.now_s + day, BLOCK_S, flagged=False))
        world.recorded_s = min(world.recorded_s + 2 * BLOCK_S, world.now_s - 0.01)
    assert sum(said) == pytest.approx(lost_s, abs=0.1)
    assert max(said) == sum(said)
    assert said.index(max(said)) < 45


def test_after_a_time_that_is_no_number_losses_are_found_again() -> None:
    world = World()
    world.settle()
    world.clock.missing_s(float("nan"), world.now_s + world.day_began_s, BLOCK_S, flagged=False)
    world.settle()
    world.recorded_s += 0.5
    assert world.block() == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("off", [1e-3, -1e-3])
def test_a_device_whose_clock_is_off_by_a_thousandth_loses_nothing_in_an_hour(off: float) -> None:
    world = World()
    world.settle()
    for turn in range(72_000):
        world.recorded_s += BLOCK_S * off
        assert world.block(0.04 * (turn % 3)) == 0.0


def test_a_server_that_begins_to_keep_audio_for_longer_lost_nothing() -> None:
    world = World()
    world.settle()
    for late_s in [*[0.0] * 100, *[2.0] * 300, *[0.0] * 100]:
        assert world.block(late_s) == 0.0
