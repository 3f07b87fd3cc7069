"""Choosing a word: what speaks against it by its sounds, and by a backbone's distances."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spotter.arrays import Floats
from spotter.errors import BadInputError, ModelError
from train.cli import check_word, main
from train.say import hearing, reading, voices
from train.say.choosing import judge
from train.say.hearing import Apart, Take, apart, embedded, spoken, warped
from train.say.known import SHIPPED, common
from train.say.phonemes import sounds
from train.say.reading import Hibari, Reading

RATE = 16_000
has_hibari = importlib.util.find_spec("hibari") is not None
EVERYDAY = {
    "stop": "stɑp",  # noqa: RUF001
    "start": "stɑɹt",  # noqa: RUF001
    "yes": "jɛs",
    "yesterday": "jɛstəɹdA",
    "service": "sɜɹvəs",
    "mirror": "mɪɹəɹ",  # noqa: RUF001
    "stop it": "stɑpɪt",  # noqa: RUF001
}


def read(text: str, its: str, *, guessed: bool = False) -> Reading:
    return Reading(text, (its,), guessed)


TALK = [read(text, its) for text, its in EVERYDAY.items()]
JARVIS = read("jarvis", "ʤɑɹvɪs", guessed=True)  # noqa: RUF001


class Table:
    def read(self, text: str) -> Reading:
        its = EVERYDAY.get(text, {"jarvis": "ʤɑɹvɪs", "lamp": "læmp"}.get(text, sounds(text)))  # noqa: RUF001
        return read(text, its, guessed=text == "jarvis")


class Pitch:
    """A backbone whose embeddings are the loudest frequencies of 0.1 s, in kHz, and of the next 0.1 s."""

    name, context = "pitch", 3_200

    def embed(self, samples: Floats) -> Floats:
        found = []
        for at in range(0, len(samples) - 3_200 + 1, 800):
            halves = samples[at : at + 1_600], samples[at + 1_600 : at + 3_200]
            found.append([np.abs(np.fft.rfft(half)).argmax() / 160.0 for half in halves])
        return np.array(found, np.float32).reshape(-1, 2)


def tones(*hz: float) -> Floats:
    times = np.arange(3_200) / RATE
    return np.concatenate([0.2 * np.sin(2 * np.pi * f * times) for f in hz]).astype(np.float32)


def takes(*hz: float) -> list[Take]:
    """Three speakers, each a little higher."""
    return [Take(str(by), tones(*(f * by for f in hz))) for by in (0.95, 1.0, 1.05)]


def whys(choice_of: Reading, wanted: Sequence[Reading] = ()) -> str:
    return " | ".join(c.why for c in judge(choice_of, wanted=wanted, everyday=TALK).concerns)


def test_a_long_word_far_from_all_others_is_good() -> None:
    choice = judge(JARVIS, wanted=[], everyday=TALK)
    assert choice.verdict == "good"
    assert choice.nearest[0].text == "service"
    assert any("guessed" in note for note in choice.notes)


def test_a_word_of_one_syllable_is_poor_and_a_word_more_is_advised() -> None:
    choice = judge(read("lamp", "læmp"), wanted=[], everyday=TALK)
    assert choice.verdict == "poor"
    assert "too short: 4 sounds in 1 syllable" in choice.concerns[0].why
    assert '"hey lamp"' in choice.concerns[0].fix


def test_a_word_that_is_inside_another_says_so_but_not_of_phrases_that_simply_have_it() -> None:
    assert 'inside "yesterday"' in whys(read("yes", "jɛs"))
    assert "inside" not in whys(read("stop", EVERYDAY["stop"]))


def test_what_people_say_anyway_is_risky() -> None:
    assert "without meaning the listener" in whys(read("mirror", EVERYDAY["mirror"]))
    assert "without meaning the listener" not in whys(JARVIS)


def test_words_that_are_to_be_heard_together_are_held_against_each_other() -> None:
    garvis = read("garvis", "ɡɑɹvɪs")  # noqa: RUF001
    assert judge(JARVIS, wanted=[garvis], everyday=TALK).verdict in ("risky", "poor")
    assert 'sounds much like "garvis"' in whys(JARVIS, [garvis])
    assert "sounds just like" in whys(JARVIS, [read("jarviss", JARVIS.sounds)])
    assert 'inside "hey jarvis"' in whys(JARVIS, [Reading("hey jarvis", ("hA", JARVIS.sounds))])


def test_parts_of_a_phrase_do_not_count_as_near_it() -> None:
    smart = Reading("a mirror", ("ə", EVERYDAY["mirror"]))
    assert 'like "mirror"' not in whys(smart)
    assert 'like "mirror"' in whys(read("amirror", "ə" + EVERYDAY["mirror"]))


def test_warping_is_nothing_for_the_same_and_symmetric_and_forgives_tempo() -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.standard_normal((n, 4)).astype(np.float32) for n in (6, 9))
    assert warped(one, one) == 0.0
    assert warped(one, other) == pytest.approx(warped(other, one))
    assert warped(one, np.repeat(one, 2, axis=0)) == pytest.approx(0.0, abs=1e-9)


def test_a_backbone_tells_words_further_apart_than_voices_and_like_words_less_so() -> None:
    by_word = embedded({"a": takes(300, 900), "near": takes(300, 960), "far": takes(1_500, 400)}, Pitch())
    near, far = apart("a", "near", by_word), apart("a", "far", by_word)
    assert near is not None
    assert far is not None
    assert near.ratio < 1.5
    assert far.ratio > 2.0


def test_a_word_that_was_said_once_cannot_be_compared() -> None:
    by_word = embedded({"a": takes(300)[:1], "b": takes(900)[:1]}, Pitch())
    assert apart("a", "b", by_word) is None


def test_silence_is_refused() -> None:
    with pytest.raises(BadInputError, match="only silence in the recordings of 'a'"):
        embedded({"a": [Take("x", np.zeros(RATE, np.float32))]}, Pitch())


def test_words_that_a_backbone_cannot_tell_from_another_are_a_concern_but_not_parts_of_the_phrase() -> None:
    told = hearing.concerns([Apart("stop", "start", 1.0, 1.0), Apart("stop", "lamp", 2.0, 1.0)], "x", "voices")
    assert [c.level for c in told] == ["poor"]
    assert '"start"' in told[0].why
    assert hearing.concerns([Apart("hey you", "hey", 1.0, 1.0)], "x", "voices") == []


def test_one_voice_speaks_higher_and_lower_where_it_is_the_only_one() -> None:
    class Only:
        name = "hibari"

        def names(self) -> tuple[str, ...]:
            return ("heart",)

        def say(self, text: str, voice: str, *, speed: float = 1.0, pitch: float = 1.0, seed: int = 0) -> Floats:
            return tones(300 * pitch)

    assert len({take.speaker for take in spoken(["a"], [Only()])["a"]}) == 3


def test_everyday_words_are_there_each_once_and_the_shipped_ones_among_them() -> None:
    words = common()
    assert len(words) == len(set(words)) > 600
    assert set(SHIPPED) <= set(words)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No backbone, and a table that reads."""
    monkeypatch.setattr(reading, "Hibari", Table)

    def missing() -> None:
        raise ModelError("the backbone needs a package, which is missing")

    monkeypatch.setattr("spotter.backbone.open_backbone", missing)


