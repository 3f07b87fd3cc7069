"""Streams of own words, alone or beside the shipped ones, take turns on the backbone and are heard as if alone."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from spotter.arrays import Floats
from spotter.backbone import open_backbone
from spotter.model import Model
from spotter.pipeline import Spotter
from spotter.streams import Together
from tests.own_words import write_own_words
from tests.test_pair import DEMO, write_pair

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pyopen_wakeword") is None, reason="pyopen-wakeword is not installed (no wheel here)"
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("models")
    own = write_own_words(base / "own", open_backbone())
    student = write_own_words(base / "student", open_backbone("student"))
    return {"own": own, "pair": write_pair(base / "pair", own), "student": student}


def scores(streams: list[Spotter], shift: int) -> list[Floats]:
    """Scores of each stream after each block; each hears the recording from elsewhere."""
    rows: list[list[Floats]] = [[] for _ in streams]
    for at in range(0, 48_000, 1_280):
        for number, stream in enumerate(streams):
            begin = at + number * shift
            stream.write(DEMO[begin : begin + 1_280])
            list(stream.events())
            rows[number].append(stream.scores.copy())
    return [np.stack(row) for row in rows]


@pytest.mark.parametrize("kind", ["own", "pair", "student"])
def test_scores_of_each_are_those_of_one_alone_to_the_bit(folders: dict[str, Path], kind: str) -> None:
    model = Model.open(folders[kind])
    shared = scores([Spotter(Together(model)) for _ in range(4)], shift=9_999)
    alone = scores([Spotter(model) for _ in range(4)], shift=9_999)
    for one, other in zip(shared, alone, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(shared[0], shared[1])
