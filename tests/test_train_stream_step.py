"""The step that writes streams: the same bytes each time, nothing replaced, truth files that fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.fakes import recording, tone

pytest.importorskip("scipy", reason="the extra `train` brings it")
from spotter.errors import BadInputError
from spotter.settings import SAMPLE_RATE
from train import truth
from train.cli import main
from train.metrics import Word
from train.streams import Stream


def folders(tmp_path: Path, *, speakers: int = 60) -> Path:
    """A data set of tones: words/, speech/ of two languages, noise/."""
    rng = np.random.default_rng(0)
    for word in ("yes", "no"):
        (tmp_path / "words" / word).mkdir(parents=True)
        for number in range(speakers):
            clip = np.concatenate((np.zeros(3_200), tone(word, 0.4), np.zeros(6_400))).astype(np.float32)
            soundfile.write(tmp_path / "words" / word / f"{number:08x}_nohash_0.wav", clip, SAMPLE_RATE)
    for speaker in range(40):
        for name in (f"en{speaker}", f"cv-xx-{speaker}"):
            (tmp_path / "speech" / name).mkdir(parents=True)
            talk = (0.05 * rng.standard_normal(8 * SAMPLE_RATE)).astype(np.float32)
            soundfile.write(tmp_path / "speech" / name / "a.wav", talk, SAMPLE_RATE)
    (tmp_path / "noise").mkdir()
    for number in range(30):
        hiss = (0.01 * rng.standard_normal(3 * SAMPLE_RATE)).astype(np.float32)
        soundfile.write(tmp_path / "noise" / f"hiss{number}.wav", hiss, SAMPLE_RATE)
    return tmp_path


def test_the_same_command_gives_the_same_bytes_and_each_kind_whichever_others_are_made(tmp_path: Path) -> None:
    data = folders(tmp_path)
    command = ["stream", str(data / "words"), "--speech", str(data / "speech"), "--noise", str(data / "noise")]
    command += ["--keywords", "yes", "no", "--per-word", "2", "--snr", "5"]
    assert main([*command, "--out", str(tmp_path / "a"), "--kinds", "words", "speech-other", "running"]) == 0
    assert main([*command, "--out", str(tmp_path / "b"), "--kinds", "running", "words"]) == 0
    made = {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()}
    assert sorted(p for p in made if p.endswith(".flac")) == [
        "running.flac",
        "speech-other-1.flac",
        "words-5db.flac",
        "words-quiet.flac",
    ]
    again = {p.name: p.read_bytes() for p in (tmp_path / "b").iterdir()}
    assert all(made[name] == content for name, content in again.items())
    about = json.loads(made["words-5db.json"])
    assert about["kind"] == "words-5db"
    assert about["seed"] == 0
    assert about["recipe"]["recordings"]["words"]["count"] > 0
    assert main([*command, "--out", str(tmp_path / "c"), "--kinds", "running", "--seed", "1"]) == 0
    assert (tmp_path / "c" / "running.flac").read_bytes() != made["running.flac"]


def test_streams_are_not_replaced_unless_forced_and_what_is_lacking_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = folders(tmp_path)
    command = ["stream", str(data / "words"), "--out", str(tmp_path / "out"), "--keywords", "yes", "--per-word", "1"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "no speech-english: it needs --speech" in said
    assert main(command) == 2
    assert "--force" in capsys.readouterr().err
    assert main([*command, "--kinds", "together"]) == 2
    assert main([*command, "--room", "--kinds", "words"]) == 0  # other names
    assert (tmp_path / "out" / "words-quiet-room.flac").exists()
    assert main([*command, "--force"]) == 0
    assert main([*command, "--kinds", "noise"]) == 2
    assert "give --noise" in capsys.readouterr().err
    assert main([*command[:4], "--keywords", "maybe"]) == 2
    assert "maybe" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".flac", ".wav"])
def test_a_stream_reads_back_as_it_was_written(tmp_path: Path, suffix: str) -> None:
    stream = Stream(recording((1.0, "yes"), seconds=3.0), (Word("yes", 1.0, 1.5),))
    path = tmp_path / f"one{suffix}"
    truth.write(path, stream, about={"kind": "mine", "seed": 3})
    again = truth.read(path)
    assert again.words == stream.words
    np.testing.assert_allclose(again.samples, stream.samples, atol=1 / 32_768)
    known = truth.look(path)
    assert (known.kind, known.seconds) == ("mine", 3.0)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["one.json", path.name])


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"seconds": 4.0}, "for a recording of 4 s"),
        ({"seconds": None}, '"seconds": 3.00'),
        ({"words": None}, 'no list "words"'),
        ({"words": [{"word": "yes", "start": 2.8, "end": 3.4}]}, "lies from 2.8 to 3.4 s"),
        ({"words": [{"word": "yes", "start": 1.5, "end": 1.0}]}, "correct it"),
        ({"words": [{"word": "yes", "start": "one"}]}, "word 1"),
        ({"sha256": "0" * 64}, "another recording of the same length"),
    ],
)
def test_a_truth_file_that_does_not_fit_its_recording_is_refused(
    tmp_path: Path, changed: dict[str, Any], says: str
) -> None:
    path = tmp_path / "one.wav"
    truth.write(path, Stream(np.zeros(48_000, np.float32), (Word("yes", 1.0, 1.5),)))
    beside = truth.truth_path(path)
    beside.write_text(json.dumps({**json.loads(beside.read_text("utf-8")), **changed}), "utf-8")
    with pytest.raises(BadInputError) as error:
        truth.read(path)
    assert says in str(error.value)


def test_a_recording_without_truth_is_an_error_unless_it_holds_no_keyword(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "room.wav", np.zeros(32_000, np.float32), SAMPLE_RATE)
    with pytest.raises(BadInputError, match=r"has no truth file; write its words to .*room\.json"):
        truth.read(tmp_path / "room.wav")
    assert truth.read(tmp_path / "room.wav", negatives=True).words == ()
    (tmp_path / "text.wav").write_text("no sound")
    for name, says in (("text.wav", "cannot be read as sound"), ("none.wav", "there is no recording")):
        with pytest.raises(BadInputError, match=says):
            truth.read(tmp_path / name)
    (tmp_path / "room.json").write_text("{", "utf-8")
    with pytest.raises(BadInputError, match="is no truth file"):
        truth.read(tmp_path / "room.wav")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match="no recordings in"):
        truth.recordings([tmp_path / "empty"])
