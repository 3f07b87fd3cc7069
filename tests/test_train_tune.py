"""Tuning: the counts are the listener's, the search is right by hand, and the model gets what was chosen."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy", reason="limits come from scipy, which the extra `train` brings")
pytest.importorskip("matplotlib", reason="pictures come from the extra `train`")
from spotter.errors import BadInputError, ModelError
from spotter.model import Model
from spotter.settings import DecoderConfig, as_dict
from train import cli
from train.evaluate import Scored, judge
from train.metrics import Word
from train.streams import Stream
from train.truth import write
from train.tune import (
    LOGITS,
    THRESHOLDS,
    Aim,
    Curves,
    choose,
    config_of,
    curves,
    expected,
    for_recall,
    halves,
    hours_to_prove,
    nearest,
)
from train.tune_choice import Wanted, find, ladder
from train.tune_material import Heard, counted, noisy_seconds, suspicious, weights
from train.tune_report import alike, proof
from train.tune_tally import Grid, Part, Tally, tally

TINY = Path(__file__).parent / "data" / "models" / "tiny"
LABELS = ("yes", "no", "_unknown_", "_silence_")
KEYWORDS = ("yes", "no")
HOP = 1_600
PRESENT = DecoderConfig()
RNG = np.random.default_rng
G = len(THRESHOLDS)


def scored(rows: np.ndarray[Any, Any], seconds: float | None = None, floor_dbfs: float = -90.0) -> Scored:
    ends, level, floor = (np.arange(len(rows)) + 1) * HOP, np.full(len(rows), -20, np.float32), np.float32(floor_dbfs)
    return Scored(ends, level, np.full(len(rows), floor), rows.astype(np.float32), seconds or len(rows) / 10)


def scored_yes(*values: float) -> Scored:
    rows = np.zeros((len(values), 4))
    rows[:, 0] = values
    rows[:, 3] = 1 - rows[:, 0]
    return scored(rows)


def plain_grid(**changes: Any) -> Grid:
    values = {
        "gate_dbfs": (-75.0,),
        "smooth_ms": (100.0,),
        "noise_share": (1.0,),
        "margin": (0.1,),
        "rearm": (0.6,),
        "refractory_ms": (500.0,),
        **changes,
    }
    return Grid(**{"base": PRESENT, **values})


def count(*parts: Part, grid: Grid | None = None, thresholds: Any = THRESHOLDS) -> Tally:
    return tally(parts, LABELS, KEYWORDS, grid or plain_grid(), np.asarray(thresholds), HOP)


# -- counting --------------------------------------------------------------------------------


def wandering(rng: np.random.Generator, windows: int) -> Scored:
    """Scores that rise and fall, with much that is near a threshold."""
    logits = np.cumsum(rng.normal(0, 1.2, (windows, 4)), axis=0)
    logits -= np.array([np.convolve(c, np.ones(9) / 9, mode="same") for c in logits.T]).T
    logits *= 2.0
    rows = np.exp(logits - logits.max(axis=1, keepdims=True))
    what = scored(rows / rows.sum(axis=1, keepdims=True))
    what.levels[:] = rng.uniform(-90, -20, windows)
    return what


def drawn_words(rng: np.random.Generator, seconds: float) -> tuple[Word, ...]:
    starts = np.sort(rng.uniform(0, seconds - 2, 40))
    return tuple(Word(str(rng.choice(["yes", "no", "cat"])), float(s), float(s + 0.4)) for s in starts)


@pytest.mark.parametrize("seed", range(2))
def test_every_setting_and_threshold_is_counted_as_the_listeners_decoder_counts_it(seed: int) -> None:
    rng = RNG(seed)
    parts = [Part("words", drawn_words(rng, 60.0), wandering(rng, 600)), Part("speech", (), wandering(rng, 400))]
    floors = [rng.uniform(-60, -25, len(p.scored.ends)).astype(np.float32) for p in parts]
    parts = [replace(p, scored=replace(p.scored, floors=f)) for p, f in zip(parts, floors, strict=True)]
    grid = plain_grid(
        gate_dbfs=(-75.0, -60.0),
        smooth_ms=(50.0, 250.0),
        noise_share=(0.8, 1.0),
        margin=(0.0, 0.3),
        rearm=(0.4, 0.9),
        refractory_ms=(0.0, 800.0),
    )
    found = count(*parts, grid=grid, thresholds=(0.35, 0.7))
    model: Any = SimpleNamespace(labels=LABELS, keywords=KEYWORDS)
    streams = [(Stream(np.empty(0, np.float32), p.words), p.scored) for p in parts]
    assert found.false[:, :, 0, 0].sum() > 10
    assert found.found[:, :, 0, 0].sum() > 10
    assert found.twice.sum() > 0
    for number, config in enumerate(found.configs):
        for at, threshold in enumerate((0.35, 0.7)):
            settings = replace(config, threshold=threshold)
            heard = judge(model, streams, settings, HOP)
            assert found.false[:, :, number, at].sum() == len(heard.false)
            assert found.found[:, :, number, at].sum() == len(heard.found)
            assert found.twice[:, :, number, at].sum() == len(heard.duplicates)
    assert found.said.sum() == sum(w.word != "cat" for w in parts[0].words)


def test_a_word_counts_in_the_minute_of_its_end_and_a_false_accept_in_its_own() -> None:
    values = np.zeros(1_200)
    values[[299, 899]] = 0.9  # at 30 and at 90 s
    found = count(Part("words", (Word("yes", 29.5, 29.9),), scored_yes(*values)), thresholds=(0.5, 0.95))
    assert found.names == ("words", "words")
    assert found.seconds.tolist() == [60.0, 60.0]
    assert found.said[:, 0].tolist() == [1, 0]
    assert found.found[:, 0, 0].tolist() == [[1, 0], [0, 0]]
    assert found.false[:, 0, 0].tolist() == [[0, 0], [1, 0]]


def test_settings_that_are_not_tuned_stay_as_they_are_in_the_model() -> None:
    own = DecoderConfig(gate_dbfs=-50.0, threshold=0.8)
    grid = Grid(
        base=own,
        gate_dbfs=(-50.0,),
        smooth_ms=(100.0, 200.0),
        noise_share=(1.0,),
        margin=(0.2,),
        rearm=(0.5,),
        refractory_ms=(400.0,),
    )
    assert [c.smooth_ms for c in grid.configs()] == [100.0, 200.0]
    assert {(c.gate_dbfs, c.margin, c.rearm, c.refractory_ms) for c in grid.configs()} == {(-50.0, 0.2, 0.5, 400.0)}


# -- the tail --------------------------------------------------------------------------------


def test_beyond_twenty_false_accepts_their_number_falls_by_one_factor() -> None:
    false = np.array([[[40.0, 20.0, 10.0, 5.0, 0.0]]])
    factor = 15 / 35  # ten and five above, of those and the twenty
    assert expected(false)[0, 0] == pytest.approx([40, 20, 20 * factor, 20 * factor**2, 20 * factor**3])


def test_a_keywords_part_of_the_tail_is_drawn_towards_an_equal_share() -> None:
    false = np.array([[[20.0, 10.0, 0.0]], [[0.0, 0.0, 0.0]]])
    tail = 20 * (10 / 30) ** 2
    assert expected(false)[:, 0, 2] == pytest.approx([tail * 21 / 22, tail * 1 / 22])


def test_where_nothing_was_heard_nothing_is_expected() -> None:
    assert not expected(np.zeros((2, 1, 5))).any()


# -- the search ------------------------------------------------------------------------------


def step(height: float, index: int) -> np.ndarray[Any, Any]:
    """So much up to a threshold's index, nothing above."""
    return np.where(np.arange(G) <= index, height, 0.0)


