"""A manifest may say how its keywords are said, and in which languages; older ones say nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spotter.backbone import open_backbone
from spotter.errors import ModelError
from spotter.model import Model
from tests.command_line import TINY
from train.own.save import DECODER, save_words


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY, tmp_path / "tiny"))


def say(folder: Path, **more: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))


def test_a_manifest_that_says_nothing_stays_valid(folder: Path) -> None:
    model = Model.open(folder)
    assert model.languages == ()
    assert model.phrases == {"yes": "yes", "no": "no"}


def test_what_it_says_is_what_the_model_has(folder: Path) -> None:
    say(folder, languages=["en", "pt-BR"], phrases={"yes": "oh yes!"})
    model = Model.open(folder)
    assert model.languages == ("en", "pt-BR")
    assert model.phrases == {"yes": "oh yes!", "no": "no"}


def test_the_shipped_model_says_it() -> None:
    model = Model.open("commands")
    assert model.languages == ("en",)
    assert tuple(model.manifest["phrases"]) == model.keywords


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"languages": "en"}, "'languages' is 'en', not a list"),
        ({"languages": []}, r"languages is \[\], not a list of different words"),
        ({"languages": ["en", "en"]}, "not a list of different words"),
        ({"phrases": ["yes"]}, r"'phrases' is \['yes'\], not an object"),
        ({"phrases": {"maybe": "may be"}}, "phrases has 'maybe', which is no keyword; export"),
        ({"phrases": {"yes": 3}}, "phrases has 3 for yes, not the words that are said; export"),
        ({"phrases": {"yes": " "}}, "phrases has ' ' for yes"),
    ],
)
def test_a_wrong_value_is_named_with_the_fix(folder: Path, more: dict[str, Any], words: str) -> None:
    say(folder, **more)
    with pytest.raises(ModelError, match=words):
        Model.open(folder)


@pytest.mark.parametrize("extend", [False, True])
def test_own_words_are_saved_with_how_they_are_said(tmp_path: Path, extend: bool) -> None:
    backbone = open_backbone("student")
    inputs = 3 * backbone.size
    head: Any = SimpleNamespace(
        labels=("_unknown_", "hey_robot"),
        window=3,
        mean=np.zeros(inputs, np.float32),
        scale=np.ones(inputs, np.float32),
        weights=np.zeros((inputs, 2), np.float32),
        bias=np.zeros(2, np.float32),
    )
    fitted: Any = SimpleNamespace(head=head, thresholds={"hey_robot": 0.5})
    extended = Model.open("commands") if extend else None
    model = save_words(tmp_path / "mine", fitted, backbone, decoder=DECODER, training={}, extend=extended)
    assert model.manifest["phrases"] == {"hey_robot": "hey robot"}
    assert model.phrases["hey_robot"] == "hey robot"
    assert set(model.phrases) == set(model.keywords)
