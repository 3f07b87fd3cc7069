"""The step as a whole: the model gets what was chosen, and what cannot be done is one sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy", reason="limits come from scipy, which the extra `train` brings")
pytest.importorskip("matplotlib", reason="pictures come from the extra `train`")
from spotter.errors import ModelError
from spotter.model import Model
from spotter.settings import DecoderConfig, as_dict
from tests.tuning import RNG
from train import cli
from train.metrics import Word
from train.streams import Stream
from train.truth import write

TINY = Path(__file__).parent / "data" / "models" / "tiny"


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up sound; what the tiny model with its random weights makes of it does not matter."""
    folder = tmp_path_factory.mktemp("streams")
    rng = RNG(0)
    words = tuple(Word(("yes", "no")[n % 2], 1.0 + 2 * n, 1.4 + 2 * n) for n in range(8))
    for name, said in (("words-quiet", words), ("speech-english", ())):
        loud = np.repeat(rng.uniform(0, 1, 100) > 0.4, 3_200)
        sound = (rng.standard_normal(320_000) * 0.1 * loud).astype(np.float32)
        write(folder / f"{name}.flac", Stream(np.clip(sound, -1, 1), said), about={"kind": name})
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY, tmp_path / "tiny"))


def tune(model: Path, tmp_path: Path, *more: object) -> int:
    places = ("--jobs", 1, "--cache", tmp_path / "cache", "--out", tmp_path / "report")
    return cli.main(["tune", str(model), *map(str, (*more, *places))])


def test_the_manifest_gets_the_settings_and_how_they_came_about_and_all_else_stays(
    model: Path, tmp_path: Path, streams: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = json.loads((model / "manifest.json").read_text())
    (model / "manifest.json").write_text(json.dumps({**before, "note": "kept"}))
    assert tune(model, tmp_path, "--target-fa", 2_000, "--streams", streams, "--margin", 0.05) == 0
    after = json.loads((model / "manifest.json").read_text())
    assert after["note"] == "kept"
    assert after["files"] == before["files"]
    assert after["decoder"]["margin"] == 0.05
    assert after["decoder"]["gate_dbfs"] == before["decoder"]["gate_dbfs"]
    tuned = after["training"].pop("tuned")
    assert after["training"] == before["training"]
    assert tuned["before"] == as_dict(DecoderConfig.from_dict(before["decoder"]))
    assert tuned["target"] == {"false_per_hour": 2_000, "recall": None}
    assert {s["counted_as"]: len(s["sha256"]) for s in tuned["streams"]} == {"words-quiet": 64, "speech-english": 64}
    opened = Model.open(model)
    assert opened.decoder.margin == 0.05
    out = capsys.readouterr().out
    assert "**2000, chosen**" in out
    assert "found words-quiet (8)" in out
    report = json.loads((tmp_path / "report" / "tune.json").read_text())
    assert report["rows"][report["chosen"]]["decoder"] == after["decoder"]
    assert (tmp_path / "report" / "tune.png").stat().st_size > 5_000
    assert "tune.png" in (tmp_path / "report" / "tune.md").read_text()


def test_a_dry_run_leaves_the_manifest_and_a_report_is_not_replaced_unasked(
    model: Path, tmp_path: Path, streams: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (model / "manifest.json").read_bytes()
    wanted = ("--target-fa", 2_000, "--streams", streams, "--by-keyword", "always", "--dry-run")
    assert tune(model, tmp_path, *wanted) == 0
    assert (model / "manifest.json").read_bytes() == before
    assert "stays as it is" in capsys.readouterr().out
    assert tune(model, tmp_path, *wanted) == 2
    assert "--force" in capsys.readouterr().err
    assert tune(model, tmp_path, *wanted, "--force") == 0


def test_a_recording_of_a_room_alone_never_lowers_a_threshold(
    model: Path, tmp_path: Path, streams: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    room = tmp_path / "room.wav"
    write(room, Stream((RNG(1).standard_normal(160_000) * 0.01).astype(np.float32), ()))
    room.with_suffix(".json").unlink()
    assert tune(model, tmp_path, "--target-fa", 1_000, "--negatives", room) == 0
    old, new = Model.open(TINY).decoder, Model.open(model).decoder
    assert all(new.threshold_of(k) >= old.threshold_of(k) for k in ("yes", "no"))
    assert (new.smooth_ms, new.margin, new.rearm) == (old.smooth_ms, old.margin, old.rearm)
    assert "negatives" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_heard(
    model: Path, tmp_path: Path, streams: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / "manifest.json.part").mkdir()
    assert tune(model, tmp_path, "--target-fa", 2_000, "--streams", streams) == ModelError.exit_code
    assert "cannot be written" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--target-fa", 0), "--target-fa 0 is out of range"),
        (("--target-recall", 1.5), "--target-recall 1.5 is out of range"),
        (("--target-fa", 1, "--speech", "x"), "go with DATA"),
        (("--target-fa", 1, "--negatives", "nowhere.wav"), "no recording nowhere.wav"),
        (("--target-fa", 1, "--rearm", 2, "--streams", "STREAMS"), "rearm 2.0 is out of range"),
        (("--target-recall", 0.9999, "--streams", "STREAMS"), "no setting that was tried finds"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    model: Path,
    tmp_path: Path,
    streams: Path,
    given: tuple[object, ...],
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tune(model, tmp_path, *(streams if g == "STREAMS" else g for g in given)) == 2
    assert told in capsys.readouterr().err
