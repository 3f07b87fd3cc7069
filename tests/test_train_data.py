"""Recordings to rows, rows to frames, frames to sequences: what training is fed with."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import word

pytest.importorskip("scipy", reason="rooms come from scipy, which the extra `train` brings")
from spotter.errors import BadInputError
from spotter.frontend import Frontend
from spotter.settings import FrontendConfig
from train import bank, data, fragments, recipe
from train.batches import Mixer
from train.codes import Codes
from train.data import Row
from train.material import Folders, Material, gather
from train.recipe import Mixing, Recipe

RECIPE = Recipe(keywords=("yes", "no"), outputs=20)
LABELS = RECIPE.labels


@pytest.fixture(scope="session")
def folders(recordings: Path) -> Folders:
    return Folders(
        words=recordings / "words",
        cache=recordings / "cache",
        speech=recordings / "speech",
        noise=(recordings / "noise",),
    )


@pytest.fixture(scope="session")
def material(folders: Folders) -> Material:
    return gather(folders, RECIPE)


def test_speakers_are_split_by_the_data_sets_own_hash() -> None:
    # From the published validation_list.txt and testing_list.txt of Speech Commands 0.02.
    assert data.split_of("026290a7") == "validation"
    assert data.split_of("bb05582b") == "testing"
    assert data.split_of("0165e0e8") == "training"


def test_a_speaker_is_on_one_side_only(folders: Folders) -> None:
    sides: dict[str, set[str]] = {}
    for row in data.word_rows(folders.words):
        sides.setdefault(row.speaker, set()).add(row.split)
    assert all(len(s) == 1 for s in sides.values())


def test_speech_that_holds_a_keyword_or_may_hold_one_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "speech" / "reader"
    folder.mkdir(parents=True)
    for name in ("clean", "says_yes", "unknown", "foreign", "other"):
        (folder / f"{name}.flac").touch()
    rows = [
        "path\tlanguage\tkeywords",
        "speech/reader/clean.flac\ten\t",
        "speech/reader/says_yes.flac\ten\tyes on",
        "speech/reader/unknown.flac\ten\t?",
        "speech/reader/foreign.flac\tru\t?",
        "speech/reader/other.flac\ten\ton off",
    ]
    (tmp_path / "speech.tsv").write_text("\n".join(rows) + "\n")
    kept = {r.path.stem for r in data.speech_rows(tmp_path / "speech", ("yes", "no"))}
    assert kept == {"clean", "foreign", "other"}


def test_a_folder_without_recordings_or_with_too_few_is_refused_with_the_fix(tmp_path: Path, folders: Folders) -> None:
    with pytest.raises(BadInputError, match="one folder of recordings per word"):
        data.word_rows(tmp_path)
    with pytest.raises(BadInputError, match="is no folder"):
        data.word_rows(tmp_path / "nowhere")
    with pytest.raises(BadInputError, match=r"keyword 'maybe' \(found: cat, dog, no, yes\)"):
        gather(folders, Recipe(keywords=("yes", "maybe")))


def test_bad_files_are_listed_and_recorded_and_the_rest_is_used(
    folders: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = tmp_path / "words"
    shutil.copytree(folders.words, words)
    (words / "yes" / "speaker90_nohash_0.wav").write_text("no sound")
    (words / "no" / "speaker91_nohash_0.m4a").touch()
    made = gather(Folders(words=words, cache=tmp_path / "cache"), RECIPE).summary()
    assert made["words"]["recordings"] == 160
    assert {Path(p["path"]).name for p in made["passed_over"]} == {"speaker90_nohash_0.wav", "speaker91_nohash_0.m4a"}
    assert made["split"]["by"] == {"speaker": 161}
    told = capsys.readouterr().err
    assert told.count("speaker90_nohash_0.wav: it cannot be read") == 1
    assert "ffmpeg" in told


def test_too_few_recordings_are_refused_after_saying_which_were_passed_over(
    folders: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = tmp_path / "words"
    shutil.copytree(folders.words, words)
    for path in sorted((words / "yes").iterdir())[:30]:
        path.write_bytes(b"")
    with pytest.raises(BadInputError, match=r"training clips of 'yes' are too few \(10 recordings in all, 30 more"):
        gather(Folders(words=words, cache=tmp_path / "cache"), RECIPE)
    assert "30 files are passed over" in capsys.readouterr().err


def test_a_split_that_is_not_by_speaker_is_said_loudly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, hz in (("yes", 900), ("no", 2_500)):
        (tmp_path / "words" / name).mkdir(parents=True)
        for number in range(30):
            soundfile.write(tmp_path / "words" / name / f"recording-{number}.wav", word(hz + number), 16_000)
    made = gather(Folders(words=tmp_path / "words", cache=tmp_path / "cache"), RECIPE)
    assert "WARNING: 60 of 60 recordings are split by file" in capsys.readouterr().err
    assert made.summary()["split"]["by"] == {"file": 60}


def test_the_word_is_found_in_its_recording() -> None:
    power = Frontend(FrontendConfig()).energies(word(1_000.0))
    first, last, level, quiet = bank.describe(power)
    assert abs(first - 36) <= 3  # 6,000 samples are 37 frames
    assert abs(last - 77) <= 4
    assert level > 100 * power[quiet].sum(axis=1).mean()


def test_features_are_computed_once_and_unreadable_files_are_passed_over(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", word(700.0), 16_000)
    (tmp_path / "b.wav").write_text("no sound")
    rows = [Row(tmp_path / n, "x", "s", "training") for n in ("a.wav", "b.wav")]
    first = bank.build(rows, FrontendConfig(), tmp_path / "cache", rooms=1)
    assert len(first) == 2  # as it is, and in a room
    assert first.row.tolist() == [0, 0]
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("*.npy")}
    again = bank.build(rows, FrontendConfig(), tmp_path / "cache", rooms=1)
    assert np.array_equal(again.frames, first.frames)
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("*.npy")}


def test_the_bank_holds_just_the_front_ends_frames(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", word(700.0), 16_000, subtype="FLOAT")
    made = bank.build([Row(tmp_path / "a.wav", "x", "s", "training")], FrontendConfig(), tmp_path / "cache")
    frontend = Frontend(FrontendConfig())
    assert np.array_equal(frontend.compress(made.frames.copy()), frontend(word(700.0)))


def test_pieces_of_speech_are_cut_at_dips_and_are_as_long_as_words(material: Material) -> None:
    lengths = material.fragments[:, 2] - material.fragments[:, 1]
    assert len(lengths) > 5
    assert lengths.min() >= 18
    assert lengths.max() <= 90


def mixer(material: Material, **changes: float) -> Mixer:
    plain = Mixing(clean=1.0, mask=0.0, warp=0.0, stretch=0.0, bare=0.0, second=0.0)
    mixing = dataclasses.replace(plain, **changes)  # type: ignore[arg-type]
    return Mixer(material.pools(RECIPE, "training"), LABELS, mixing, context=149, stride=2, outputs=20)


def test_the_same_seed_gives_the_same_batch_and_another_seed_another(material: Material) -> None:
    one = Mixer(material.pools(RECIPE, "training"), LABELS, Mixing(), context=149, stride=2, outputs=20)
    a, b, c = (one.draw(np.random.default_rng(seed), 32) for seed in (1, 1, 2))
    assert np.array_equal(a.frames, b.frames)
    assert np.array_equal(a.codes, b.codes)
    assert not np.array_equal(a.frames, c.frames)
    assert a.frames.shape == (32, 149 + 2 * 19, 40)
    assert np.isfinite(a.frames).all()


def test_a_keyword_must_be_given_when_its_word_has_just_ended_and_not_before(material: Material) -> None:
    only = mixer(material, others=0.0, fragments=0.0, speech=0.0, noise=0.0, hard=0.0)
    batch = only.draw(np.random.default_rng(3), 64)
    codes = Codes(LABELS)
    ends = 148 + 2 * np.arange(20)
    judged = 0
    for frames, row in zip(batch.frames, batch.codes, strict=True):
        loud = frames.max(axis=1) > frames.max() - 6.5
        end = int(np.flatnonzero(loud)[-1])
        for code, at in zip(row.tolist(), ends.tolist(), strict=True):
            delay = at - end
            if 15 <= delay <= 38:
                assert code in (LABELS.index("yes"), LABELS.index("no"))
                judged += 1
            elif delay < -15 or delay > 72:
                assert code == codes.nothing
    assert judged > 50


def test_running_speech_and_pieces_of_it_are_never_a_keyword(material: Material) -> None:
    none = mixer(material, keywords=0.0)
    codes = Codes(LABELS)
    batch = none.draw(np.random.default_rng(4), 64)
    allowed = codes.table[batch.codes]
    assert not allowed[:, :, [LABELS.index("yes"), LABELS.index("no")]].any()


def test_codes_allow_what_their_name_says() -> None:
    codes = Codes(LABELS)
    yes = LABELS.index("yes")
    assert codes.table[yes].tolist() == [float(label == "yes") for label in LABELS]
    assert codes.table[codes.near + yes].tolist() == [float(x in ("yes", "_unknown_", "_silence_")) for x in LABELS]
    assert codes.table[codes.nothing].tolist() == [float(x in ("_unknown_", "_silence_")) for x in LABELS]


@pytest.mark.parametrize(
    "option",
    ["stretch", "warp", "mask", "bare", "second", "clean", "snr_low_db", "early", "late", "gone", "keywords", "noise"],
)
def test_no_option_of_the_mixing_is_without_effect(material: Material, option: str) -> None:
    base = Mixing()
    value = {"early": 4, "late": 30, "gone": 50, "snr_low_db": -20.0}.get(option, 0.0)
    pools = material.pools(RECIPE, "training")

    def drawn(mixing: Mixing) -> bytes:
        made = Mixer(pools, LABELS, mixing, context=149, stride=2, outputs=20).draw(np.random.default_rng(5), 48)
        return made.frames.tobytes() + made.codes.tobytes()

    changed = dataclasses.replace(base, **{option: value})  # type: ignore[arg-type]
    assert drawn(changed) != drawn(base)


def test_words_alone_are_enough_to_train_on(folders: Folders, tmp_path: Path) -> None:
    alone = gather(Folders(words=folders.words, cache=tmp_path), RECIPE)
    made = Mixer(alone.pools(RECIPE, "training"), LABELS, Mixing(), context=149, stride=2, outputs=20)
    assert np.isfinite(made.draw(np.random.default_rng(0), 32).frames).all()


def test_a_recipe_with_an_unknown_option_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("stepps = 5\n")
    with pytest.raises(BadInputError, match="stepps"):
        recipe.read(path)
    path.write_text("steps = \n")
    with pytest.raises(BadInputError, match="TOML"):
        recipe.read(path)
    with pytest.raises(BadInputError, match="no recipe"):
        recipe.read(tmp_path / "none.toml")


def test_the_recipe_that_comes_along_can_be_read() -> None:
    made = recipe.read(Path(__file__).parent.parent / "train" / "recipes" / "commands.toml")
    assert made.keywords == recipe.COMMANDS


def test_fragments_of_nothing_are_nothing() -> None:
    empty = bank.empty(FrontendConfig())
    assert fragments.cut(empty, np.arange(0)).shape == (0, 3)
