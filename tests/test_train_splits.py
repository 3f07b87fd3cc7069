"""Who speaks in people's own recordings, and on which side of the split they go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from train import data, splits
from train.data import Row, Words


def laid(root: Path, names: Sequence[str]) -> Words:
    """Empty files of these names, as rows: nothing is read to split them."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return data.words(root)


def sides(rows: Sequence[Row], of: str = "") -> set[str]:
    return {r.split for r in rows if not of or r.word == of}


def by_speaker(rows: Sequence[Row]) -> dict[str, set[str]]:
    out: dict[str, set[str]] = {}
    for row in rows:
        out.setdefault(row.speaker, set()).add(row.split)
    return out


@pytest.mark.parametrize(
    ("pattern", "speaker"),
    [
        ("{word}/{who}-{n:02d}.wav", "alice"),
        ("{word}/{who}{n}.wav", "alice"),
        ("{word}/{who}_{word}_{n}.flac", "alice"),
        ("{word}/{word}_{who}_{n}.flac", "alice"),
        ("{word}/rec_{who}_{word}_{n}.ogg", "alice"),
        ("{word}/{who} {n}.wav", "alice"),
    ],
)
def test_the_beginning_of_a_name_tells_who_speaks(tmp_path: Path, pattern: str, speaker: str) -> None:
    people = ("alice", "bob", "carol", "dave", "erin", "frank")
    names = [pattern.format(word=w, who=p, n=n) for w in ("yes", "no") for p in people for n in range(4)]
    made = laid(tmp_path, names)
    assert {r.speaker for r in made.rows} == set(people)
    assert made.splitting.by == {"prefix": 48}
    assert made.splitting.warning == ""
    assert all(len(s) == 1 for s in by_speaker(made.rows).values())
    assert sides(made.rows, "yes") == sides(made.rows, "no") == {"training", "validation"}
    assert speaker in {r.speaker for r in made.rows}


def test_a_folder_of_a_session_tells_who_speaks(tmp_path: Path) -> None:
    made = laid(tmp_path, [f"{w}/{p}/{n}.wav" for w in ("yes", "no") for p in ("alice", "bob") for n in range(5)])
    assert by_speaker(made.rows).keys() == {"alice", "bob"}
    assert made.splitting.by == {"folder": 20}
    assert sides(made.rows, "yes") == {"training", "validation"}
    assert "2 speakers" in made.splitting.note


@pytest.mark.parametrize(
    "pattern",
    [
        "{word}/recording-{n:02d}.wav",  # one beginning for all
        "{word}/{word}-{n}.wav",
        "{word}/{n:03d}.wav",
        "{word}/{word}{n}x9f{n}.wav",  # as many as recordings
        "{word}/today/{n}.wav",  # one session
        "{word}/{word}s/{n}.wav",  # a folder per word is no speaker
        "{word}/alice_nohash_{n}.wav",  # one speaker
    ],
)
def test_where_names_tell_nobody_apart_files_are_split_with_a_loud_warning(tmp_path: Path, pattern: str) -> None:
    made = laid(tmp_path, [pattern.format(word=w, n=n) for w in ("yes", "no") for n in range(30)])
    assert made.splitting.by == {"file": 60}
    assert "WARNING: 60 of 60" in made.splitting.warning
    assert "alice-01.wav" in made.splitting.warning
    assert {"training", "validation"} <= sides(made.rows, "yes")
    assert {"training", "validation"} <= sides(made.rows, "no")


def test_a_speaker_alone_with_one_word_is_not_what_splits_it(tmp_path: Path) -> None:
    names = [f"yes/alice-{n}.wav" for n in range(30)] + [f"no/bob-{n}.wav" for n in range(30)]
    made = laid(tmp_path, names)
    assert "file" in made.splitting.by
    assert sides(made.rows, "yes") >= {"training", "validation"}


def test_own_recordings_beside_a_published_set_leave_its_split_as_it_was(tmp_path: Path) -> None:
    published = [f"yes/{s}_nohash_0.wav" for s in ("026290a7", "bb05582b", "0165e0e8")]
    made = laid(tmp_path, [*published, *(f"marvin/me-{n}.wav" for n in range(30))])
    assert {r.speaker: r.split for r in made.rows if r.word == "yes"} == {
        "026290a7": "validation",
        "bb05582b": "testing",
        "0165e0e8": "training",
    }
    assert sides(made.rows, "marvin") >= {"training", "validation"}
    assert "30 of 33" in made.splitting.warning


@pytest.mark.parametrize("count", range(2, 12))
def test_with_few_speakers_both_sides_have_every_word_and_always_the_same(tmp_path: Path, count: int) -> None:
    names = [f"{w}/person{'abcdefghijkl'[p]}-{n}.wav" for w in ("yes", "no") for p in range(count) for n in range(3)]
    made = laid(tmp_path, names)
    for word in ("yes", "no"):
        assert sides(made.rows, word) == {"training", "validation"}  # none is spared for testing
    assert made.rows == data.words(tmp_path).rows
    assert all(len(s) == 1 for s in by_speaker(made.rows).values())


def test_a_word_of_one_speaker_is_trained_rather_than_validated(tmp_path: Path) -> None:
    both = [f"{w}/{p}-{n}.wav" for w in ("yes", "no") for p in ("ann", "ben", "cat", "dan") for n in range(3)]
    for alone in ("ann", "ben", "cat", "dan"):
        made = laid(tmp_path / alone, [*both, *(f"up/{alone}-{n}.wav" for n in range(3))])
        assert sides(made.rows, "up") == {"training"}
        assert sides(made.rows, "yes") == {"training", "validation"}


def test_many_speakers_spare_a_tenth_for_testing(tmp_path: Path) -> None:
    made = laid(tmp_path, [f"{w}/p{n}x-{k}.wav" for w in ("yes", "no") for n in range(200) for k in range(2)])
    assert sides(made.rows) == {"training", "validation", "testing"}
    assert made.splitting.moved == 0
    assert all(r.split == splits.split_of(r.speaker) for r in made.rows)


def test_hidden_files_and_folders_are_no_recordings(tmp_path: Path) -> None:
    made = laid(tmp_path, ["yes/a_nohash_0.wav", "yes/._a_nohash_0.wav", ".git/x.wav", "_background_noise_/hum.wav"])
    assert [r.path.name for r in made.rows] == ["a_nohash_0.wav"]


def test_how_it_was_split_can_be_written_down(tmp_path: Path) -> None:
    told = laid(
        tmp_path, [f"{w}/{p}-{n}.wav" for w in ("a", "b") for p in ("x", "y") for n in range(2)]
    ).splitting.as_dict()
    assert told["by"] == {"prefix": 8}
    assert sum(told["sides"].values()) == 8
