"""Other words by the thousand: cut out of transcribed speech by alignment, or said by synthetic voices."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from spotter.arrays import Floats
from spotter.errors import BadInputError
from train import near_words, synthesis
from train.align import Aligned, Sentence, align, read_aligned, sentences_of, words_of, write_aligned
from train.aligner import Samples, Sphinx
from train.cli import main, words
from train.near_words import Speaker, Utterance
from train.said import Said
from train.synthesis import say_one, softened, trimmed

DEMO = Path(__file__).parents[1] / "spotter" / "data" / "demo.flac"
KEYWORDS = ("down", "go", "left", "no", "right", "stop", "up", "yes")
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


class Tone:
    """A voice that hums 0.3 s in the middle of a second and a half."""

    def __init__(self, score: float = 0.9) -> None:
        self.labels: tuple[str, ...] = ("yes", "no")
        self.context = 24_000
        self.score = score

    def style(self, voice: str) -> Floats:
        return np.full((510, 256), len(voice), np.float32)

    def phonemes(self, text: str, *, stressed: bool = False) -> str:
        return text

    def say(self, text: str, style: Floats, speed: float = 1.0, *, stressed: bool = False) -> Floats:
        samples = np.zeros(24_000, np.float32)
        samples[9_600:14_400] = 0.3 * np.sin(np.arange(4_800) * 0.3)
        return samples

    def predict(self, window: Floats) -> Floats:
        return np.array([self.score, 1.0 - self.score], np.float32)


YES = Utterance("yes", Speaker("ann"), 0, "yes.", 1.0, -20.0)


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


def test_an_utterance_becomes_a_clip_of_the_word_alone_that_tells_its_speaker(tmp_path: Path) -> None:
    blend = Utterance("smart mirror", Speaker("ann", "bob", 0.4), 3, "smart mirror!", 1.0, -20.0)
    assert say_one(blend, tmp_path, Tone()) == Said(blend)
    path = tmp_path / "smart_mirror" / "ann-bob-40_nohash_3.flac"
    info = soundfile.info(path)
    assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
    assert info.duration == pytest.approx(0.3 + 2 * synthesis.AROUND_S, abs=0.03)


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / YES.path
    path.parent.mkdir()
    path.write_bytes(b"mine")
    say_one(YES, tmp_path, Tone())
    assert path.read_bytes() == b"mine"


def test_a_keyword_that_the_judge_does_not_hear_is_dropped(tmp_path: Path) -> None:
    said = say_one(YES, tmp_path, Tone(), Tone(score=0.01))
    assert said.score == pytest.approx(0.01)
    assert not said.kept
    assert not (tmp_path / YES.path).exists()
    yet = Utterance("yet", Speaker("ann"), 0, "yet", 1.0, -20.0)
    assert say_one(yet, tmp_path, Tone(), Tone(score=0.01)).kept  # no word of the judge's


def test_a_final_p_is_let_go_softly_and_nothing_before_it_changes() -> None:
    time = np.arange(16_000)
    up = np.where(time < 4_800, 0.5, np.where(time < 6_400, 0.0, 0.2)).astype(np.float32) * np.sin(time * 0.3)
    up = up.astype(np.float32)
    soft = softened(up, -20.0)
    assert np.array_equal(soft[:4_700], up[:4_700])
    assert soft[6_400:] == pytest.approx(up[6_400:] * 0.1)
    hum = np.sin(time * 0.3).astype(np.float32)
    assert np.array_equal(softened(hum, -20.0), hum)  # never closed


@pytest.mark.parametrize(("text", "soft"), [("up.", True), ("stop", True), ("left", False), ("help", False)])
def test_only_a_p_after_a_vowel_is_softened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, soft: bool
) -> None:
    called: list[float] = []

    def note(samples: Floats, release_db: float) -> Floats:
        called.append(release_db)
        return samples

    monkeypatch.setattr(synthesis, "softened", note)
    say_one(Utterance("word", Speaker("ann"), 0, text, 1.0, -12.5), tmp_path, Tone())
    assert called == ([-12.5] if soft else [])


def test_trimming_keeps_the_word_and_a_little_around_it() -> None:
    samples = Tone().say("yes", np.zeros(0, np.float32))
    cut = trimmed(samples)
    assert np.square(cut).sum() == pytest.approx(np.square(samples).sum())
    assert len(cut) == pytest.approx(4_800 + 2 * 2_400, abs=320)


@pytest.fixture
def synthesiser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A command line whose voices hum; the list tells what they were asked for."""
    asked: list[str] = []

    def inline(plan: Sequence[Utterance], out: Path, *_: Any) -> Iterator[Said]:
        for utterance in plan:
            asked.append(utterance.path)
            score = 0.01 if utterance.speaker.name == "af_a" else 0.9
            yield say_one(utterance, out, Tone(), Tone(score=score))

    monkeypatch.setattr(synthesis, "say_all", inline)
    monkeypatch.setattr(words, "_need", lambda *_: None)
    monkeypatch.setattr(words, "_versions", lambda _: {})
    (tmp_path / "voices").mkdir()
    for voice in ("af_a", "bm_b", "zf_c"):
        (tmp_path / "voices" / f"{voice}.bin").touch()
    (tmp_path / "mine.toml").write_text('[near]\nyes = ["yet", "yeah"]\n[everyday]\nwords = ["table"]\n', "utf-8")
    return asked


