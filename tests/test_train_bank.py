"""The bank of background that own words are fitted against."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_allclose, assert_array_equal

from spotter.errors import BadInputError, ModelError
from tests.own_material import BANDS, RATE, bank_of, tones
from train.cli import main
from train.data import spoken_words, vocabulary
from train.own import make_bank as making
from train.own.bank import FOLDS, Bank, Packed, Packing, fold_of, read_bank, write_bank
from train.own.windows import NEVER, Line, laid, peaks
from train.own.word import blind


@pytest.fixture(scope="module")
def bank() -> Bank:
    return bank_of(np.random.default_rng(0))


def test_a_score_is_that_of_its_window_and_no_window_spans_two_segments() -> None:
    rng = np.random.default_rng(0)
    over = laid(rng.normal(size=(20, 3)).astype(np.float32), np.array([12, 2, 6]))
    line = Line(rng.normal(size=(4, 3)).astype(np.float32), 0.5)
    scores, ends = line.scores(over), over.ends(4)
    assert_allclose(scores[ends], line.of_windows(over.windows(ends, 4)), rtol=1e-5, atol=1e-5)
    assert (scores == NEVER).sum() == 3 + 2 + 3


def test_peaks_are_as_many_as_a_listener_would_report() -> None:
    scores = np.full(100, -5.0, np.float32)
    scores[[10, 12, 40]] = 3, 4, 2
    assert peaks(scores, 10, 2).tolist() == [12, 40]


def test_a_bank_read_again_is_the_same_but_for_the_rounding(tmp_path: Path, bank: Bank) -> None:
    write_bank(tmp_path / "bank.npz", bank, Packing(components=12, step=0.2))
    read = read_bank(tmp_path / "bank.npz", backbone="bands", sha256="0" * 64)
    assert np.abs(read.embeddings - bank.embeddings).max() < 0.1 * np.sqrt(12) + 1e-3
    assert_array_equal(read.length, bank.length)
    assert_array_equal(read.fold, bank.fold)
    assert read.hours("noise") == pytest.approx(bank.hours("noise"))


def test_a_bank_takes_a_fraction_of_the_embeddings_bytes(tmp_path: Path, bank: Bank) -> None:
    write_bank(tmp_path / "bank.npz", bank, Packing(step=2.0))
    assert (tmp_path / "bank.npz").stat().st_size < bank.embeddings.nbytes / 8


def test_speakers_go_round_all_folds() -> None:
    assert {fold_of(f"speaker{i}") for i in range(50)} == set(range(FOLDS))


@pytest.mark.parametrize("at", [0.3, 0.6, 0.7])
def test_a_bank_with_a_changed_byte_is_refused(tmp_path: Path, bank: Bank, at: float) -> None:
    path = tmp_path / "bank.npz"
    write_bank(path, bank, Packing(step=0.5))
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"damaged|no bank"):
        read_bank(path)


def test_a_bank_of_another_backbone_and_none_at_all_are_refused(tmp_path: Path, bank: Bank) -> None:
    write_bank(tmp_path / "bank.npz", bank)
    with pytest.raises(ModelError, match="was made with the backbone bands"):
        read_bank(tmp_path / "bank.npz", backbone="student")
    with pytest.raises(BadInputError, match="train background"):
        read_bank(tmp_path / "none.npz")


def test_what_is_said_in_the_bank_is_kept_and_can_be_left_out(tmp_path: Path, bank: Bank) -> None:
    said = tuple(frozenset(("smart", "mirror")[n % 3 :]) for n in range(len(bank.length)))
    write_bank(tmp_path / "bank.npz", replace(bank, said=said))
    again = read_bank(tmp_path / "bank.npz")
    left = again.without(frozenset({"smart", "mirror"}))

    assert again.said == said
    assert_array_equal(left.length, bank.length[np.arange(len(bank.length)) % 3 != 0])
    assert (len(left.embeddings), len(left.said)) == (left.length.sum(), len(left.length))
    assert again.without(frozenset({"smart", "glass"})) is again


def test_transcripts_tell_which_words_are_said_where(tmp_path: Path) -> None:
    (tmp_path / "speech.tsv").write_text(
        'path\ttranscript\nspeech/ann/1.wav\tHey, Robot: it\'s "on"!\nspeech/bob/1.wav\t\n', "utf-8"
    )
    found = vocabulary(tmp_path / "speech")

    assert found[tmp_path / "speech" / "ann" / "1.wav"] == {"hey", "robot", "it's", "on"}
    assert found[tmp_path / "speech" / "bob" / "1.wav"] == frozenset()
    assert spoken_words("hey_robot") == {"hey", "robot"}
    assert vocabulary(tmp_path / "noise") == {}


def test_a_head_does_not_see_what_the_bank_does_not_keep(tmp_path: Path, bank: Bank) -> None:
    write_bank(tmp_path / "bank.npz", bank, Packing(components=5, step=0.2))
    read = read_bank(tmp_path / "bank.npz")
    assert isinstance(read.packed, Packed)
    line = Line(np.random.default_rng(0).normal(size=(4, 12)).astype(np.float32), 0.3)
    over = laid(read.embeddings, read.length)
    seeing, blinded = line.scores(over), blind(line, read.packed).scores(over)
    assert_allclose(blinded, seeing, rtol=1e-3, atol=1e-2)
    off = np.linalg.svd(read.packed.basis)[2][-1].astype(np.float32) * 50  # a direction that is not kept
    moved = laid(read.embeddings + off, read.length)
    assert_allclose(blind(line, read.packed).scores(moved), blinded, rtol=1e-3, atol=1e-2)


def test_the_step_makes_a_bank_of_folders_and_replaces_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for speaker in ("anna", "ben"):
        (tmp_path / "speech" / speaker).mkdir(parents=True)
        soundfile.write(tmp_path / "speech" / speaker / "a.wav", tones(rng, 400, 700, 900), RATE)
    monkeypatch.setattr(making, "open_backbone", lambda _name: BANDS)
    monkeypatch.setattr("spotter.backbone.open_backbone", lambda _name: BANDS)
    monkeypatch.setattr(making, "_open", {})
    out = tmp_path / "bank.npz"
    command = ["background", "--speech", str(tmp_path / "speech"), "--all", "--rounding", "0.5", "--out", str(out)]
    assert main(command) == 0
    read = read_bank(out, backbone="bands")
    assert len(read.length) == 2
    assert read.hours("speech") > 0
    assert "h of speech" in capsys.readouterr().out
    assert out.with_suffix(".json").is_file()
    assert main(command) == 2
    assert "--force" in capsys.readouterr().err