def curves_of(gain: Any, false: Any, hours: float = 1.0, error: float = 0.0) -> Curves:
    """Shapes (keywords, settings, thresholds); what is expected is what was heard."""
    gain, false = np.asarray(gain, float), np.asarray(false, float)
    return Curves(gain, gain, false, false, hours, error)


def empty_tally(*configs: DecoderConfig) -> Tally:
    none = np.zeros((0, 2, len(configs), G), np.int32)
    return Tally((), np.zeros(0), np.zeros((0, 2), np.int32), none, none, none, KEYWORDS, configs, THRESHOLDS)


AIM = Aim(weights={"words": 1.0}, counted=("speech",), spread=100.0)


def test_the_budget_goes_where_most_is_found_for_it() -> None:
    # One false accept is affordable. It buys 0.3 with "yes" or 0.2 with "no"; 0.1 of each is free below index 60.
    gain = [[step(0.3, 30) + step(0.1, 60)], [step(0.2, 30) + step(0.1, 60)]]
    some = curves_of(gain, [[step(1.0, 30)], [step(1.0, 30)]])
    found = choose(some, empty_tally(PRESENT), AIM, 1.0, PRESENT, single=False)
    assert found is not None
    assert found.at == (30, 60)
    assert found.gain == pytest.approx(0.5)
    assert found.false == 1.0
    config = config_of(empty_tally(PRESENT), found)
    assert config.threshold_of("yes") == THRESHOLDS[30]
    assert config.threshold_of("no") == THRESHOLDS[60]


