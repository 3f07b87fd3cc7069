"""From recordings to a model folder that the listener opens, with a tiny network and few steps."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotter.model import Model
from spotter.recorded import spot
from tests.steps import SMALL, train, train_several
from train.cli import main
from train.looks import looks_of

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="TensorFlow has no wheel for this Python"
)

RECIPE = f"""
keywords = ["yes", "no"]
steps = 16
check_every = 8
batch = 8
outputs = 10
warm_up = 2
rounds = 1
round_steps = 8
{SMALL}
"""


@pytest.fixture(scope="module")
def trained(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("workshop")
    (here / "tiny.toml").write_text(RECIPE)
    done = train(*fit_arguments(recordings), cwd=here)
    assert done.returncode == 0, done.stderr[-3_000:]
    assert "right" in done.stdout
    return here


def fit_arguments(recordings: Path, name: str = "mine") -> list[str]:
    data = [str(recordings / "words"), "--speech", str(recordings / "speech"), "--noise", str(recordings / "noise")]
    return ["fit", *data, "--recipe", "tiny.toml", "--out", f"models/{name}"]


@pytest.fixture(scope="module")
def later(trained: Path, recordings: Path) -> dict[str, subprocess.CompletedProcess[str]]:
    """Return what further steps said of that run, and of copies of it: one stopped, one with broken weights."""
    stopped, broken = trained / "runs" / "stopped", trained / "runs" / "broken"
    for folder in (stopped, broken):
        shutil.copytree(trained / "runs" / "mine", folder)
    shutil.rmtree(stopped / "round1")
    spoil(broken / "round1" / "best.weights.h5")
    shutil.copytree(trained / "models" / "mine", trained / "models" / "replaced")
    strict = ["--threshold", "0.9", "--thresholds", "yes=0.8"]
    steps = {
        "stopped": [*fit_arguments(recordings, "replaced"), "--work", "runs/stopped", "--force"],
        "broken": ["export", "runs/broken", "--out", "models/broken"],
        "strict": ["export", "runs/mine", "--out", "models/strict", *strict],
        "evaluate": ["evaluate", "models/mine", str(recordings / "words"), "--picture", "c.png"],
    }
    return dict(zip(steps, train_several(list(steps.values()), cwd=trained), strict=True))


def spoil(weights: Path) -> None:
    """Have no weight be a number."""
    import h5py

    def spoil_one(_name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.shape and np.issubdtype(item.dtype, np.floating):
            item[...] = np.full(item.shape, np.nan, item.dtype)

    with h5py.File(weights, "r+") as file:
        file.visititems(spoil_one)


def test_fit_makes_a_model_that_the_listener_opens_in_both_forms(trained: Path) -> None:
    model = Model.open(trained / "models" / "mine")
    assert model.labels == ("_silence_", "_unknown_", "yes", "no")
    noise = np.random.default_rng(0).standard_normal(model.context).astype(np.float32) * 0.1
    scores = model.predict(noise)
    assert np.isfinite(scores).all()
    assert scores.sum() == pytest.approx(1.0, abs=1e-4)
    assert all(d.keyword in model.keywords for d in spot(noise, 16_000, model))


def test_the_numpy_path_agrees_with_litert_on_what_was_trained(trained: Path) -> None:
    one, other = (Model.open(trained / "models" / "mine", backend=b) for b in ("litert", "numpy"))
    noise = np.random.default_rng(1).standard_normal(one.context).astype(np.float32) * 0.1
    np.testing.assert_allclose(one.predict(noise), other.predict(noise), atol=1e-5)


def test_the_manifest_says_how_the_model_was_made(trained: Path) -> None:
    manifest = json.loads((trained / "models" / "mine" / "manifest.json").read_text())
    assert manifest["training"]["recipe"]["steps"] == 16
    assert manifest["training"]["data"]["words"]["recordings"] == 160
    assert manifest["training"]["parity"]["float"]["largest"] < 1e-4
    assert "fit" in manifest["training"]["command"]
    history = (trained / "runs" / "mine" / "round0" / "history.csv").read_text().splitlines()
    assert len(history) == 3


def test_a_run_is_drawn_as_one_curve_with_the_steps_of_its_rounds_counted_on(trained: Path) -> None:
    work = trained / "runs" / "mine"
    assert (work / "history.png").read_bytes().startswith(b"\x89PNG")
    looks = looks_of(work)
    assert [look["steps"] for look in looks] == [8, 16, 24]
    assert [look["round"] for look in looks] == [0, 0, 1]
    assert all(look["validation_loss"] > 0 for look in looks)
    assert looks_of(trained) == []


def test_an_existing_model_is_not_overwritten_without_force(
    trained: Path, recordings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(trained)
    before = (trained / "models" / "mine" / "manifest.json").read_bytes()
    assert main(fit_arguments(recordings)) == 2
    assert "--force" in capsys.readouterr().err
    assert (trained / "models" / "mine" / "manifest.json").read_bytes() == before


def test_a_run_that_was_stopped_goes_on_where_it_was(
    trained: Path, later: dict[str, subprocess.CompletedProcess[str]]
) -> None:
    done, stopped, whole = later["stopped"], trained / "runs" / "stopped", trained / "runs" / "mine"
    assert done.returncode == 0, done.stderr[-3_000:]
    assert (stopped / "round0" / "history.csv").read_bytes() == (whole / "round0" / "history.csv").read_bytes()
    assert "mined" not in done.stdout
    assert len((stopped / "round1" / "history.csv").read_text().splitlines()) == 2
    assert Model.open(trained / "models" / "replaced").manifest["name"] == "replaced"  # with --force


def test_weights_that_are_not_finite_are_never_exported(
    trained: Path, later: dict[str, subprocess.CompletedProcess[str]]
) -> None:
    assert later["broken"].returncode == 4
    assert "differs from Keras by inf" in later["broken"].stderr
    assert not (trained / "models" / "broken").exists()


def test_export_writes_the_decoder_settings_asked_for(
    trained: Path, later: dict[str, subprocess.CompletedProcess[str]]
) -> None:
    assert later["strict"].returncode == 0, later["strict"].stderr
    decoder = Model.open(trained / "models" / "strict").decoder
    assert (decoder.threshold_of("yes"), decoder.threshold_of("no")) == (0.8, 0.9)


def test_evaluate_prints_accuracy_and_draws_the_confusion_matrix(
    trained: Path, later: dict[str, subprocess.CompletedProcess[str]]
) -> None:
    assert later["evaluate"].returncode == 0, later["evaluate"].stderr
    assert "95% limits" in later["evaluate"].stdout
    assert (trained / "c.png").read_bytes().startswith(b"\x89PNG")


def test_bad_input_is_one_line_without_a_traceback(tmp_path: Path) -> None:
    done = train("fit", str(tmp_path / "none"), "--out", str(tmp_path / "m"), cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("train: ")


@pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # Keras's own, of TensorFlow's tensors
def test_a_finished_run_is_not_trained_again_whichever_engine_trained_it(tmp_path: Path) -> None:
    from train.fit import fit
    from train.networks import network
    from train.recipe import Recipe

    recipe = Recipe(steps=20, check_every=10, network_options={"width": 8})
    sizes = network(recipe.network, recipe.network_options)
    trained = sizes.build(None, recipe.frontend.bins, len(recipe.labels))
    trained.save_weights(tmp_path / "best.weights.h5")
    (tmp_path / "history.csv").write_text("steps\n10\n20\n", encoding="utf-8")
    nothing: Any = None  # to learn from
    again = fit(recipe, nothing, nothing, tmp_path)
    assert all(np.array_equal(a, b) for a, b in zip(trained.get_weights(), again.get_weights(), strict=True))
