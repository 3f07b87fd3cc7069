"""Other words, cut out of transcribed speech by alignment."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spotter.errors import BadInputError
from train.align import Aligned, Sentence, align, read_aligned, sentences_of, words_of, write_aligned
from train.aligner import Samples, Sphinx
from train.cli import main, words

DEMO = Path(__file__).parents[1] / "spotter" / "data" / "demo.flac"
SILENCE: Samples = np.zeros(32_000, np.int16)
SENTENCE = Sentence("speech/ann/a.flac", "ann", "I read a book.")
FOUND = [("<s>", 0, 0), ("<sil>", 1, 20), ("i", 21, 40), ("read(2)", 41, 80), ("a(2)", 81, 91), ("</s>", 92, 99)]


class Dictionary:
    """Knows all words but one, and finds what it is told to find."""

    def __init__(self, found: list[tuple[str, int, int]] | None, missing: str = "") -> None:
        self.found, self.missing = found, missing

    def knows(self, word: str) -> bool:
        return word != self.missing

    def segments(self, words: Sequence[str], samples: Samples) -> list[tuple[str, int, int]] | None:
        return self.found


def test_words_are_told_from_punctuation_and_keep_their_apostrophes() -> None:
    said = "\u201cDon\u2019t,\u201d he said: 'the miners\u2019 well-known ROCK'"
    assert words_of(said) == ["don't", "he", "said", "the", "miners", "well", "known", "rock"]


def test_the_aligners_marks_are_stripped() -> None:
    found, skipped = align(SENTENCE, SILENCE, Dictionary(FOUND))
    assert [w.word for w in found] == ["i", "read"]
    assert found[1] == Aligned(SENTENCE.path, "ann", "read", 41 * 160, 81 * 160)
    assert skipped.words == {"too short": 1}  # "a", 0.11 s
    assert not skipped.sentences


def test_a_sentence_with_a_word_that_is_not_in_the_dictionary_is_skipped_whole_and_counted() -> None:
    found, skipped = align(SENTENCE, SILENCE, Dictionary(FOUND, missing="book"))
    assert not found
    assert skipped.sentences == {"a word is not in the dictionary": 1}
    assert skipped.unknown == {"book": 1}


def test_what_does_not_fit_its_transcript_is_counted() -> None:
    assert align(SENTENCE, SILENCE, Dictionary(None))[1].sentences == {"transcript and sound do not fit": 1}
    whole_minute = np.zeros(61 * 16_000, np.int16)
    assert align(SENTENCE, whole_minute, Dictionary(FOUND))[1].sentences == {"longer than 60 s": 1}
    assert align(SENTENCE, SILENCE, Dictionary([("i", 0, 130)]))[1].words == {"too long": 1}


def test_only_english_with_a_transcript_is_aligned(tmp_path: Path) -> None:
    table = tmp_path / "speech.tsv"
    table.write_text(
        "path\tspeaker\tlanguage\ttranscript\na\tann\ten\tOne.\nb\tbob\tde\tEins.\nc\tcat\ten\t\n", "utf-8"
    )
    sentences, skipped = sentences_of(tmp_path / "speech")
    assert sentences == [Sentence("a", "ann", "One.")]
    assert skipped == {"not English": 1, "no transcript": 1}
    table.write_text("path\tspeaker\ttranscript\n", "utf-8")
    with pytest.raises(BadInputError, match="no English transcript"):
        sentences_of(tmp_path / "speech")


def test_the_words_of_a_real_sentence_lie_where_they_are_said(tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx", reason="has no wheel here")
    truth = json.loads(DEMO.with_suffix(".json").read_text("utf-8"))["words"]
    (tmp_path / "speech" / "ann").mkdir(parents=True)
    shutil.copy(DEMO, tmp_path / "speech" / "ann" / "a.flac")
    picnic = "It is a beautiful morning for a picnic by the river."
    transcript = " ".join([*(w["word"] for w in truth[:5]), picnic, *(w["word"] for w in truth[5:])])
    lines = ["path\tspeaker\ttranscript", f"speech/ann/a.flac\tann\t{transcript}", "speech/b.flac\tb\tXyzzyx it."]
    (tmp_path / "speech.tsv").write_text("\n".join([*lines, "speech/none.flac\tc\tIt.", ""]), "utf-8")
    out = tmp_path / "aligned.tsv"
    shutil.copy(DEMO, tmp_path / "speech" / "b.flac")
    assert main(["words", "align", str(tmp_path / "speech"), "--out", str(out)]) == 0
    found = read_aligned(out)
    assert {"beautiful", "morning", "picnic", "river"} <= {w.word for w in found}
    by_word = {w.word: w for w in found}  # the last of each
    for word in truth[5:]:
        if [w["word"] for w in truth[5:]].count(word["word"]) == 1:
            middle = (by_word[word["word"]].start_sample + by_word[word["word"]].end_sample) / 32_000
            assert word["start"] - 0.05 < middle < word["end"] + 0.05
    about = json.loads((tmp_path / "aligned.json").read_text("utf-8"))
    assert about["skipped_sentences"] == {"a word is not in the dictionary": 1, "recording cannot be read": 1}
    assert about["not_in_the_dictionary"] == {"xyzzyx": 1}


def test_what_was_aligned_before_moves_no_word() -> None:
    pytest.importorskip("pocketsphinx", reason="has no wheel here")
    words = [w["word"] for w in json.loads(DEMO.with_suffix(".json").read_text("utf-8"))["words"][:3]]
    samples, _ = soundfile.read(DEMO, frames=8 * 16_000, dtype="int16")
    loud = np.random.default_rng(0).integers(-20_000, 20_000, 32_000).astype(np.int16)
    aligner = Sphinx()
    found = aligner.segments(words, samples)
    aligner.segments(["no"], loud)
    assert found
    assert aligner.segments(words, samples) == found


def test_an_existing_table_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "aligned.tsv").write_text("mine", "utf-8")
    assert main(["words", "align", str(tmp_path), "--out", str(tmp_path / "aligned.tsv")]) == 2
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "aligned.tsv").read_text("utf-8") == "mine"


def test_a_table_of_words_is_read_as_it_was_written(tmp_path: Path) -> None:
    rows = [Aligned("speech/a.opus", "ann", "don't", 160, 4_800), Aligned("speech/b.opus", "b", "note", 0, 3_200)]
    write_aligned(tmp_path / "aligned.tsv", rows)
    assert read_aligned(tmp_path / "aligned.tsv") == rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column path and speaker and word and start and end"),
        ("path\tspeaker\tword\tstart\n", "no column end"),
        ("path\tspeaker\tword\tstart\tend\n", "holds no words"),
        ("path\tspeaker\tword\tstart\tend\na\tb\tc\t0\t160\na\tb\tc\t1.5\t9\n", "line 3: .*whole numbers"),
        ("path\tspeaker\tword\tstart\tend\na\tb\tc\t0\n", "line 2: .*whole numbers"),
        ("path\tspeaker\tword\tstart\tend\na\tb\tc\t9\t9\n", "line 2: 'c' from sample 9 to 9"),
    ],
)
def test_a_bad_table_of_words_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "aligned.tsv").write_text(text, "utf-8")
    with pytest.raises(BadInputError, match=message):
        read_aligned(tmp_path / "aligned.tsv")


def test_a_table_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="words align"):
        read_aligned(tmp_path / "aligned.tsv")
    (tmp_path / "aligned.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInputError, match="UTF-8"):
        read_aligned(tmp_path / "aligned.tsv")


def test_a_missing_package_is_named_with_how_to_install_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "_ALIGNER", "no-such-aligner")
    assert main(["words", "align", str(tmp_path), "--out", str(tmp_path / "aligned.tsv")]) == 1
    assert "pip install 'spotter-kws[words]'" in capsys.readouterr().err
