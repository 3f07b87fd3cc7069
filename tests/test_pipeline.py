"""The rules of the whole path: time is a count, blocks do not matter, a gap is never bridged."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.events import Detection, Event, Gap
from spotter.frontend import Frontend
from spotter.model import Model
from spotter.pipeline import Spotter, hop_for
from spotter.recorded import spot
from spotter.windows import Window, Windows, dbfs, powers
from tests.fakes import ScriptedModel, recording

TINY = Path(__file__).parent / "data" / "models" / "tiny"
AUDIO = recording((1.5, "yes"), (3.0, "no"), (5.0, "yes"), seconds=7.0)


def feed(spotter: Spotter, samples: Floats, sizes: list[int]) -> list[Event]:
    """Write blocks of these sizes in turn; return all events."""
    out: list[Event] = []
    at = number = 0
    while at < len(samples):
        size = sizes[number % len(sizes)]
        spotter.write(samples[at : at + size])
        out += spotter.events()
        at, number = at + size, number + 1
    return [*out, *spotter.finish()]


def heard(events: list[Event]) -> list[str]:
    return [e.keyword for e in events if isinstance(e, Detection)]


def test_words_are_heard_once_each_at_their_time() -> None:
    events = feed(Spotter(ScriptedModel()), AUDIO, [1_600])
    assert heard(events) == ["yes", "no", "yes"]
    for event, start in zip(events, (1.5, 3.0, 5.0), strict=True):
        assert isinstance(event, Detection)
        assert start < event.time < start + 0.8
        assert abs(event.start - start) < 0.05
        assert event.end <= event.time


@settings(max_examples=25)
@given(
    st.lists(st.integers(1, 9_000), min_size=1, max_size=12), st.sampled_from([20.0, 60.0, 100.0, 200.0]), st.booleans()
)
def test_block_sizes_never_change_what_is_heard(sizes: list[int], hop_ms: float, padded: bool) -> None:
    model = ScriptedModel()
    whole = feed(Spotter(model, hop_ms=hop_ms, padded=padded), AUDIO, [len(AUDIO)])
    parts = feed(Spotter(model, hop_ms=hop_ms, padded=padded), AUDIO, sizes)
    assert parts == whole


@settings(max_examples=10)
@given(st.lists(st.integers(50, 20_000), min_size=1, max_size=6), st.sampled_from([8_000, 44_100, 48_000]))
def test_block_sizes_never_change_a_bit_of_the_scores_at_any_rate(sizes: list[int], rate: int) -> None:
    model = Model.open(TINY)
    stereo = np.random.default_rng(3).standard_normal((rate * 4, 2)).astype(np.float32) * 0.2

    def scores(sizes: list[int]) -> list[tuple[int, bytes]]:
        seen: list[tuple[int, bytes]] = []
        spotter = Spotter(
            model,
            sample_rate=rate,
            channels=2,
            tap=lambda window, scores: seen.append((window.end_sample, scores.tobytes())),
        )
        feed(spotter, stereo, sizes)
        return seen

    assert scores(sizes) == scores([len(stereo)])


def test_after_reset_a_spotter_is_as_new() -> None:
    model = Model.open(TINY)
    noise = np.random.default_rng(5).standard_normal(60_000).astype(np.float32) * 0.3
    used, new = Spotter(model), Spotter(model)
    feed(used, noise[::-1].copy(), [5_000])
    used.reset()
    assert feed(used, noise, [1_234]) == feed(new, noise, [1_234])
    assert used.windows == new.windows
    assert np.array_equal(used.scores, new.scores)


def test_a_gap_is_reported_and_moves_stream_time() -> None:
    spotter = Spotter(ScriptedModel())
    spotter.write(AUDIO[:40_000])
    events = [*spotter.events()]
    spotter.ring.lose(8_000, "driver")
    spotter.write(AUDIO[48_000:])
    events += [*spotter.events(), *spotter.finish()]
    gap = next(e for e in events if isinstance(e, Gap))
    assert (gap.time_sample, gap.samples, gap.reason) == (48_000, 8_000, "driver")
    assert spotter.lost_samples == 8_000
    assert spotter.position == len(AUDIO)
    (last,) = [e for e in events if isinstance(e, Detection) and e.time > 4.5]
    assert 5.0 < last.time < 5.8


def test_no_window_mixes_both_sides_of_a_gap() -> None:
    ends: list[int] = []
    spotter = Spotter(ScriptedModel(), tap=lambda window, _scores: ends.append(window.end_sample))
    spotter.write(AUDIO[:40_000])
    list(spotter.events())
    spotter.ring.lose(16_000)
    spotter.write(AUDIO[56_000:])
    list(spotter.events())
    context = ScriptedModel.context
    assert all(end <= 40_000 or end - context >= 56_000 for end in ends)
    assert min(end for end in ends if end > 40_000) == 56_000 + context


def test_what_follows_a_gap_is_heard_as_if_the_stream_began_there() -> None:
    model = Model.open(TINY)
    noise = np.random.default_rng(9).standard_normal(50_000).astype(np.float32) * 0.3
    spotter, fresh = Spotter(model), Spotter(model)
    spotter.write(noise[::-1].copy())
    list(spotter.events())
    spotter.ring.lose(1_000)
    spotter.write(noise)
    list(spotter.events())
    fresh.write(noise)
    list(fresh.events())
    assert np.array_equal(spotter.scores, fresh.scores)


def test_an_overflowing_ring_becomes_a_gap_of_just_what_was_lost() -> None:
    spotter = Spotter(ScriptedModel(), ring_seconds=1.0)
    spotter.write(AUDIO[:24_000])  # 16,000 fit
    events = [*spotter.events()]
    spotter.write(AUDIO[24_000:40_000])
    events += [*spotter.events(), *spotter.finish()]
    assert [(e.time_sample, e.samples, e.reason) for e in events if isinstance(e, Gap)] == [(24_000, 8_000, "overflow")]


def test_samples_that_are_no_numbers_become_a_gap_and_the_rest_is_heard() -> None:
    spoiled = AUDIO.copy()
    spoiled[40_000:40_100] = np.nan
    spoiled[40_050] = np.inf
    events = feed(Spotter(ScriptedModel()), spoiled, [3_000])
    assert [(e.time_sample, e.samples, e.reason) for e in events if isinstance(e, Gap)] == [(40_100, 100, "invalid")]
    assert heard(events)[0] == "yes"
    assert heard(events)[-1] == "yes"


def test_a_padded_recording_is_heard_to_its_very_edges() -> None:
    edge = np.concatenate((recording((0.0, "yes"), seconds=0.5), recording((0.5, "no"), seconds=1.0)))
    assert heard(feed(Spotter(ScriptedModel(), padded=True), edge, [1_000])) == ["yes", "no"]


def test_a_live_stream_gives_its_first_score_when_the_context_is_filled() -> None:
    ends: list[int] = []
    spotter = Spotter(ScriptedModel(), tap=lambda window, _scores: ends.append(window.end_sample))
    feed(spotter, AUDIO, [999])
    assert ends[0] == ScriptedModel.context
    assert set(np.diff(ends)) == {1_600}


def test_the_listener_scores_a_window_as_predict_does() -> None:
    model = Model.open(TINY)
    noise = np.random.default_rng(1).standard_normal(48_000).astype(np.float32) * 0.3
    checked = []

    def check(window: Window, scores: Floats) -> None:
        wanted = model.predict(noise[window.end_sample - model.context : window.end_sample])
        checked.append(float(np.abs(wanted - scores).max()))

    feed(Spotter(model, tap=check), noise, [4_000])
    assert len(checked) > 10
    assert max(checked) < 1e-4


@pytest.mark.parametrize("hop_ms", [0, -20, 30, 33.3, 1_020, float("nan"), float("inf")])
def test_a_hop_that_is_not_possible_is_refused_with_those_that_are(hop_ms: float) -> None:
    with pytest.raises(BadInputError, match="20, 40, 60"):
        hop_for(ScriptedModel(), hop_ms)


def test_the_hop_left_out_is_the_valid_one_nearest_to_100_ms() -> None:
    model = ScriptedModel()
    assert hop_for(model, None) == 1_600
    model.step = 1_280
    assert hop_for(model, None) == 1_280


def test_windows_keep_their_frames_whatever_lies_before_them() -> None:
    config = ScriptedModel().frontend
    windows = Windows(config, 15_920, 1_600)
    noise = np.random.default_rng(2).standard_normal(200_000).astype(np.float32)
    for window in windows.push(noise):
        end = window.end_sample
        begin = end - 15_920
        fresh = next(iter(Windows(config, 15_920, 1_600).push(noise[begin : window.end_sample])))
        assert np.array_equal(window.frames, fresh.frames)
        assert window.level_dbfs == pytest.approx(
            dbfs(powers(noise[None, window.end_sample - 1_600 : window.end_sample])[0])
        )


@pytest.mark.parametrize("hop", [320, 1_600, 3_200])
def test_the_floor_is_that_of_the_quietest_moment_of_a_second_and_a_half_whatever_the_hop(hop: int) -> None:
    def windows() -> Windows:
        return Windows(ScriptedModel().frontend, 15_920, hop)

    noise = np.random.default_rng(3).standard_normal(64_000).astype(np.float32) * np.float32(0.01)
    noise[16_000:24_000] *= np.float32(0.1)
    seen = list(windows().push(noise))
    for window in seen:
        if 24_000 <= window.end_sample <= 40_000:
            assert window.floor_dbfs == pytest.approx(-60.0, abs=0.7)
        elif window.end_sample <= 16_000 or window.end_sample >= 24_000 + 24_000 + 1_600 + hop:
            assert window.floor_dbfs == pytest.approx(-40.0, abs=0.7)
    in_blocks = windows()
    floors = [w.floor_dbfs for at in range(0, 64_000, 777) for w in in_blocks.push(noise[at : at + 777])]
    assert floors == [w.floor_dbfs for w in seen]


def test_a_hop_may_be_longer_than_what_a_window_sees() -> None:
    config = ScriptedModel().frontend
    noise = np.random.default_rng(4).standard_normal(70_000).astype(np.float32)
    seen = list(Windows(config, 8_080, 16_000).push(noise))
    assert [w.end_sample for w in seen] == [8_080, 24_080, 40_080, 56_080]
    for window in seen:
        assert window.new == len(window.frames) == 49
        assert np.array_equal(window.frames, Frontend(config)(noise[window.end_sample - 8_080 : window.end_sample]))


def test_windows_that_wait_come_together_and_are_the_same() -> None:
    noise = np.random.default_rng(6).standard_normal(90_000).astype(np.float32)

    def cut(block: int) -> tuple[list[int], list[tuple[int, bytes, int, float, float]]]:
        windows, counts, facts = Windows(ScriptedModel().frontend, 15_920, 320), [], []
        for at in range(0, len(noise), block):
            for stretch in windows.stretches(noise[at : at + block]):
                counts.append(len(stretch))
                all_of_it = map(stretch.window, range(len(stretch)))
                facts += [(w.end_sample, w.frames.tobytes(), w.new, w.level_dbfs, w.loudest_dbfs) for w in all_of_it]
        return counts, facts

    counts, facts = cut(len(noise))
    assert (counts[0], max(counts)) == (1, 50)  # the first alone, later those of a second
    alone, same = cut(320)
    assert set(alone) == {1}
    assert facts == same


def test_spot_finds_the_words_in_audio_at_hand_of_any_rate_type_and_channels() -> None:
    wanted = [d.keyword for d in spot(AUDIO, 16_000, ScriptedModel())]
    assert wanted == ["yes", "no", "yes"]
    pcm = (AUDIO * 32_767).astype(np.int16)
    assert [d.keyword for d in spot(pcm, 16_000, ScriptedModel())] == wanted
    assert [d.keyword for d in spot(np.stack([AUDIO, AUDIO], axis=1), 16_000, ScriptedModel())] == wanted
    high = recording((1.5, "yes"), (3.0, "no"), (5.0, "yes"), seconds=7.0, sample_rate=48_000)
    assert [d.keyword for d in spot(high, 48_000, ScriptedModel())] == wanted


@pytest.mark.parametrize(
    "wrong", [np.full(100, np.nan, np.float32), np.zeros((2, 2, 2), np.float32), np.zeros(10, np.int64)]
)
def test_spot_refuses_what_is_no_audio(wrong: Floats) -> None:
    with pytest.raises(BadInputError):
        spot(wrong, 16_000, ScriptedModel())


def test_one_threshold_or_one_for_a_word_changes_what_spot_finds() -> None:
    model = ScriptedModel()
    assert spot(AUDIO, 16_000, model, threshold=0.99) == []
    assert [d.keyword for d in spot(AUDIO, 16_000, model, threshold={"yes": 0.99})] == ["no"]
    with pytest.raises(BadInputError, match="maybe"):
        spot(AUDIO, 16_000, model, threshold={"maybe": 0.5})


def test_a_word_before_dead_silence_passes_the_gate() -> None:
    silent = AUDIO.copy()
    silent[round(2.0 * 16_000) : round(3.0 * 16_000)] = 0.0
    config = dataclasses.replace(ScriptedModel().decoder, gate_dbfs=-60.0, smooth_ms=200.0)
    assert heard(feed(Spotter(ScriptedModel(), decoder=config), silent, [1_600])) == ["yes", "no", "yes"]


def test_a_loop_over_events_that_is_left_early_loses_nothing() -> None:
    whole = feed(Spotter(ScriptedModel()), AUDIO, [len(AUDIO)])
    spotter = Spotter(ScriptedModel())
    spotter.write(AUDIO)
    first = next(iter(spotter.events()))
    assert [first, *spotter.events(), *spotter.finish()] == whole


def test_an_event_comes_right_after_its_window_was_shown_however_much_audio_waits() -> None:
    story: list[int] = []
    spotter = Spotter(ScriptedModel(), hop_ms=20.0, tap=lambda window, _scores: story.append(window.end_sample))
    spotter.write(AUDIO)
    for event in spotter.events():
        assert isinstance(event, Detection)
        assert event.time_sample == story[-1]
        assert spotter.windows == len(story)
        assert spotter.scores.max() == np.float32(0.97)


@pytest.mark.parametrize("length", [15_920, 16_000, 16_239, 16_240, 17_000])
@pytest.mark.parametrize("hop_ms", [20.0, 100.0])
def test_a_stream_that_ends_within_its_first_block_gives_every_window(length: int, hop_ms: float) -> None:
    def windows(block: int) -> int:
        spotter = Spotter(ScriptedModel(), hop_ms=hop_ms)
        feed(spotter, AUDIO[:length], [block])
        return spotter.windows

    hop = round(hop_ms * 16)
    assert windows(length) == windows(160) == (length - ScriptedModel.context) // hop + 1


def test_a_padded_recording_with_spoilt_edges_keeps_its_first_and_last_word() -> None:
    edge = np.concatenate((recording((0.0, "yes"), seconds=0.5), recording((0.5, "no"), seconds=1.0)))
    edge[0] = edge[-1] = np.nan
    events = feed(Spotter(ScriptedModel(), padded=True), edge, [1_000])
    assert heard(events) == ["yes", "no"]
    assert [e.time_sample for e in events if isinstance(e, Gap)] == [1, len(edge)]


def test_one_spoilt_frame_at_a_high_rate_is_still_a_gap() -> None:
    for at in range(20_000, 20_006):
        high = recording((0.5, "yes"), seconds=2.0, sample_rate=48_000)
        high[at] = np.inf
        gaps = [e for e in feed(Spotter(ScriptedModel(), sample_rate=48_000), high, [4_000]) if isinstance(e, Gap)]
        assert [g.samples for g in gaps] == [1]


def test_samples_too_large_to_square_are_a_gap_and_fire_nothing() -> None:
    loud = AUDIO.copy()
    loud[20_000] = 1e25
    events = feed(Spotter(ScriptedModel()), loud, [3_000])
    assert [e.reason for e in events if isinstance(e, Gap)] == ["invalid"]
