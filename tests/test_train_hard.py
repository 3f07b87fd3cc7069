"""The table of places that fooled a model, and what training makes of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("scipy", reason="rooms come from scipy, which the extra `train` brings")
from spotter.errors import BadInputError
from spotter.settings import FrontendConfig
from tests.mined_speech import PLACE, heard, speech_file
from train import bank
from train.augment.copies import Copy
from train.data import Row, Split
from train.hard import Hard, hard_frames, read_hard, table


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