def test_one_threshold_for_all_is_the_highest_that_finds_as_much() -> None:
    gain = [[step(0.3, 30) + step(0.1, 60)], [step(0.2, 30) + step(0.1, 60)]]
    some = curves_of(gain, [[step(1.0, 30)], [step(1.0, 30)]])
    for budget, at in ((1.0, 60), (2.0, 30)):
        found = choose(some, empty_tally(PRESENT), AIM, budget, PRESENT, single=True)
        assert found is not None
        assert found.at == (at, at)


def test_a_keywords_threshold_stays_near_the_common_one() -> None:
    gain = [[step(0.3, 10) + step(0.1, 60)], [step(0.1, 60)]]
    some = curves_of(gain, [[step(1.0, 10)], [step(2.0, 60)]])
    near = Aim(weights={}, counted=(), spread=1.0)
    found = choose(some, empty_tally(PRESENT), near, 2.0, PRESENT, single=False)
    assert found is not None
    assert max(abs(LOGITS[i] - LOGITS[found.at[0]]) for i in found.at) <= 2.0 + 1e-9
    assert found.at[0] == 60  # 10 would be too far from it


def test_no_choice_keeps_a_budget_that_every_setting_exceeds_and_the_nearest_is_named() -> None:
    false = [[step(9.0, 40) + 3.0], [np.zeros(G)]]
    some = curves_of([[step(0.5, 50)], [step(0.5, 50)]], false, hours=2.0)
    assert choose(some, empty_tally(PRESENT), AIM, 1.0, PRESENT, single=False) is None
    near = nearest(some)
    assert (near.false, near.at) == (3.0, (41, 41))
    with pytest.raises(BadInputError, match=r"keeps 1 false accepts an hour: the nearest is 1\.5 \(3 heard in 2 h"):
        find(empty_tally(PRESENT), some, AIM, Wanted(false_per_hour=1.0), PRESENT, RNG(0))


def test_other_settings_are_taken_only_for_more_than_half_a_standard_error() -> None:
    other = DecoderConfig(margin=0.3)
    gain = [[step(0.40, 30), step(0.41, 30)], [step(0.4, 30), step(0.4, 30)]]
    for error, margin in ((0.03, PRESENT.margin), (0.01, 0.3)):
        some = curves_of(gain, np.zeros((2, 2, G)), error=error)
        found = choose(some, empty_tally(PRESENT, other), AIM, 1.0, PRESENT, single=True)
        assert found is not None
        assert empty_tally(PRESENT, other).configs[found.setting].margin == margin


def test_for_a_recall_as_few_false_accepts_are_let_through_as_it_takes() -> None:
    gain = [[step(0.2, 20) + step(0.2, 40)], [step(0.2, 20) + step(0.2, 40)]]
    some = curves_of(gain, [[step(9.0, 20) + step(1.0, 40)], [step(1.0, 40)]])
    found = for_recall(some, empty_tally(PRESENT), AIM, 0.4, PRESENT, single=True)
    assert found is not None
    assert found[1].at == (40, 40)
    assert 2.0 <= found[0] < 2.5
    with pytest.raises(BadInputError, match=r"finds 90\.0%: the nearest is 80\.0% at 11 false accepts"):
        find(empty_tally(PRESENT), some, AIM, Wanted(recall=0.9), PRESENT, RNG(0))


def test_recall_is_the_weighted_mean_of_the_parts_and_a_word_reported_twice_costs_one() -> None:
    found = np.zeros((3, 2, 1, 2), np.int32)
    found[0, 0, 0], found[1, 1, 0] = [8, 4], [2, 1]
    false, twice = np.zeros_like(found), np.zeros_like(found)
    false[2, 0, 0], twice[0, 0, 0, 0] = [3, 0], 1
    said = np.array([[10, 0], [0, 4], [0, 0]], np.int32)
    names = ("quiet", "noisy", "speech")
    some = Tally(names, np.array([60.0, 60.0, 1_800.0]), said, found, false, twice, KEYWORDS, (PRESENT,), LOGITS[:2])
    seen = curves(some, Aim(weights={"quiet": 1.0, "noisy": 0.5}, counted=("speech",)))
    assert seen.found.sum(axis=0)[0] == pytest.approx([(0.8 + 0.5 * 0.5) / 1.5, (0.4 + 0.5 * 0.25) / 1.5])
    assert seen.gain.sum(axis=0)[0, 0] == pytest.approx((0.7 + 0.5 * 0.5) / 1.5)
    assert (seen.hours, seen.false.sum()) == (0.5, 3.0)


