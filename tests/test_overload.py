"""A machine that is too slow for its model: windows are left out and counted, no sample is lost, and it recovers."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.events import Detection, Event, Gap, Skipped
from spotter.listener import Listener
from spotter.model import Model
from spotter.overload import Overload
from spotter.pipeline import Spotter
from spotter.sources import LeftOut
from tests.fakes import Pushed, ScriptedModel, ToneScorer, recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from spotter.arrays import Floats

TINY = Path(__file__).parent / "data" / "models" / "tiny"
NOISE = np.random.default_rng(4).standard_normal(16_000 * 8).astype(np.float32) * 0.3


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.005)


class Slow(ScriptedModel):
    """Takes its time for a window while `slow` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = threading.Event()

    def scorer(self, hop_samples: int) -> ToneScorer:
        model = self

        class Scorer(ToneScorer):
            def score(self, frames: Floats, new: int) -> Floats:
                if model.slow.is_set():
                    time.sleep(0.2)
                return super().score(frames, new)

        return Scorer(self.frontend)


class Ticking:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_who_is_late_for_long_leaves_out_until_little_waits() -> None:
    clock = Ticking()
    late = Overload(clock)
    assert not late(1.4)
    assert not late(3.0)
    clock.now = 1.9
    assert not late(3.0)
    clock.now = 2.1
    assert [late(waiting) for waiting in (3.0, 1.0, 0.4)] == [True] * 3
    assert not late(0.2)
    assert not late(1.6)  # patience begins anew


def test_a_burst_that_is_worked_off_quickly_is_all_judged() -> None:
    clock = Ticking()
    late = Overload(clock)
    for step in range(80):  # eight seconds of audio in a second
        clock.now = step / 80
        assert not late(8.0 - step / 10)


def fed(model: Model | ScriptedModel, left_out: Callable[[int], bool]) -> tuple[Spotter, list[Event], dict[int, bytes]]:
    """Feed noise in hops; windows are left out by their number. Return the scores of the others by their end."""
    scores: dict[int, bytes] = {}
    number = iter(range(10_000))
    spotter = Spotter(model, tap=lambda window, s: scores.update({window.end_sample: s.tobytes()}))
    spotter.judge.too_late = lambda _waiting: left_out(next(number))
    events: list[Event] = []
    for at in range(0, len(NOISE), 1_600):
        spotter.write(NOISE[at : at + 1_600])
        events += spotter.events()
    return spotter, [*events, *spotter.finish()], scores


def test_windows_after_those_left_out_are_scored_as_if_none_had_been() -> None:
    model = Model.open(TINY)
    _, _, whole = fed(model, lambda _: False)
    spotter, events, parts = fed(model, lambda n: 10 <= n < 25 or 40 <= n < 41)
    skipped = [event for event in events if isinstance(event, Skipped)]
    assert [(event.windows, event.samples) for event in skipped] == [(15, 24_000), (1, 1_600)]
    assert (spotter.skipped_windows, spotter.skipped_samples) == (16, 25_600)
    assert spotter.windows + spotter.skipped_windows == len(whole)
    assert not [event for event in events if isinstance(event, Gap)]
    assert spotter.lost_samples == 0
    assert spotter.position == len(NOISE)
    ends = sorted(whole)
    assert [event.time_sample for event in skipped] == [ends[24], ends[40]]
    assert sorted(parts) == [*ends[:10], *ends[25:40], *ends[41:]]
    for end, scores in parts.items():
        a, b = (np.frombuffer(s, np.float32) for s in (scores, whole[end]))
        np.testing.assert_allclose(a, b, atol=1e-4)


@settings(max_examples=20)
@given(st.sets(st.integers(0, 75)))
def test_every_window_is_either_judged_or_reported_as_left_out(left_out: set[int]) -> None:
    spotter, events, scores = fed(ScriptedModel(), lambda n: n in left_out)
    skipped = [event for event in events if isinstance(event, Skipped)]
    number = (len(NOISE) - ScriptedModel.context) // 1_600 + 1
    assert sum(event.windows for event in skipped) == len([n for n in left_out if n < number])
    assert len(scores) + spotter.skipped_windows == number
    runs = [n for n in left_out if n < number and n + 1 not in {m for m in left_out if m < number}]
    assert [event.time_sample for event in skipped] == [ScriptedModel.context + n * 1_600 for n in sorted(runs)]