@pytest.mark.usefixtures("alone")
def test_without_a_backbone_pronunciation_judges_alone_and_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-word", "jarvis"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("jarvis: ")
    assert "guessed" in told
    assert "by pronunciation alone: the backbone needs a package" in told


@pytest.mark.usefixtures("alone")
def test_json_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-word", "lamp", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["words"][0]["verdict"] == "poor"
    assert told["backbone"] is None


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("words", [["r2"], ["lamp", "Lamp"], [""]])
def test_bad_words_end_with_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-word", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_own_recordings_are_compared_by_the_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for word, hz in (("lamp", (300.0, 900.0)), ("lamb", (300.0, 960.0)), ("fan", (1_500.0, 400.0))):
        (tmp_path / word).mkdir()
        for take in takes(*hz):
            soundfile.write(tmp_path / word / f"{take.speaker.replace('.', '')}_nohash_0.wav", take.samples, RATE)
    choice = judge(read("lamp", "læmp"), wanted=[], everyday=TALK)
    found = check_word.in_recordings(choice, Pitch(), hearing.recorded(tmp_path))
    assert [h["other"] for h in found.heard] == ["lamb", "fan"]
    assert {h["of"] for h in found.heard} == {"your recordings"}
    other = check_word.in_recordings(judge(JARVIS, wanted=[], everyday=TALK), Pitch(), hearing.recorded(tmp_path))
    assert any("no recordings of it" in note for note in other.notes)


@pytest.mark.skipif(not has_hibari, reason="needs hibari-tts")
def test_the_sense_of_it_on_known_words() -> None:
    words = ["jarvis", "hey robot", "abracadabra", "computer", "go", "yes", "hey", "stop"]
    found = {c.word: c.verdict for c in check_word.choices(words, Hibari())}
    assert [found[w] for w in ("jarvis", "hey robot", "abracadabra")] == ["good"] * 3
    assert found["computer"] == "risky"
    assert [found[w] for w in ("go", "yes", "hey", "stop")] == ["poor"] * 4
    assert voices.missing() == [] or "pico" in voices.missing()
