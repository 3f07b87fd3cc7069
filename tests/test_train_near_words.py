"""Which other words are said, by which voices: those near keywords, and everyday ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spotter.errors import BadInputError
from train import near_words

KEYWORDS = ("down", "go", "left", "no", "right", "stop", "up", "yes")


def test_a_word_that_sounds_like_a_keyword_is_never_said_as_another_word() -> None:
    near, everyday = near_words.read_words().others(KEYWORDS)
    said = [*near, *everyday]
    assert not {*KEYWORDS, "know", "write", "rite", "wright"} & set(said)
    assert len(set(said)) == len(said)
    assert {
        "now",
        "note",
        "mode",
        "known",
        "stopped",
        "stuff",
        "step",
        "off",
        "on",
        "of",
        "well",
        "will",
        "let",
    } <= set(near)
    assert len(everyday) >= 100


def test_the_shipped_words_name_near_ones_for_each_of_the_eight() -> None:
    found = near_words.read_words()
    assert all(len(found.near[keyword]) >= 12 for keyword in KEYWORDS)


@pytest.mark.parametrize("text", ["near = [", "[near]\nyes = 'yet'", "near = ['yet']", "[everyday]\nwords = [1]"])
def test_a_bad_file_of_near_words_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    with pytest.raises(BadInputError, match="no file of near words"):
        near_words.read_words(tmp_path / "mine.toml")


def test_speakers_are_all_voices_and_then_blends_each_once() -> None:
    by = near_words.speakers(["a", "b", "c"], 20, np.random.default_rng(0))
    assert [s.name for s in by[:3]] == ["a", "b", "c"]
    assert len({s.name for s in by}) == 20
    assert all(s.one != s.other for s in by)


def test_a_longer_plan_goes_on_from_a_shorter_one() -> None:
    by = near_words.speakers(["a", "b", "c"], 7, np.random.default_rng(0))
    short = near_words.plan({"yes": 10, "yet": 4}, by, seed=1)
    longer = near_words.plan({"yes": 30, "new": 5, "yet": 8}, by, seed=1)
    assert set(short) < set(longer)
    assert len({u.path for u in longer}) == len(longer) == 43
    assert near_words.plan({"yes": 10}, by, seed=2) != near_words.plan({"yes": 10}, by, seed=1)


def test_keywords_and_near_words_are_said_by_the_same_speakers_and_grow_alike() -> None:
    by = near_words.speakers(["a", "b", "c"], 5, np.random.default_rng(0))
    plan = near_words.plan({"yes": 20, "yet": 10}, by, seed=0)
    assert {u.speaker for u in plan if u.word == "yes"} == {u.speaker for u in plan if u.word == "yet"} == set(by)
    assert [u.word for u in plan[:15]].count("yes") == 10