@settings(max_examples=20)
@given(st.sets(st.integers(0, 75)), st.sampled_from([1_000, 16_000, len(NOISE)]))
def test_left_out_by_their_places_whatever_the_blocks_it_is_the_same_again(left_out: set[int], block: int) -> None:
    _, events, _ = fed(ScriptedModel(), lambda n: n in left_out)
    spotter = Spotter(ScriptedModel())
    spotter.judge.left_out = [
        LeftOut(event.time_sample - event.samples, event.time_sample) for event in events if isinstance(event, Skipped)
    ]
    again: list[Event] = []
    for at in range(0, len(NOISE), block):
        spotter.write(NOISE[at : at + block])
        again += spotter.events()
    assert [*again, *spotter.finish()] == events


def test_a_gap_while_windows_are_left_out_is_reported_after_them() -> None:
    spotter = Spotter(ScriptedModel())
    spotter.judge.too_late = lambda _waiting: True
    spotter.write(NOISE[:48_000])
    events = [*spotter.events()]
    spotter.ring.lose(1_000)
    spotter.write(NOISE[:16_000])
    events += spotter.events()
    assert [type(event) for event in events] == [Skipped, Gap]
    assert [type(event) for event in spotter.finish()] == [Skipped]


def test_it_is_told_how_much_waits_after_the_windows() -> None:
    told: list[float] = []
    spotter = Spotter(ScriptedModel(), sample_rate=48_000, ring_seconds=10.0)

    def in_time(waiting: float) -> bool:
        told.append(waiting)
        return False

    spotter.judge.too_late = in_time
    spotter.write(np.zeros(48_000 * 9, np.float32))
    list(spotter.events())
    assert told[0] == pytest.approx(9.0 - 0.995, abs=0.02)
    assert told[-1] < 0.2
    assert told == sorted(told, reverse=True)


def test_a_model_that_is_too_slow_is_given_fewer_windows_loses_no_audio_and_recovers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("spotter.overload._LATE_S", 0.4)
    monkeypatch.setattr("spotter.overload._PATIENCE_S", 0.2)
    model, source = Slow(), Pushed()
    listener = Listener(model, source=source)
    skipped: list[Skipped] = []
    heard: list[Detection] = []
    listener.on_skipped(skipped.append)
    listener.on_any(heard.append)
    model.slow.set()
    with listener:
        pushed = 0
        deadline = time.monotonic() + 60.0
        while not skipped:  # in real time, which is twice too fast for such a model
            source.push(np.zeros(800, np.float32))
            pushed += 800
            time.sleep(0.05)
            assert time.monotonic() < deadline
        model.slow.clear()
        until(lambda: listener.spotter and listener.spotter.position == pushed)
        source.push(recording((1.2, "yes"), seconds=2.0))
        until(lambda: heard)
        spotter = listener.spotter
    assert spotter is not None
    assert (spotter.lost_samples, spotter.overflows) == (0, 0)
    assert sum(event.windows for event in skipped) == spotter.skipped_windows > 3
    assert len(skipped) <= spotter.skipped_windows / 2  # told together, not each
    assert heard[0].start == pytest.approx(pushed / 16_000 + 1.2, abs=0.05)


def test_a_consumer_that_stands_still_hears_all_and_it_shows() -> None:
    model, source = Slow(), Pushed()
    listener = Listener(model, source=source)
    heard: list[Detection] = []
    listener.on_any(heard.append)
    go, standing = threading.Event(), threading.Event()

    def stand(_: object) -> None:
        standing.set()
        go.wait(60.0)

    listener.explain = stand
    with listener:
        source.push(np.zeros(16_000, np.float32))
        assert standing.wait(60.0)
        source.push(recording((1.0, "yes"), (3.0, "no"), seconds=5.0))
        time.sleep(1.0)
        go.set()
        until(lambda: len(heard) == 2)
    assert listener.most_behind_s > 0.9
    assert listener.spotter is not None
    assert listener.spotter.skipped_windows == listener.spotter.lost_samples == 0
    assert [d.start for d in heard] == [pytest.approx(2.0, abs=0.05), pytest.approx(4.0, abs=0.05)]
