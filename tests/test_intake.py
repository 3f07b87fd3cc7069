"""The callback of a microphone: it only copies, and knows what was lost between two calls."""

from __future__ import annotations

from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.errors import MicrophoneError
from spotter.ring import Lost, Ring
from spotter.sources.device_clock import DeviceClock
from tests.microphones import drained, frames, started

if TYPE_CHECKING:
    from tests.fakes import FakeStream


def test_the_callback_copies_since_the_driver_takes_its_buffer_back(monkeypatch: pytest.MonkeyPatch) -> None:
    microphone, stream, ring, _ = started(monkeypatch)
    for turn in range(3):
        stream.deliver(frames(turn * 320, 320))
    assert drained(ring) == list(range(960))
    assert (microphone.callbacks, microphone.overflow_flags) == (3, 0)


def test_the_doorbell_rings_once_however_late_the_reader_is(monkeypatch: pytest.MonkeyPatch) -> None:
    _, stream, _, bell = started(monkeypatch)
    for turn in range(40):
        stream.deliver(frames(turn, 1))
    assert bell.qsize() == 1


@pytest.mark.parametrize(("lost_s", "lost_frames"), [(0.5, 8_000), (0.0, 1)])
def test_an_overflow_flag_becomes_a_loss_at_its_place(
    monkeypatch: pytest.MonkeyPatch, lost_s: float, lost_frames: int
) -> None:
    microphone, stream, ring, _ = started(monkeypatch)
    stream.deliver(frames(0, 320))
    stream.deliver(frames(320, 320), lost_s=lost_s, overflow=True)
    assert drained(ring) == [*range(320), Lost(lost_frames, "driver"), *range(320, 640)]
    assert microphone.overflow_flags == 1


def losses(stream: FakeStream, ring: Ring, late_s: list[float], lost_s: dict[int, float]) -> list[Lost]:
    """Deliver blocks, late by so much and after such losses that nobody flags; what the ring says is lost."""
    for turn, late in enumerate(late_s):
        stream.deliver(frames(turn * 800, 800), lost_s=lost_s.get(turn, 0.0), overflow=False, late_s=late)
    return [piece for piece in drained(ring) if isinstance(piece, Lost)]


def test_a_loss_that_nobody_flags_is_found_by_the_devices_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    microphone, stream, ring, _ = started(monkeypatch)
    assert losses(stream, ring, [0.0, 0.04, 0.0, 0.0], {3: 0.5}) == [Lost(8_000, "driver")]
    assert microphone.overflow_flags == 1


def test_audio_that_comes_in_a_burst_with_a_hole_in_it_lost_something(monkeypatch: pytest.MonkeyPatch) -> None:
    _, stream, ring, _ = started(monkeypatch)
    # Four blocks at once after a stall, and two seconds are missing between them: no lateness explains that.
    assert losses(stream, ring, [0.0, 3.0, 2.95, 2.9 - 2.0], {3: 2.0}) == [Lost(32_000, "driver")]


@pytest.mark.parametrize("late_s", [[0.0, 0.3, 0.25, 0.2, 0.0], [0.01, 0.0, 0.02, 5.0, 4.95, 4.9, 0.0], [0.2] * 9])
def test_calls_that_are_late_or_come_in_bursts_lose_nothing(
    monkeypatch: pytest.MonkeyPatch, late_s: list[float]
) -> None:
    _, stream, ring, _ = started(monkeypatch)
    assert losses(stream, ring, late_s, {}) == []


def test_a_clock_that_only_follows_the_calls_makes_no_loss_of_a_late_one(monkeypatch: pytest.MonkeyPatch) -> None:
    _, stream, ring, _ = started(monkeypatch)
    # As some systems have it: what is recorded is said to be recorded just before the call.
    for turn, came in enumerate([0.0, 0.05, 0.10, 0.65, 0.65, 0.65, 0.70]):
        stream._time = 100.0 + came
        stream.deliver(frames(turn * 800, 800))
    assert not [piece for piece in drained(ring) if isinstance(piece, Lost)]


@settings(max_examples=50)
@given(st.lists(st.floats(0.0, 0.08), min_size=5, max_size=40), st.lists(st.integers(1, 4_000), min_size=1, max_size=6))
def test_jitter_of_the_calls_and_blocks_of_any_size_lose_nothing(late_s: list[float], sizes: list[int]) -> None:
    clock, began = DeviceClock(), 1_000.0
    for turn, late in enumerate(late_s):
        length = sizes[turn % len(sizes)] / 48_000
        assert clock.missing_s(began, began + length + late, length, flagged=False) == 0.0
        began += length


@pytest.mark.parametrize("clock", [0.0, float("nan"), float("inf"), -5.0, 1e12])
def test_a_clock_that_makes_no_sense_does_no_harm(monkeypatch: pytest.MonkeyPatch, clock: float) -> None:
    microphone, stream, ring, _ = started(monkeypatch)
    stream.deliver(frames(0, 10))
    stream._time = clock
    stream.deliver(frames(10, 10), overflow=True)
    stream._time = 200.0
    stream.deliver(frames(20, 10), overflow=True)
    out = drained(ring)
    losses = [piece.frames for piece in out if isinstance(piece, Lost)]
    assert [piece for piece in out if not isinstance(piece, Lost)] == list(range(30))
    assert len(losses) == 2
    assert all(1 <= lost <= 60 * 16_000 for lost in losses)
    microphone.check()


@pytest.mark.parametrize("clock", [0.0, float("nan"), float("inf"), -5.0, 1e12])
def test_a_clock_that_makes_no_sense_makes_no_loss_that_nobody_flags(
    monkeypatch: pytest.MonkeyPatch, clock: float
) -> None:
    _, stream, ring, _ = started(monkeypatch)
    for turn, now in enumerate([100.0, clock, clock, 100.15]):
        stream._time = now
        stream.deliver(frames(10 * turn, 10))
    assert drained(ring) == list(range(40))


def test_no_exception_leaves_the_callback_and_the_reader_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    microphone, stream, _, _ = started(monkeypatch)

    class Broken:
        def write(self, block: object) -> int:
            raise MemoryError("no more")

        def write_raw(self, data: object, count: int) -> int:
            raise MemoryError("no more")

        def lose(self, count: int, reason: str = "driver") -> None:
            raise MemoryError("no more")

    microphone.start(Broken(), SimpleQueue())
    microphone.check()
    stream.deliver(frames(0, 10))
    with pytest.raises(MicrophoneError, match="MemoryError: no more"):
        microphone.check()
