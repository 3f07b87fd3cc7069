"""Speech that fools a model: which places are kept, how they are written down, and what training makes of them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from tests.fakes import ScriptedModel, recording

pytest.importorskip("scipy", reason="rooms come from scipy, which the extra `train` brings")
from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.settings import FrontendConfig
from train import bank, cli
from train.augment.copies import Copy
from train.cli.mine import speech_without
from train.data import Row, Split
from train.evaluate import Scored, score
from train.hard import Hard, hard_frames, key_of, read_hard, table
from train.mine import mine, mine_round
from train.mine_recordings import Diary, Heard, hear, peaks, summary
from train.pools import Pools
from train.recipe import Recipe

KEYWORDS = {"yes": 0, "no": 1}
PLACE = Hard(path="speech/ann/a.wav", time=40_000, keyword="yes", score=0.75)


def scored(*values: float, hop: int = 1_600) -> Scored:
    """Scores of "yes", one each hop; "no" has none."""
    scores = np.zeros((len(values), 4), np.float32)
    scores[:, 0] = values
    levels = np.zeros((2, len(values)), np.float32)
    return Scored((np.arange(len(values)) + 1) * hop, levels[0], levels[1] - 90, scores, 1.0)


# -- which places are kept -------------------------------------------------------------------


def rounded(what: Scored) -> list[tuple[int, str, float]]:
    return [(end, keyword, round(value, 4)) for end, keyword, value in peaks(what, KEYWORDS, 0.2)]


def test_of_windows_closer_than_half_a_second_only_the_highest_is_kept() -> None:
    found = rounded(scored(0, 0.3, 0.9, 0.3, 0, 0, 0, 0.5, 0.4, 0))
    assert found == [(4_800, "yes", 0.9), (12_800, "yes", 0.5)]


def test_scores_below_the_least_are_no_place_and_the_least_itself_is_one() -> None:
    assert not peaks(scored(0.49, 0.49), KEYWORDS, 0.5)
    assert len(peaks(scored(0.1, 0.5), KEYWORDS, 0.5)) == 1


def test_a_place_names_the_keyword_that_scored_highest_there() -> None:
    both = scored(0.3)
    both.scores[0, 1] = 0.4
    both.scores[0, 3] = 0.99  # silence is no keyword
    assert rounded(both) == [(1_600, "no", 0.4)]


def speech_file(folder: Path, *words: tuple[float, str], seconds: float = 4.0) -> Row:
    folder.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / "a.wav", recording(*words, seconds=seconds), 16_000, subtype="FLOAT")
    return Row(folder / "a.wav", "", folder.name, "training")


def heard(row: Row, copies: int = 0, seed: int = 0, noise: dict[str, Floats] | None = None) -> Heard:
    model: Any = ScriptedModel()
    return hear(row, lambda s: score(model, s), KEYWORDS, noise or {}, least=0.5, copies=copies, seed=seed)


def test_a_recording_is_heard_as_it_is_and_in_copies_whose_times_are_those_of_the_recording(tmp_path: Path) -> None:
    row = speech_file(tmp_path / "speech" / "ann", (2.0, "no"))
    found = heard(row, copies=4)
    assert [c.number for c, _ in found.copies] == [0, 1, 2, 3, 4]
    plain = [p for p in found.places if p.copy.number == 0]
    assert plain
    assert all(p.path == "speech/ann/a.wav" and p.keyword == "no" for p in found.places)
    others = [p for p in found.places if p.copy.number]
    assert others
    assert all(32_000 < p.time < 32_000 + 0.8 * 16_000 for p in others if p.copy.room is None)
    seconds = {c.number: s for c, s in found.copies}
    assert seconds[0] == 4.0
    assert all(s == pytest.approx(4.0 / c.speed, abs=0.5) for c, s in found.copies)


def test_copies_depend_on_the_seed_and_the_recording_only(tmp_path: Path) -> None:
    row = speech_file(tmp_path / "speech" / "ann", (2.0, "no"))
    other = speech_file(tmp_path / "speech" / "bob", (2.0, "no"))
    assert heard(row, 2) == heard(row, 2)
    assert heard(row, 2).copies != heard(row, 2, seed=1).copies
    assert heard(row, 2).copies != heard(other, 2).copies


def test_recordings_that_cannot_be_used_are_passed_over_with_the_reason(tmp_path: Path) -> None:
    folder = tmp_path / "speech" / "ann"
    folder.mkdir(parents=True)
    (folder / "text.wav").write_text("no sound")
    soundfile.write(folder / "empty.wav", np.zeros(0), 16_000)
    soundfile.write(folder / "nan.wav", np.full(16_000, np.nan, np.float32), 16_000, subtype="FLOAT")
    problems = [heard(Row(folder / f"{name}.wav", "", "ann", "training")) for name in ("text", "empty", "nan")]
    assert "cannot be read" in problems[0].problem
    assert all("empty or holds values" in p.problem for p in problems[1:])
    assert not any(p.places or p.copies for p in problems)


# -- the table -------------------------------------------------------------------------------


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    copy = Copy(number=2, speed=0.95, gain_db=-3.5, room=17, noise="noise/street.wav", noise_at=12, snr_db=8.5)
    places = [PLACE, dataclasses.replace(PLACE, time=0, copy=copy), dataclasses.replace(PLACE, copy=Copy(number=1))]
    (tmp_path / "hard.tsv").write_text(table(places))
    assert read_hard(tmp_path / "hard.tsv") == places
    (tmp_path / "none.tsv").write_text(table([]))
    assert read_hard(tmp_path / "none.tsv") == []


def test_the_columns_of_the_copy_may_be_missing_and_further_columns_may_come(tmp_path: Path) -> None:
    path = tmp_path / "own.tsv"
    path.write_text("score\tpath\ttime\tkeyword\tremark\n0.75\tspeech/ann/a.wav\t40000\tyes\tfunny\n")
    assert read_hard(path) == [PLACE]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path\ttime\tkeyword\nx\t1\tyes\n", "no column 'score'"),
        ("", "no column 'path'"),
        ("path\ttime\tkeyword\tscore\na\t1\tyes\t0.5\nb\tsoon\tyes\t0.5\n", "line 3.*soon"),
        ("path\ttime\tkeyword\tscore\na\t-4\tyes\t0.5\n", "line 2.*-4"),
        ("path\ttime\tkeyword\tscore\na\t4\tyes\t1.5\n", "line 2.*1.5"),
        ("path\ttime\tkeyword\tscore\na\t4\n", "line 2"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "hard.tsv"
    path.write_text(text)
    with pytest.raises(BadInputError, match=message):
        read_hard(path)


def test_no_table_a_folder_or_sound_in_its_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="python -m train mine"):
        read_hard(tmp_path / "none.tsv")
    with pytest.raises(BadInputError, match="cannot be read"):
        read_hard(tmp_path)
    (tmp_path / "sound.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInputError, match="cannot be read"):
        read_hard(tmp_path / "sound.tsv")
    with pytest.raises(BadInputError, match="rename"):
        table([dataclasses.replace(PLACE, path="speech/ann/a\tb.wav")])


# -- what training makes of it ---------------------------------------------------------------

LENGTH, CONTEXT, OFFSET = 247, 149, 5_000


def speech_bank(*sides: Split, frames: int = 600) -> tuple[list[Row], bank.Bank]:
    rows = [Row(Path(f"/data/speech/s{i}/a.wav"), "", f"s{i}", side) for i, side in enumerate(sides)]
    n = len(rows)
    number = np.arange(n, dtype=np.intp)
    length, power = np.full(n, frames, np.intp), np.ones((n * frames, 40), np.float32)
    quiet = np.zeros((n, bank.QUIET), np.intp)
    return rows, bank.Bank(power, number * frames, length, number, number, np.ones(n, np.float32), quiet, number)


def frames_of(hard: list[Hard], rows: list[Row], made: bank.Bank) -> npt.NDArray[np.intp]:
    config = FrontendConfig()
    return hard_frames(hard, rows, made, config, offset=OFFSET, context=CONTEXT, length=LENGTH)


def at(recording_number: int, frame: int, score_: float = 0.9) -> Hard:
    """A place whose window ends before `frame` of a recording."""
    time = FrontendConfig().samples_for(frame)
    return Hard(path=f"speech/s{recording_number}/a.wav", time=time, keyword="yes", score=score_)


def test_the_window_that_was_fooled_lies_in_the_middle_of_its_sequence() -> None:
    rows, made = speech_bank("training", "training")
    (first,) = frames_of([at(1, 400)], rows, made).tolist()
    window = first + (LENGTH - CONTEXT) // 2, first + (LENGTH - CONTEXT) // 2 + CONTEXT
    assert window == (OFFSET + 600 + 400 - CONTEXT, OFFSET + 600 + 400)


def test_places_of_validation_speakers_are_never_trained_on() -> None:
    rows, made = speech_bank("training", "validation", "training")
    assert len(frames_of([at(1, 300)], rows, made)) == 0
    for number in (0, 2):
        for frame in range(10, 660, 10):
            for first in frames_of([at(number, frame)], rows, made).tolist():
                begin, end = first - OFFSET - 30, first - OFFSET + LENGTH + 30  # as a batch may move it
                assert number * 600 <= begin
                assert end <= number * 600 + 600


def test_the_same_place_in_several_copies_is_one_and_distant_ones_are_not() -> None:
    rows, made = speech_bank("training", "training")
    assert len(frames_of([at(0, 300), at(0, 320, 0.95), at(0, 349, 0.5)], rows, made)) == 1
    assert frames_of([at(0, 300), at(0, 320, 0.95)], rows, made) == frames_of([at(0, 320)], rows, made)
    assert len(frames_of([at(0, 300), at(0, 350), at(1, 300)], rows, made)) == 3


def test_a_table_of_other_speech_is_an_error_and_an_empty_one_is_not() -> None:
    rows, made = speech_bank("training")
    with pytest.raises(BadInputError, match=r"none of the 1 hard places.*speech/ann"):
        frames_of([PLACE], rows, made)
    assert len(frames_of([], rows, made)) == 0
    assert len(frames_of([PLACE, at(0, 300)], rows, made)) == 1


def test_what_was_mined_is_found_again_among_the_frames_of_training(tmp_path: Path) -> None:
    folder = tmp_path / "speech"
    rows = [
        speech_file(folder / "a", (3.0, "no"), seconds=6.0),
        speech_file(folder / "b", seconds=6.0),
        speech_file(folder / "c", (2.5, "yes"), seconds=6.0),
    ]
    made = bank.build(rows, FrontendConfig(), tmp_path / "cache")
    places = [p for row in rows for p in heard(row).places]
    first = hard_frames(places, rows, made, FrontendConfig(), offset=0, context=98, length=150)
    assert {f // made.length[0] for f in first.tolist()} == {0, 2}  # recordings in which a tone was heard
    power = np.stack([made.frames[f : f + 150].sum(axis=1) for f in first.tolist()])
    assert (power[:, 60:].max(axis=1) > 1e4 * np.median(made.frames.sum(axis=1))).all()  # the tone is heard in it
    assert (power[:, :40].max(axis=1) < 1e2 * np.median(made.frames.sum(axis=1))).all()  # and not before it


# -- the step --------------------------------------------------------------------------------


def test_a_diary_goes_on_where_it_was_even_after_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    first = Diary(path, {"least": 0.2})
    found = Heard("speech/ann/a.wav", ((Copy(), 4.0), (Copy(number=1, room=3), 4.5)), (PLACE,))
    first.add(found)
    first.add(dataclasses.replace(found, path="speech/bob/a.wav"))
    text = path.read_text()
    path.write_text(text[:-20])  # killed while it wrote
    again = Diary(path, {"least": 0.2})
    assert again.heard == {found.path: found}
    again.add(dataclasses.replace(found, path="speech/bob/a.wav"))
    assert path.read_text() == text
    with pytest.raises(BadInputError, match="other settings"):
        Diary(path, {"least": 0.3})


def test_the_summary_counts_places_per_hour_of_what_was_heard() -> None:
    noisy = Copy(number=1, noise="n", snr_db=5.0)
    places = (PLACE, dataclasses.replace(PLACE, keyword="no", copy=noisy), dataclasses.replace(PLACE, copy=noisy))
    lines = summary([Heard("a", ((Copy(), 1_800.0), (noisy, 900.0)), places)], ("yes", "no"))
    by_copy = {line["copy"]: line for line in lines}
    assert by_copy["as it is"]["per_hour_by_keyword"] == {"yes": 2.0, "no": 0.0}
    assert by_copy["copy 1"]["per_hour"] == 8.0
    assert by_copy["copies in noise"]["places"] == 2
    assert by_copy["copies in a room"]["hours"] == 0.0


def test_speech_that_a_table_says_holds_a_keyword_is_left_out(tmp_path: Path) -> None:
    for name in ("ann", "bob", "eve", "kim"):
        speech_file(tmp_path / "talk" / name, seconds=0.2)
    (tmp_path / "talk.tsv").write_text("path\tlanguage\tkeywords\ntalk/ann/a.wav\ten\tyes\n")
    listed = tmp_path / "more.tsv"
    listed.write_text("path\tkeywords\n/elsewhere/talk/bob/a.wav\tno\ntalk/eve/a.wav\t?\ntalk/kim/a.wav\toff\n")
    rows = speech_without([tmp_path / "talk"], ("yes", "no"), "all", listed)
    assert [row.speaker for row in rows] == ["kim"]
    with pytest.raises(BadInputError, match="two folders are called 'talk'"):
        speech_without([tmp_path / "talk", tmp_path / "talk"], ("yes",), "all", None)
    with pytest.raises(BadInputError, match="columns path and keywords"):
        speech_without([tmp_path / "talk"], ("yes",), "all", tmp_path / "none.tsv")
    listed.write_text("path\twords\n")
    with pytest.raises(BadInputError, match="lacks a column"):
        speech_without([tmp_path / "talk"], ("yes",), "all", listed)


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("ann", "bob", "eve"):
        folder = tmp_path / "talk" / name
        folder.mkdir(parents=True)
        soundfile.write(folder / "a.flac", rng.standard_normal(24_000) * 0.1, 16_000)
    return tmp_path / "talk"


def test_mine_writes_the_table_and_what_it_did_and_goes_on_with_more_speech(
    talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(Path(__file__).parent.parent / "models" / "commands")
    out = tmp_path / "hard.tsv"
    command = ["mine", model, str(talk), "--out", str(out), "--split", "all", "--copies", "1", "--least", "0.01"]
    assert cli.main(command) == 0
    first = out.read_bytes()
    places = read_hard(out)
    report = json.loads((tmp_path / "hard.json").read_text())
    assert report["places"] == len(places)
    assert report["speech"]["recordings"] == 3
    assert report["by_copy"][0]["hours"] == pytest.approx(4.5 / 3_600, abs=1e-3)
    capsys.readouterr()

    (talk / "kim").mkdir()
    soundfile.write(talk / "kim" / "a.flac", np.zeros(16_000), 16_000)
    assert cli.main(command) == 0
    assert "3 of 4 recordings were heard before" in capsys.readouterr().err
    assert out.read_bytes().startswith(first[:100])
    assert cli.main([*command, "--force"]) == 0
    assert "heard before" not in capsys.readouterr().err

    assert cli.main([*command[:-1], "0.3"]) == 2
    assert "other settings" in capsys.readouterr().err
    (tmp_path / "hard.tsv.heard.jsonl").unlink()
    assert cli.main(command) == 2
    assert "--force" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--least", "0"], ["--least", "1.5"], ["--copies", "-1"]])
def test_numbers_that_make_no_sense_are_refused(talk: Path, tmp_path: Path, wrong: list[str]) -> None:
    assert cli.main(["mine", "models/commands", str(talk), "--out", str(tmp_path / "h.tsv"), *wrong]) == 2
    assert not list(tmp_path.glob("h*"))


# -- rounds within training ------------------------------------------------------------------

RECIPE = Recipe(keywords=("yes", "no"), outputs=10)


class Ears:
    """Stands for a Keras network: scores "yes" where band 20 stands out at the end of the context."""

    def __init__(self, context: int, stride: int) -> None:
        self.context, self.stride = context, stride
        self.heard: list[Floats] = []

    def predict_on_batch(self, frames: Floats) -> Floats:
        self.heard.append(frames[0].copy())
        tone = frames[0, :, 17:24].max(axis=1) - np.median(frames[0], axis=1)
        last = np.arange(self.context - 1, len(tone), self.stride)
        logits = np.full((1, len(last), 4), -9.0, np.float32)
        logits[0, :, 1] = 0.0
        logits[0, :, 2] = np.where(tone[last] > 6.0, 9.0, -9.0)
        return logits


def speech_pools() -> Pools:
    """Two stretches of faint hiss, tones in it: two strong ones, and three that are just too faint."""
    frames = np.random.default_rng(0).uniform(0.5, 1.5, (9_000, 40)).astype(np.float32)
    for place in (2_000, 6_000):
        frames[place : place + 4, 20] = 3_000.0
    for place in (1_000, 3_000, 7_500):
        frames[place : place + 2, 20] = 320.0
    speech = np.array([[0, 4_000], [4_000, 5_000]], np.intp)
    values: dict[str, Any] = {f.name: np.zeros(0, np.intp) for f in dataclasses.fields(Pools)}
    return Pools(**{**values, "frames": frames, "speech": speech})


def mined(copies: int, seed: int = 0) -> tuple[npt.NDArray[np.intp], Ears]:
    ears = Ears(149, 2)
    options = {"context": 149, "stride": 2, "length": 167, "copies": copies, "seed": seed}
    return mine(ears, speech_pools(), [2, 3], **options), ears


def test_plain_mining_finds_the_places_that_score_high() -> None:
    found, _ = mined(0)
    ends = found + (167 - 149) // 2 + 149
    assert len(found) == 2
    assert all(abs(end - place) <= 3 for end, place in zip(ends.tolist(), (2_000, 6_000), strict=True))


def test_copies_add_places_and_keep_the_plain_ones_and_are_the_same_for_a_seed() -> None:
    plain, _ = mined(0)
    more, ears = mined(6)
    assert set(plain.tolist()) < set(more.tolist())
    assert np.array_equal(more, mined(6)[0])
    assert len(ears.heard) >= 7 * 4
    assert not np.array_equal(ears.heard[-1], mined(6, seed=1)[1].heard[-1])
    assert np.diff(more).min() >= 50  # the same tones at other speeds are the same places
    ends = more + (167 - 149) // 2 + 149
    assert all(min(abs(end - p) for p in (1_000, 2_000, 3_000, 6_000, 7_500)) < 12 for end in ends.tolist())


def test_a_round_is_read_again_only_when_it_was_mined_with_as_many_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The network's sizes without Keras, which takes long to load.
    sizes = SimpleNamespace(context_frames=149, step_frames=2)
    monkeypatch.setattr("train.mine.network", lambda *_: sizes)
    path = tmp_path / "hard1.npz"
    ears = Ears(149, 2)
    found = mine_round(ears, RECIPE, speech_pools(), path)
    count = len(ears.heard)
    assert np.array_equal(mine_round(ears, RECIPE, speech_pools(), path), found)
    assert len(ears.heard) == count
    mine_round(ears, RECIPE, speech_pools(), path, copies=1)
    assert len(ears.heard) > 2 * count
    np.savez(path, found=found, frames=9_000)  # as older versions wrote it
    assert np.array_equal(mine_round(ears, RECIPE, speech_pools(), path), found)


def test_a_recording_is_called_by_the_last_three_parts_of_its_path() -> None:
    assert key_of(Path("/data/speech/ann/a.wav")) == "speech/ann/a.wav"
    assert key_of(Path("ann/a.wav")) == f"{Path.cwd().name}/ann/a.wav"