# -- thresholds by keyword, or not -----------------------------------------------------------


def spoken_tally(rng: np.random.Generator, offset: float) -> Tally:
    """Blocks with words and with false accepts; those of "no" score lower by `offset`."""
    blocks = 40
    found, false = (np.zeros((2 * blocks, 2, 1, G), np.int32) for _ in range(2))
    said = np.zeros((2 * blocks, 2), np.int32)
    for block in range(blocks):
        for k in range(2):
            said[block, k] = 10
            peaks = rng.logistic(4.0 - (offset if k else 0.0), 1.0, 10)
            found[block, k, 0] = (peaks[:, None] >= LOGITS).sum(axis=0)
            events = rng.exponential(1.0, rng.poisson(6)) - (offset if k else 0.0)
            false[blocks + block, k, 0] = (events[:, None] >= LOGITS).sum(axis=0)
    names = ("words",) * blocks + ("speech",) * blocks
    seconds = np.full(2 * blocks, 60.0)
    return Tally(names, seconds, said, found, false, np.zeros_like(found), KEYWORDS, (PRESENT,), THRESHOLDS)


def test_thresholds_by_keyword_pay_where_keywords_differ_and_not_where_they_are_alike() -> None:
    aim = Aim(weights={"words": 1.0}, counted=("speech",), spread=2.0)
    unlike, same = spoken_tally(RNG(1), 3.0), spoken_tally(RNG(1), 0.0)
    assert halves(unlike, aim, 60.0, 0, RNG(0)).pays
    assert not halves(same, aim, 60.0, 0, RNG(0)).pays
    wanted = Wanted(false_per_hour=60.0)
    by_keyword = find(unlike, curves(unlike, aim), aim, wanted, PRESENT, RNG(0))
    assert by_keyword.choice.at[1] < by_keyword.choice.at[0]
    together = find(same, curves(same, aim), aim, wanted, PRESENT, RNG(0))
    assert together.choice.at[0] == together.choice.at[1]
    assert "not surely better" in together.reason


def test_a_wider_target_never_finds_less() -> None:
    aim = Aim(weights={"words": 1.0}, counted=("speech",))
    some = spoken_tally(RNG(1), 1.0)
    seen = curves(some, aim)
    found = find(some, seen, aim, Wanted(false_per_hour=3.0, by_keyword="never"), PRESENT, RNG(0))
    steps = ladder(some, seen, aim, PRESENT, found)
    assert [target for target, _ in steps] == [0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0]
    gains = [choice.gain for _, choice in steps if choice]
    assert gains == sorted(gains)


def test_without_words_only_the_keyword_that_was_heard_is_raised_and_no_further_than_needed() -> None:
    values = np.zeros(600)
    values[100], values[300] = 0.95, 0.75
    some = count(Part("negatives", (), scored_yes(*values)), thresholds=THRESHOLDS)
    aim = Aim(weights={}, counted=("negatives",), floor=np.array([0.7, 0.7]))
    found = choose(curves(some, aim), some, aim, 60.0, PRESENT, single=False)  # one in this minute
    assert found is not None
    config = config_of(some, found, aim.floor)
    assert config.threshold_of("no") == 0.7
    assert 0.75 < config.threshold_of("yes") < 0.95


# -- what the hours prove --------------------------------------------------------------------


def test_hours_that_prove_a_target() -> None:
    assert hours_to_prove(0, 0.5) == pytest.approx(2.9957 / 0.5, abs=1e-3)
    assert hours_to_prove(1, 0.5) == pytest.approx(4.7439 / 0.5, abs=1e-3)


def seen(count: int, hours: float, limits: tuple[float, float]) -> dict[str, Any]:
    return {"false": count, "hours": hours, "per_hour": count / hours, "limits": list(limits)}


