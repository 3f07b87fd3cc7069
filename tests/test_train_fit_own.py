"""Few recordings take the way of a head: without TensorFlow, with what is to be expected, and a model that hears."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("scipy", reason="a head is fitted with scipy")
import soxr

from spotter.arrays import Floats
from spotter.backbone import GOOGLE
from spotter.events import Detection
from spotter.manifest import HEAD, VOICE, write_manifest
from spotter.model import Model
from spotter.pipeline import Spotter
from train.cli import main
from train.own.bank import read_bank, write_bank
from train.own.shipped import bank_of
from train.own.update import Heard, no_worse

ROOT = Path(__file__).parent.parent
DEMO: Floats = soundfile.read(ROOT / "spotter" / "data" / "demo.flac", dtype="float32")[0]
TAKES = {"yes": (1.0, 2.2), "no": (3.3, 4.6), "stop": (21.2, 22.4), "phrase": (11.8, 13.2)}  # seconds of the demo
SPEEDS = (0.9, 0.94, 0.97, 1.0, 1.03, 1.06, 1.1, 1.13)

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pyopen_wakeword") is None, reason="pyopen-wakeword is not installed (no wheel here)"
)


def take(word: str, speed: float) -> Floats:
    begin, end = (round(s * 16_000) for s in TAKES[word])
    return np.asarray(soxr.resample(DEMO[begin:end], 16_000 * speed, 16_000), np.float32)


def record(folder: Path, word: str, name: str, speed: float) -> None:
    (folder / word).mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / word / f"{name}.wav", take(word, speed), 16_000)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of two words in four sessions, something wrong among them, and a bank of less than an hour."""
    base = tmp_path_factory.mktemp("own")
    for number, speed in enumerate(SPEEDS):
        for word in ("yes", "stop"):
            record(base / "data", word, f"me-day{number % 4}_nohash_{number // 4}", speed)
    soundfile.write(base / "data" / "yes" / "silent_nohash_0.wav", np.zeros(16_000, np.float32), 16_000)
    (base / "data" / "stop" / "broken_nohash_0.wav").write_bytes(b"RIFF, but no sound")
    (base / "data" / "_negatives_").mkdir()
    soundfile.write(base / "data" / "_negatives_" / "room.wav", DEMO[12 * 16_000 : 17 * 16_000], 16_000)
    whole = read_bank(bank_of(GOOGLE))
    kept = np.arange(len(whole.length)) % 16 == 0
    rows = np.repeat(kept, whole.length)
    part = replace(
        whole,
        embeddings=whole.embeddings[rows],
        length=whole.length[kept],
        kind=whole.kind[kept],
        fold=whole.fold[kept],
    )
    write_bank(base / "bank.npz", part)
    return base


def train(here: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # TensorFlow cannot be imported in this process: few recordings must do without it.
    blocked = "import sys; sys.modules['tensorflow'] = None; sys.modules['keras'] = None; "
    code = blocked + "from train.cli import main; raise SystemExit(main(sys.argv[1:]))"
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "HOME": str(here)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=here, env=env, capture_output=True, text=True, timeout=280, check=False)


@pytest.fixture(scope="module")
def fitted(here: Path) -> subprocess.CompletedProcess[str]:
    done = train(here, "fit", "data", "--out", "models/mine", "--background", "bank.npz", "--only-my-voice")
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def plain(here: Path, fitted: subprocess.CompletedProcess[str], tmp_path: Path) -> Path:
    """Return a model of everybody's voice: what was fitted, without the voice beside it."""
    folder = tmp_path / "plain"
    shutil.copytree(here / "models" / "mine", folder)
    (folder / VOICE).unlink()
    write_manifest(folder, json.loads((folder / "manifest.json").read_text("utf-8")), [HEAD])
    return folder


def heard(model: Model, samples: Floats) -> list[str]:
    spotter = Spotter(model, padded=True)
    events: list[object] = []
    for at in range(0, len(samples), 16_000):
        spotter.write(samples[at : at + 16_000])
        events += spotter.events()
    return [e.keyword for e in (*events, *spotter.finish()) if isinstance(e, Detection)]


def test_it_says_what_was_given_what_is_to_be_expected_and_what_to_type_next(
    fitted: subprocess.CompletedProcess[str],
) -> None:
    assert "recordings: stop 8, yes 8; a head on google-speech-embedding" in fitted.stderr
    assert "silent_nohash_0.wav holds only silence" in fitted.stderr
    assert "broken_nohash_0.wav cannot be read" in fitted.stderr
    assert "yes: 8 recordings in 4 sessions" in fitted.stdout
    assert "found in quiet: " in fitted.stdout
    assert "an hour expected, counted" in fitted.stdout
    assert "only your voice: each judged by the others, " in fitted.stdout
    assert fitted.stdout.endswith("next: spotter listen --model models/mine\n")


def test_the_model_hears_its_words_and_leaves_others_alone(
    here: Path, fitted: subprocess.CompletedProcess[str]
) -> None:
    model = Model.open(here / "models" / "mine")
    assert model.keywords == ("stop", "yes")
    assert set(model.manifest["files"]) == {"head.npz", "voice.npz"}
    for word in ("yes", "stop"):
        assert heard(model, take(word, 1.01)) == [word]
    assert heard(model, take("no", 1.0)) == []
    assert heard(model, DEMO[12 * 16_000 : 17 * 16_000]) == []
    card = (here / "models" / "mine" / "CARD.md").read_text()
    assert "| yes | 8 | 4 |" in card
    assert (
        json.loads((here / "models" / "mine" / "manifest.json").read_text())["training"]["words"]["yes"]["sessions"]
        == 4
    )


