"""Other words by the thousand, said by synthetic voices."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from spotter.arrays import Floats
from train import synthesis
from train.cli import main, words
from train.near_words import Speaker, Utterance
from train.said import Said
from train.synthesis import say_one, softened, trimmed


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
