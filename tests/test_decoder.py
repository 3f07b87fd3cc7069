"""The decoder's rules, one by one: a script of scores in, events out."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.decoder import RULES, Decoder
from spotter.errors import BadInputError
from spotter.explain import Moment
from spotter.pipeline import Spotter
from spotter.settings import DecoderConfig
from tests.fakes import ScriptedModel, recording

LABELS = ("_silence_", "_unknown_", "yes", "no")
PLAIN = DecoderConfig(threshold=0.7, smooth_ms=0.0, margin=0.1, rearm=0.5, refractory_ms=300.0)
HOP = 320  # 20 ms
HOPS_MS = (20, 40, 60, 80, 100, 120, 140, 160, 180, 200)  # the valid ones of a network whose step is 20 ms


def run(
    script: list[tuple[int, dict[str, float]]],
    config: DecoderConfig = PLAIN,
    hop: int = HOP,
    level_dbfs: float = -20.0,
    floor_dbfs: float = -90.0,
) -> list[tuple[str, int]]:
    """Play (milliseconds, scores) pieces one after the other; return (keyword, milliseconds) of what fired."""
    decoder = Decoder(LABELS, LABELS[2:], config, hop)
    heard, at = [], 0
    for length_ms, scores in script:
        row = np.array([scores.get(label, 0.0) for label in LABELS], np.float32)
        end = at + length_ms * 16
        while at + hop <= end:
            at += hop
            heard += [(f.keyword, at // 16) for f in decoder.step(row, at, level_dbfs, floor_dbfs)]
    return heard


YES, NO, NOTHING = {"yes": 0.9}, {"no": 0.9}, {"_silence_": 0.9}


@pytest.mark.parametrize(
    ("script", "heard"),
    [
        ([(200, NOTHING), (300, YES), (500, NOTHING)], ["yes"]),
        ([(300, YES), (700, NOTHING), (300, YES)], ["yes", "yes"]),
        ([(3_000, YES)], ["yes"]),  # one long word is one event
        ([(300, YES), (300, NO), (300, YES)], ["yes", "no", "yes"]),  # one keyword never blocks another
        ([(300, {"yes": 0.69})], []),
        (
            [(300, YES), (100, {"yes": 0.5}), (300, YES)],
            ["yes"],
        ),  # between re-arming and threshold: still the same word
        ([(300, YES), (100, {"yes": 0.3}), (300, YES)], ["yes", "yes"]),
        ([(300, {"yes": 0.75, "_unknown_": 0.7})], []),  # no margin over unknown
        ([(300, {"yes": 0.75, "no": 0.7})], []),  # no margin over the other keyword
        ([(300, {"yes": 0.75, "_unknown_": 0.6})], ["yes"]),
    ],
)
def test_a_script_of_scores_gives_these_events(script: list[tuple[int, dict[str, float]]], heard: list[str]) -> None:
    assert [word for word, _ in run(script)] == heard


def test_the_same_word_one_second_later_is_a_second_event() -> None:
    assert len(run([(400, YES), (600, NOTHING), (400, YES)])) == 2


def test_within_the_refractory_time_a_keyword_does_not_fire_again_but_another_does() -> None:
    heard = run([(100, YES), (60, NOTHING), (60, YES), (60, NO)])
    assert [word for word, _ in heard] == ["yes", "no"]


def test_a_keyword_held_back_by_the_refractory_time_fires_when_it_is_over() -> None:
    heard = run([(100, YES), (60, NOTHING), (400, YES)])
    assert heard == [("yes", 20), ("yes", 320)]


def test_a_quiet_window_counts_as_silence_whatever_its_scores() -> None:
    assert run([(500, YES)], level_dbfs=-80.0) == []


def test_smoothing_is_a_mean_over_time_whatever_the_hop() -> None:
    config = dataclasses.replace(PLAIN, smooth_ms=200.0)
    for hop in (320, 640, 1_600, 3_200):
        (event,) = run([(1_000, NOTHING), (1_000, YES)], config, hop)
        assert 1_160 <= event[1] <= 1_200


def test_thresholds_are_each_keywords_own() -> None:
    config = dataclasses.replace(PLAIN, thresholds={"yes": 0.95})
    assert [word for word, _ in run([(300, YES), (300, NO)], config)] == ["no"]


@pytest.mark.parametrize(("contrast_db", "needed"), [(0.0, 0.56), (10.0, 0.56), (15.0, 0.63), (20.0, 0.7), (90.0, 0.7)])
def test_in_noise_a_share_of_the_threshold_suffices(contrast_db: float, needed: float) -> None:
    config = dataclasses.replace(PLAIN, noise_share=0.8, noise_db=10.0, quiet_db=20.0, thresholds={"no": 0.99})
    for score, fires in ((needed - 0.005, False), (needed + 0.005, True)):
        assert bool(run([(300, {"yes": score})], config, floor_dbfs=-20.0 - contrast_db)) is fires


def test_in_noise_a_keyword_is_armed_again_below_the_same_share_of_what_it_took() -> None:
    config = dataclasses.replace(PLAIN, noise_share=0.8)
    for between, events in ((0.29, 1), (0.27, 2)):  # 0.5 x 0.8 x 0.7
        assert len(run([(300, YES), (300, {"yes": between}), (300, YES)], config, floor_dbfs=-25.0)) == events


def test_a_gap_forgets_scores_and_arms_again_but_refractory_time_goes_on() -> None:
    decoder = Decoder(LABELS, LABELS[2:], PLAIN, HOP)
    yes = np.array([0, 0, 0.9, 0], np.float32)
    assert decoder.step(yes, 16_000, -20.0)
    decoder.gap()
    assert not decoder.smoothed.any()
    assert not decoder.step(yes, 16_000 + 3_200, -20.0)
    assert decoder.step(yes, 16_000 + 4_800, -20.0)


def test_after_reset_a_decoder_is_as_new() -> None:
    decoder = Decoder(LABELS, LABELS[2:], PLAIN, HOP)
    yes = np.array([0, 0, 0.9, 0], np.float32)
    first = decoder.step(yes, 320, -20.0)
    decoder.reset()
    assert decoder.step(yes, 320, -20.0) == first


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("gate_dbfs", 0.0),
        ("smooth_ms", 400.0),
        ("threshold", 0.95),
        ("thresholds", {"yes": 0.95}),
        ("rearm", 0.99),
        ("margin", 0.5),
        ("refractory_ms", 3_000.0),
        ("noise_share", 0.3),
        ("noise_db", 24.0),
        ("quiet_db", 21.0),
    ],
)
def test_no_option_is_without_effect(option: str, value: Any) -> None:
    some = dataclasses.replace(PLAIN, noise_share=0.9)
    assert value != getattr(some, option)
    close = {"yes": 0.8, "_unknown_": 0.5}
    script = [(200, YES), (100, {"yes": 0.6}), (300, YES), (300, NOTHING), (300, close), (300, NOTHING)] * 2
    # 22 dB over the floor it takes 0.663; 0.63 were it noise, 0.7 were it quiet.
    script += [(200, {"yes": 0.68}), (600, NOTHING), (200, {"yes": 0.65}), (300, NOTHING)]

    def heard(config: DecoderConfig) -> list[tuple[str, int]]:
        return run(script, config, floor_dbfs=-42.0)

    assert heard(dataclasses.replace(some, **{option: value})) != heard(some)


def test_every_option_is_among_those_that_have_an_effect() -> None:
    tried = {"gate_dbfs", "smooth_ms", "threshold", "thresholds", "rearm", "margin", "refractory_ms"}
    tried |= {"noise_share", "noise_db", "quiet_db"}
    assert {f.name for f in dataclasses.fields(DecoderConfig)} == tried


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 20), st.floats(0, 1, width=32), st.floats(0, 1, width=32)), max_size=30))
def test_a_keyword_fires_only_at_its_threshold_and_never_twice_without_falling_below_rearming(
    script: list[tuple[int, float, float]],
) -> None:
    decoder = Decoder(LABELS, LABELS[2:], PLAIN, HOP)
    at, fallen = 0, True
    for hops, yes, no in script:
        row = np.array([0.0, 0.0, yes, no], np.float32)
        for _ in range(hops):
            at += HOP
            fired = [f for f in decoder.step(row, at, -20.0) if f.keyword == "yes"]
            fallen |= float(row[2]) < 0.35
            if fired:
                assert fallen
                assert fired[0].score >= 0.7 - 1e-6
                fallen = False


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 0.0},
        {"threshold": 1.0},
        {"threshold": float("nan")},
        {"thresholds": {"yes": 2.0}},
        {"rearm": 1.0},
        {"margin": -0.1},
        {"smooth_ms": -1.0},
        {"refractory_ms": 1e9},
    ],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInputError, match="out of range"):
        DecoderConfig(**wrong)


def test_a_threshold_for_a_word_that_is_no_keyword_is_refused() -> None:
    with pytest.raises(BadInputError, match="maybe"):
        Decoder(LABELS, LABELS[2:], DecoderConfig(thresholds={"maybe": 0.5}), HOP)


def test_scores_that_are_no_numbers_fire_nothing() -> None:
    decoder = Decoder(LABELS, LABELS[2:], PLAIN, HOP)
    assert decoder.step(np.full(4, np.nan, np.float32), HOP, -20.0) == []


@pytest.mark.parametrize("hop_ms", HOPS_MS)
@pytest.mark.parametrize("smooth_ms", [0, 50, 100, 140, 200, 350])
def test_a_score_counts_for_the_time_that_it_holds_whatever_the_hop(hop_ms: int, smooth_ms: int) -> None:
    decoder = Decoder(LABELS, LABELS[2:], dataclasses.replace(PLAIN, smooth_ms=float(smooth_ms)), hop_ms * 16)
    seen = []
    for number in range(60):
        row = np.array([0, 0, float(number == 30), 0], np.float32)
        decoder.step(row, number * hop_ms * 16, -20.0)
        seen.append(float(decoder.smoothed[2]) * hop_ms)
    assert max(seen) == pytest.approx(hop_ms * min(1.0, hop_ms / max(1, smooth_ms)), rel=1e-5)
    assert sum(seen) == pytest.approx(hop_ms, rel=1e-5)  # a mean: what goes in comes out, sooner or later
    assert sum(s > 0 for s in seen) == max(1, -(-smooth_ms // hop_ms))


def test_the_first_windows_are_averaged_over_what_there_is_and_so_are_those_after_a_gap() -> None:
    decoder = Decoder(LABELS, LABELS[2:], dataclasses.replace(PLAIN, smooth_ms=90.0), 640)
    for after_gap in (False, True):
        if after_gap:
            decoder.gap()
        means = []
        for score in (0.3, 0.6, 0.0, 0.0):
            decoder.step(np.array([0, 0, score, 0], np.float32), 640, -20.0)
            means.append(float(decoder.smoothed[2]))
        assert means == pytest.approx([0.3, 0.45, (0.6 + 0.25 * 0.3) / 2.25, 0.25 * 0.6 / 2.25])


@settings(max_examples=80)
@given(
    st.sampled_from(HOPS_MS),
    st.sampled_from([0.0, 100.0, 200.0]),
    st.integers(0, 199),
    st.integers(400, 600),
    st.floats(0.0, 900.0),
)
def test_at_every_hop_the_same_word_a_second_later_is_a_second_event_in_its_time(
    hop_ms: int, smooth_ms: float, starts_ms: int, lasts_ms: int, refractory_ms: float
) -> None:
    config = dataclasses.replace(PLAIN, smooth_ms=smooth_ms, refractory_ms=min(refractory_ms, 1_000.0 - 2 * hop_ms))
    hop, heard = hop_ms * 16, []
    decoder = Decoder(LABELS, LABELS[2:], config, hop)
    for end in range(hop, 4_000 * 16, hop):
        said = any(0 < end / 16 - starts_ms - 1_000 - later <= lasts_ms for later in (0, 1_000))
        row = np.array([0, 0, 0.9, 0] if said else [0.9, 0, 0, 0], np.float32)
        heard += [(f.keyword, end / 16) for f in decoder.step(row, end, -20.0)]
    assert [word for word, _ in heard] == ["yes", "yes"]
    for onset, (_, time) in zip((starts_ms + 1_000, starts_ms + 2_000), heard, strict=True):
        needed = smooth_ms * 0.7 / 0.9  # of the word, until the mean is at the threshold
        assert onset + needed - hop_ms <= time <= onset + needed + hop_ms


@settings(max_examples=40)
@given(st.sampled_from(HOPS_MS), st.sampled_from([0.0, 100.0, 200.0]), st.integers(400, 9_000))
def test_at_every_hop_one_long_word_is_one_event(hop_ms: int, smooth_ms: float, lasts_ms: int) -> None:
    config = dataclasses.replace(PLAIN, smooth_ms=smooth_ms)
    assert len(run([(1_000, NOTHING), (lasts_ms, YES), (1_000, NOTHING)], config, hop_ms * 16)) == 1


Rows = list[tuple[int, tuple[float, float, float, float], bool]]  # hops, scores, whether loud enough

SCORES = st.integers(0, 64).map(lambda n: n / 64)  # no mean of these lies on a limit of `AWKWARD`
SCRIPTS = st.lists(st.tuples(st.integers(1, 12), st.tuples(SCORES, SCORES, SCORES, SCORES), st.booleans()), max_size=25)
AWKWARD = DecoderConfig(threshold=0.7031234, rearm=0.5017, margin=0.1003217)


def by_the_book(rows: Rows, config: DecoderConfig, hop_ms: int) -> list[tuple[str, int]]:
    """The rules as sentences, each keyword for itself, from the whole past; slow and in double precision."""
    values = [scores if loud else (1.0, 0.0, 0.0, 0.0) for hops, scores, loud in rows for _ in range(hops)]
    smoothed = []
    for now in range(len(values)):
        length = max(hop_ms, config.smooth_ms)
        weights = [max(0.0, min(hop_ms, length - back * hop_ms)) for back in range(now + 1)]
        some = np.array([values[now - back] for back in range(now + 1)])
        whole = len(weights) * hop_ms >= length
        weight = np.array(weights if whole else [1.0] * len(weights))
        smoothed.append((weight[:, None] * some).sum(axis=0) / weight.sum())
    heard = []
    for k in (2, 3):
        armed, last = True, -1e9
        for now, s in enumerate(smoothed):
            time = (now + 1) * hop_ms
            armed |= bool(s[k] < config.rearm * config.threshold_of(LABELS[k]))
            sure = s[k] >= config.threshold_of(LABELS[k]) and s[k] - max(s[1], s[5 - k]) >= config.margin
            if sure and armed and time - last >= config.refractory_ms:
                heard.append((LABELS[k], time))
                armed, last = False, time
    return sorted(heard, key=lambda it: (it[1], LABELS.index(it[0])))


def by_the_decoder(rows: Rows, config: DecoderConfig, hop_ms: int, *, asking: bool = False) -> list[tuple[str, int]]:
    decoder, hop, end, heard = Decoder(LABELS, LABELS[2:], config, hop_ms * 16), hop_ms * 16, 0, []
    for hops, scores, loud in rows:
        row = np.array(scores, np.float32)
        for _ in range(hops):
            end += hop
            fired = [f.keyword for f in decoder.step(row, end, -20.0 if loud else -90.0)]
            if asking:
                verdicts = decoder.verdicts(row, end)
                assert [v.keyword for v in verdicts if v.rule == "fired"] == fired
                assert all(v.rule in RULES for v in verdicts)
            heard += [(word, end // 16) for word in fired]
    return heard


@settings(max_examples=80)
@given(SCRIPTS, st.sampled_from(HOPS_MS), st.sampled_from([0.0, 50.0, 100.0, 200.0, 330.0]), st.integers(0, 1_000))
def test_any_scores_are_decided_by_the_book_and_asking_why_changes_nothing(
    rows: Rows, hop_ms: int, smooth_ms: float, refractory_ms: int
) -> None:
    config = dataclasses.replace(AWKWARD, smooth_ms=smooth_ms, refractory_ms=float(refractory_ms))
    wanted = by_the_book(rows, config, hop_ms)
    assert by_the_decoder(rows, config, hop_ms) == wanted
    assert by_the_decoder(rows, config, hop_ms, asking=True) == wanted


@settings(max_examples=60)
@given(SCRIPTS, st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_whether_another_keyword_fires_never_changes_when_a_keyword_does(rows: Rows, low: float, high: float) -> None:
    def times(threshold: float) -> list[int]:
        config = dataclasses.replace(AWKWARD, thresholds={"yes": threshold})
        return [time for word, time in by_the_decoder(rows, config, 20) if word == "no"]

    assert times(low) == times(high)


@settings(max_examples=8)
@given(
    st.lists(st.integers(1, 9_000), min_size=1, max_size=8),
    st.sampled_from(HOPS_MS),
    st.sampled_from([0.0, 100.0, 250.0]),
)
def test_block_sizes_never_change_a_decision_or_its_reasons(sizes: list[int], hop_ms: int, smooth_ms: float) -> None:
    audio = recording((1.2, "yes"), (2.2, "yes"), (3.0, "no"), seconds=4.5)

    def decided(blocks: list[int]) -> list[Any]:
        seen: list[Any] = []

        def note(moment: Moment) -> None:
            seen.append((moment.end_sample, moment.level_dbfs, moment.smoothed.tobytes(), moment.verdicts))

        model = ScriptedModel()
        config = dataclasses.replace(model.decoder, smooth_ms=smooth_ms)
        spotter = Spotter(model, hop_ms=float(hop_ms), decoder=config, explain=note)
        at = number = 0
        while at < len(audio):
            spotter.write(audio[at : at + blocks[number % len(blocks)]])
            at += blocks[number % len(blocks)]
            number += 1
            seen += spotter.events()
        return [*seen, *spotter.finish()]

    assert decided(sizes) == decided([len(audio)])


def test_a_window_under_the_gate_counts_as_silence_but_the_network_is_fed_all_the_same() -> None:
    class Counting:
        def __init__(self) -> None:
            self.calls = 0

        def score(self, _frames: Any, _new: int) -> Any:
            self.calls += 1
            return np.array([0.97, 0.01, 0.01, 0.01], np.float32)

        def reset(self) -> None:
            pass

    scorer, model = Counting(), ScriptedModel()
    model.scorer = lambda _hop: scorer  # type: ignore[method-assign,assignment,return-value]
    spotter = Spotter(model, decoder=DecoderConfig(gate_dbfs=-60.0))
    spotter.write(np.zeros(48_000, np.float32))
    assert list(spotter.events()) == []
    assert scorer.calls == spotter.windows > 10
    assert spotter.smoothed[model.labels.index("_silence_")] == 1.0