@pytest.mark.usefixtures("fitted")
def test_an_existing_model_is_not_replaced_unless_forced(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(here)
    assert main(["fit", "data", "--out", "models/mine", "--background", "bank.npz"]) == 2
    assert "models/mine exists; give another name, or --force to replace it" in capsys.readouterr().err


def test_a_new_model_takes_the_place_of_the_old_one_only_if_it_is_no_worse(here: Path, plain: Path) -> None:
    step = ["fit", "data", "--keywords", "yes", "--out", "models/again", "--background", "bank.npz"]
    shutil.copytree(plain, here / "models" / "again")
    first = (here / "models" / "again" / "head.npz").read_bytes()
    done = train(here, *step, "--update", "--seed", "1")
    assert done.returncode == 0, done.stderr
    assert (
        "the new model: 8 of 8 recordings found, 0 false; the old one: 8 of 8 recordings found, 0 false" in done.stdout
    )
    second = (here / "models" / "again" / "head.npz").read_bytes()
    assert second != first
    assert no_worse(Heard(5, 6, 1), Heard(5, 6, 1))
    assert no_worse(Heard(6, 6, 0), Heard(5, 6, 1))
    assert not no_worse(Heard(4, 6, 0), Heard(5, 6, 1))
    assert not no_worse(Heard(6, 6, 2), Heard(5, 6, 1))


def test_a_worse_model_does_not_take_the_place_of_a_better_one(
    here: Path, plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(here)
    step = ["fit", "data", "--keywords", "stop", "--out", "models/kept", "--background", "bank.npz"]
    shutil.copytree(plain, here / "models" / "kept")
    before = (here / "models" / "kept" / "head.npz").read_bytes()
    seen = iter([Heard(8, 8, 0), Heard(7, 8, 0)])  # the old one, then the new one
    monkeypatch.setattr("train.own.update.heard_by", lambda *_: next(seen))
    assert main([*step, "--update", "--seed", "2"]) == 0
    assert "stays as it is: the new model is worse" in capsys.readouterr().out
    assert (here / "models" / "kept" / "head.npz").read_bytes() == before
    assert not [p for p in (here / "models").iterdir() if p.name.startswith(".kept")]


def test_own_words_beside_the_shipped_ones(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(here)
    step = ["fit", "more", "--out", "models/more", "--background", "bank.npz", "--extend", "commands"]
    record(here / "more", "no", "a_nohash_0", 1.0)
    assert main(step) == 2
    assert "'no' is a word of commands already" in capsys.readouterr().err
    (here / "more" / "no").rename(here / "more" / "phrase")
    assert main(step) == 2
    assert "1 recordings of 'phrase' are too few; record at least 5" in capsys.readouterr().err
    for number, speed in enumerate(SPEEDS[:5]):
        record(here / "more", "phrase", f"a_nohash_{number}", speed)
    done = train(here, *step)
    assert done.returncode == 0, done.stderr
    assert "all of one session" in done.stdout
    both = Model.open(here / "models" / "more")
    assert both.keywords == (*Model.open("commands").keywords, "phrase")
    assert heard(both, DEMO[: 14 * 16_000]) == ["yes", "no", "up", "down", "left", "phrase"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["data", "--keywords", "yes", "yes"], "the word 'yes' was given twice"),
        (["data", "--keywords", "maybe"], "there is no folder data/maybe (found: stop, yes)"),
        (
            ["silence"],
            "no recording of 'hush' with sound in silence/hush; record it again: python -m train record hush",
        ),
        (["long"], "the longest for an own word"),
        (["nowhere"], "nowhere cannot be read (No such file or directory)"),
        (["data", "--background", "nobank.npz"], "there is no bank nobank.npz"),
        (["data", "--negatives", "missing.wav"], "there is no recording missing.wav"),
        (["data", "--target-fa", "0"], "0.0 false accepts an hour cannot be aimed at"),
        (["data", "--backbone", "mine"], "there is no backbone called 'mine'"),
    ],
)
def test_bad_input_gets_one_sentence(
    here: Path,
    arguments: list[str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(here)
    if arguments == ["silence"]:
        (here / "silence" / "hush").mkdir(parents=True, exist_ok=True)
        soundfile.write(here / "silence" / "hush" / "a_nohash_0.wav", np.zeros(16_000, np.float32), 16_000)
    if arguments == ["long"]:
        (here / "long" / "speech").mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(0).normal(0, 0.1, 160_000).astype(np.float32)
        for n in range(5):
            soundfile.write(here / "long" / "speech" / f"a_nohash_{n}.wav", noise, 16_000)
    bank = [] if "--background" in arguments else ["--background", "bank.npz"]
    code = main(["fit", *arguments, "--out", "models/none", "--way", "head", *bank])
    said = capsys.readouterr().err
    assert code == 2, said
    assert sentence in said
    assert len(said.strip().splitlines()[-1].split("; ")) <= 3
    assert "Traceback" not in said
    assert not (here / "models" / "none").exists()
