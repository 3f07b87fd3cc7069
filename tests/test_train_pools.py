"""Words by synthetic voices and words cut out of sentences take part, on the training side, each in its share."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from train.batches import Mixer
from train.data import speech_rows
from train.hard import key_of
from train.material import Folders, Material, gather
from train.recipe import Mixing, Recipe

RECIPE = Recipe(keywords=("yes", "no"), outputs=20)
LABELS = RECIPE.labels


@pytest.fixture(scope="session")
def material(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Material:
    here = tmp_path_factory.mktemp("more")
    words = sorted((recordings / "words" / "yes").iterdir())[:40]
    for name in ("yes", "yet", "yell"):
        (here / "said" / name).mkdir(parents=True)
        for path in words:
            shutil.copy(path, here / "said" / name / path.name)
    lines = ["path\tspeaker\tword\tstart\tend"]
    for row in speech_rows(recordings / "speech", ()):
        samples = soundfile.info(row.path).frames
        for word, at in (("throw", 0.1), ("know", 0.4), ("yes", 0.7)):
            lines.append(f"{key_of(row.path)}\t{row.speaker}\t{word}\t{int(at * samples)}\t{int(at * samples) + 4800}")
    (here / "aligned.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    folders = Folders(
        words=recordings / "words",
        cache=here / "cache",
        speech=recordings / "speech",
        noise=(recordings / "noise",),
        synthetic=here / "said",
        aligned=here / "aligned.tsv",
    )
    return gather(folders, RECIPE)


def test_aligned_words_are_pieces_of_speech_and_keywords_among_them_are_keywords(material: Material) -> None:
    pools = material.pools(RECIPE, "training")
    plain = dataclasses.replace(material, aligned=[]).pools(RECIPE, "training")
    assert set(pools.aligned) == {"throw"}
    cut = np.setdiff1d(pools.by_word["yes"], plain.by_word["yes"])
    assert len(cut) > 3
    assert not pools.whole[cut].any()
    assert (pools.label[cut] == LABELS.index("yes")).all()
    assert (pools.word_end[cut] - pools.word_start[cut] == 30).all()


def test_words_that_sound_like_keywords_are_no_negatives(material: Material) -> None:
    assert "know" not in material.pools(RECIPE, "training").aligned
    assert "know" in material.pools(dataclasses.replace(RECIPE, never=()), "training").aligned


def test_what_is_synthetic_or_aligned_never_validates(material: Material) -> None:
    validation = material.pools(RECIPE, "validation")
    assert not validation.said
    assert not validation.aligned
    assert set(material.pools(RECIPE, "training").said) == {"yes", "yet", "yell"}


def test_every_item_lies_within_the_frames(material: Material) -> None:
    pools = material.pools(RECIPE, "training")
    assert (pools.start >= 0).all()
    assert (pools.start + pools.length <= len(pools.frames)).all()
    assert (pools.word_start < pools.word_end).all()
    assert (pools.word_end <= pools.length).all()
    assert np.isfinite(pools.level).all()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("said_keywords", 0.9),
        ("said_others", 0.9),
        ("aligned", 0.0),
        ("shift", 0.2),
        ("level", 0.0),
        ("running_clean", 0.0),
        ("voices", 0.9),
        ("tilt_db", 0.0),
        ("ripple_db", 0.0),
        ("band_limit", 0.9),
        ("mixup", 0.5),
    ],
)
def test_no_option_of_the_mixing_is_without_effect(material: Material, option: str, value: float) -> None:
    pools = material.pools(RECIPE, "training")

    def drawn(mixing: Mixing) -> bytes:
        made = Mixer(pools, LABELS, mixing, context=149, stride=2, outputs=20).draw(np.random.default_rng(5), 48)
        assert np.isfinite(made.frames).all()
        return made.frames.tobytes() + made.codes.tobytes()

    assert drawn(dataclasses.replace(Mixing(), **{option: value})) != drawn(Mixing())  # type: ignore[arg-type]


def test_the_same_recordings_under_another_path_are_not_computed_again(recordings: Path, tmp_path: Path) -> None:
    link = tmp_path / "here"
    link.symlink_to(recordings)
    gather(Folders(words=recordings / "words", cache=tmp_path / "cache"), RECIPE)
    before = sorted(p.name for p in (tmp_path / "cache").iterdir() if p.is_dir())
    gather(Folders(words=link / "words", cache=tmp_path / "cache"), RECIPE)
    assert sorted(p.name for p in (tmp_path / "cache").iterdir() if p.is_dir()) == before