def test_the_report_says_what_was_proved_and_how_many_hours_are_lacking() -> None:
    lacking = proof(0.5, seen(0, 1.2, (0.0, 2.4964)))
    assert "0 (< 2.5) an hour at 95%: this cannot be told from 0.5 an hour" in lacking[0]
    assert "4.8 h more would have to pass without another (6 h in all)" in lacking[0]
    assert "already 0.83 an hour" in lacking[1]
    assert proof(2.0, seen(0, 3.2, (0.0, 0.94))) == ["0 false accepts in 3.2 h: fewer than 2 an hour, at 95%."]
    assert "more than the 0.5 an hour" in proof(0.5, seen(10, 1.0, (4.8, 18.4)))[0]


def test_targets_that_the_hours_cannot_tell_apart_are_named() -> None:
    rows = [{"wanted": n, "counted": seen(0, 1.2, (0.0, 2.5))} for n in ("0.5", "1", "2", "10")]
    assert alike(rows, 1.2) == "The 1.2 h that count cannot tell 0.5, 1 and 2 an hour apart."


# -- what is listened to ---------------------------------------------------------------------

QUIET = Part("words-quiet", (Word("yes", 1.0, 1.4),), scored_yes(*[0.0] * 30))
RUNNING = Part("running", (Word("no", 1.0, 1.4),), scored_yes(*[0.0] * 30))
SPEECH = Part("speech-english", (Word("cat", 1.0, 1.4),), scored_yes(*[0.0] * 30))
NOISE = Part("noise", (), scored_yes(*[0.0] * 30))


def test_recall_is_that_of_words_on_their_own_and_false_accepts_those_in_speech_unless_others_are_named() -> None:
    parts = [QUIET, RUNNING, SPEECH, NOISE]
    assert weights(parts, KEYWORDS, []) == {"words-quiet": 1.0}
    assert weights(parts, KEYWORDS, ["running=0.5"]) == {"words-quiet": 1.0, "running": 0.5}
    assert counted(parts, KEYWORDS, []) == ("speech-english",)
    assert counted([QUIET, NOISE], KEYWORDS, []) == ("noise",)
    assert counted(parts, KEYWORDS, ["noise", "running"]) == ("noise", "running")


@pytest.mark.parametrize(
    ("given", "told"),
    [("speech-english=1", "no stream with keywords is called 'speech-english'; there are words-quiet, running"),
     ("running=much", "is no NAME=NUMBER"), ("running=-1", "is no NAME=NUMBER")],
)  # fmt: skip
def test_weights_that_cannot_be_meant_are_refused(given: str, told: str) -> None:
    with pytest.raises(BadInputError, match=told):
        weights([QUIET, RUNNING, SPEECH], KEYWORDS, [given])


def test_false_accepts_need_something_without_keywords() -> None:
    with pytest.raises(BadInputError, match="nothing without keywords"):
        counted([QUIET, RUNNING], KEYWORDS, [])
    with pytest.raises(BadInputError, match="no stream is called so; there are words-quiet"):
        counted([QUIET], KEYWORDS, ["speech"])


def test_places_in_negatives_are_listed_unless_their_truth_file_names_the_word() -> None:
    values = np.zeros(100)
    values[19], values[59] = 0.97, 0.6
    negative = Part("negatives", (Word("yes", 5.5, 5.9),), scored_yes(*values))
    told = suspicious([Heard(negative, Path("room.wav"), {})], ("negatives",), LABELS, KEYWORDS, 0.5)
    assert [(p.time, p.keyword, round(p.score, 2)) for p in told] == [(2.0, "yes", 0.97)]


# -- the step as a whole ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up sound; what the tiny model with its random weights makes of it does not matter."""
    folder = tmp_path_factory.mktemp("streams")
    rng = RNG(0)
    words = tuple(Word(("yes", "no")[n % 2], 1.0 + 2 * n, 1.4 + 2 * n) for n in range(8))
    for name, said in (("words-quiet", words), ("speech-english", ())):
        loud = np.repeat(rng.uniform(0, 1, 100) > 0.4, 3_200)
        sound = (rng.standard_normal(320_000) * 0.1 * loud).astype(np.float32)
        write(folder / f"{name}.flac", Stream(np.clip(sound, -1, 1), said), about={"kind": name})
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY, tmp_path / "tiny"))


def tune(model: Path, tmp_path: Path, *more: object) -> int:
    places = ("--jobs", 1, "--cache", tmp_path / "cache", "--out", tmp_path / "report")
    return cli.main(["tune", str(model), *map(str, (*more, *places))])


