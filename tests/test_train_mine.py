"""Speech that fools a model: which places are kept, and the step that writes them down."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("scipy", reason="rooms come from scipy, which the extra `train` brings")
from spotter.errors import BadInputError
from tests.mined_speech import KEYWORDS, PLACE, heard, speech_file
from train import cli
from train.augment.copies import Copy
from train.cli.mine import speech_without
from train.data import Row
from train.evaluate import Scored
from train.hard import key_of, read_hard
from train.mine_recordings import Diary, Heard, peaks, summary


def scored(*values: float, hop: int = 1_600) -> Scored:
    """Scores of "yes", one each hop; "no" has none."""
    scores = np.zeros((len(values), 4), np.float32)
    scores[:, 0] = values
    levels = np.zeros((2, len(values)), np.float32)
    return Scored((np.arange(len(values)) + 1) * hop, levels[0], levels[1] - 90, scores, 1.0)


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


def test_a_recording_is_called_by_the_last_three_parts_of_its_path() -> None:
    assert key_of(Path("/data/speech/ann/a.wav")) == "speech/ann/a.wav"
    assert key_of(Path("ann/a.wav")) == f"{Path.cwd().name}/ann/a.wav"