def _say(tmp_path: Path, *more: str) -> int:
    given = [
        "--voices",
        str(tmp_path / "voices"),
        "--out",
        str(tmp_path / "out"),
        "--words",
        str(tmp_path / "mine.toml"),
    ]
    few = ["--per-keyword", "6", "--per-word", "5", "--speakers", "4"]
    return main(["words", "say", *given, *few, "--keywords", "yes", *more])


def test_the_same_command_goes_on_where_it_stopped(tmp_path: Path, synthesiser: list[str]) -> None:
    assert _say(tmp_path) == 0
    assert len(synthesiser) == 6 + 5 + 5 + 3
    table = (tmp_path / "out" / "words.tsv").read_text("utf-8").splitlines()
    assert len(table) == 1 + len(synthesiser)
    dropped = [line for line in table if line.endswith("\tno")]
    assert dropped
    assert all("yes/af_a_" in line for line in dropped)
    assert not any("zf_c" in line for line in table)  # an accent, not asked for
    synthesiser.clear()
    (tmp_path / "out" / table[-1].partition("\t")[0]).unlink()
    assert _say(tmp_path) == 0
    assert synthesiser == [table[-1].partition("\t")[0]]  # not what was dropped
    assert set((tmp_path / "out" / "words.tsv").read_text("utf-8").splitlines()) == set(table)


def test_near_words_of_a_keyword_of_ones_own_come_from_the_command_line(
    tmp_path: Path, synthesiser: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _say(tmp_path, "--keywords", "yes", "lamp", "--near", "lamp=lamb, camp", "--same", "yes=yet") == 0
    assert {path.split("/")[0] for path in synthesiser} == {"yes", "lamp", "lamb", "camp", "yeah", "table"}
    assert "no words near" not in capsys.readouterr().err
    assert json.loads((tmp_path / "out" / "words.json").read_text("utf-8"))["counts"]["lamb"] == 5


def test_a_keyword_without_near_words_is_said_loudly(
    tmp_path: Path, synthesiser: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _say(tmp_path, "--keywords", "lamp") == 0
    assert "--near lamp=" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--near", "lamp=lamb"], "lamp=lamb"),
        (["--near", "yes"], "KEYWORD=WORD"),
        (["--per-word", "0"], "1 or more"),
        (["--voices", "nowhere"], "package/voices"),
        (["--words", "nowhere.toml"], "near_words.toml"),
    ],
)
def test_bad_arguments_are_refused_with_the_fix(
    tmp_path: Path, synthesiser: list[str], capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    assert _say(tmp_path, *more) == 2
    assert message in capsys.readouterr().err
    assert not synthesiser


def test_a_folder_in_which_names_stand_for_other_utterances_is_refused(
    tmp_path: Path, synthesiser: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _say(tmp_path) == 0
    assert _say(tmp_path, "--seed", "1") == 2
    assert "another folder" in capsys.readouterr().err


def test_a_missing_package_is_named_with_how_to_install_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "_ALIGNER", "no-such-aligner")
    assert main(["words", "align", str(tmp_path), "--out", str(tmp_path / "aligned.tsv")]) == 1
    assert "pip install 'spotter-kws[words]'" in capsys.readouterr().err