def test_the_manifest_gets_the_settings_and_how_they_came_about_and_all_else_stays(
    model: Path, tmp_path: Path, streams: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = json.loads((model / "manifest.json").read_text())
    (model / "manifest.json").write_text(json.dumps({**before, "note": "kept"}))
    assert tune(model, tmp_path, "--target-fa", 2_000, "--streams", streams, "--margin", 0.05) == 0
    after = json.loads((model / "manifest.json").read_text())
    assert after["note"] == "kept"
    assert after["files"] == before["files"]
    assert after["decoder"]["margin"] == 0.05
    assert after["decoder"]["gate_dbfs"] == before["decoder"]["gate_dbfs"]
    tuned = after["training"].pop("tuned")
    assert after["training"] == before["training"]
    assert tuned["before"] == as_dict(DecoderConfig.from_dict(before["decoder"]))
    assert tuned["target"] == {"false_per_hour": 2_000, "recall": None}
    assert {s["counted_as"]: len(s["sha256"]) for s in tuned["streams"]} == {"words-quiet": 64, "speech-english": 64}
    opened = Model.open(model)
    assert opened.decoder.margin == 0.05
    out = capsys.readouterr().out
    assert "**2000, chosen**" in out
    assert "found words-quiet (8)" in out
    report = json.loads((tmp_path / "report" / "tune.json").read_text())
    assert report["rows"][report["chosen"]]["decoder"] == after["decoder"]
    assert (tmp_path / "report" / "tune.png").stat().st_size > 5_000
    assert "tune.png" in (tmp_path / "report" / "tune.md").read_text()


def test_a_dry_run_leaves_the_manifest_and_a_report_is_not_replaced_unasked(
    model: Path, tmp_path: Path, streams: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (model / "manifest.json").read_bytes()
    wanted = ("--target-fa", 2_000, "--streams", streams, "--by-keyword", "always", "--dry-run")
    assert tune(model, tmp_path, *wanted) == 0
    assert (model / "manifest.json").read_bytes() == before
    assert "stays as it is" in capsys.readouterr().out
    assert tune(model, tmp_path, *wanted) == 2
    assert "--force" in capsys.readouterr().err
    assert tune(model, tmp_path, *wanted, "--force") == 0


def test_a_recording_of_a_room_alone_never_lowers_a_threshold(
    model: Path, tmp_path: Path, streams: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    room = tmp_path / "room.wav"
    write(room, Stream((RNG(1).standard_normal(160_000) * 0.01).astype(np.float32), ()))
    room.with_suffix(".json").unlink()
    assert tune(model, tmp_path, "--target-fa", 1_000, "--negatives", room) == 0
    old, new = Model.open(TINY).decoder, Model.open(model).decoder
    assert all(new.threshold_of(k) >= old.threshold_of(k) for k in ("yes", "no"))
    assert (new.smooth_ms, new.margin, new.rearm) == (old.smooth_ms, old.margin, old.rearm)
    assert "negatives" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_heard(
    model: Path, tmp_path: Path, streams: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / "manifest.json.part").mkdir()
    assert tune(model, tmp_path, "--target-fa", 2_000, "--streams", streams) == ModelError.exit_code
    assert "cannot be written" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--target-fa", 0), "--target-fa 0 is out of range"),
        (("--target-recall", 1.5), "--target-recall 1.5 is out of range"),
        (("--target-fa", 1, "--speech", "x"), "go with DATA"),
        (("--target-fa", 1, "--negatives", "nowhere.wav"), "no recording nowhere.wav"),
        (("--target-fa", 1, "--rearm", 2, "--streams", "STREAMS"), "rearm 2.0 is out of range"),
        (("--target-recall", 0.9999, "--streams", "STREAMS"), "no setting that was tried finds"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    model: Path,
    tmp_path: Path,
    streams: Path,
    given: tuple[object, ...],
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tune(model, tmp_path, *(streams if g == "STREAMS" else g for g in given)) == 2
    assert told in capsys.readouterr().err


def test_only_speech_in_noise_counts_as_noisy() -> None:
    quiet, noisy = np.full(300, -90.0, np.float32), np.full(300, -40.0, np.float32)
    heard = replace(scored(np.zeros((600, 4))), floors=np.concatenate([quiet, noisy]), seconds=60.0)
    assert noisy_seconds([Part("speech", (), heard)], DecoderConfig()) == 30.0
