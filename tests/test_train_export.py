"""The whole-number form, how it agrees with Keras, and networks that have no stream form."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy", reason="recordings are read beside rooms, which come from scipy")
from spotter.errors import BadInputError, ModelError
from spotter.frontend import Frontend
from spotter.model import Model
from spotter.settings import FrontendConfig
from tests.conftest import word
from tests.steps import python
from train import parity
from train.data import noise_rows, word_rows
from train.representative import windows

needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="TensorFlow has no wheel for this Python"
)

# A run as `fit` leaves it, of a network with the weights that it began with.
RUN = """
import json, sys
from pathlib import Path
import keras
from train.cli import main
from train.networks import network
from train.recipe import from_dict

words, noise = sys.argv[1:]
keras.utils.set_random_seed(0)
runs = {
    "temporal": ("temporal", {"width": 8, "dilations": [1, 2], "smoothing": 5}, ["--noise", noise]),
    "stem": ("temporal", {"width": 8, "dilations": [1], "smoothing": 5, "stem": 4}, []),
    "ds_cnn": ("ds_cnn", {"width": 8, "blocks": 1}, []),
}
for name, (kind, options, data) in runs.items():
    run = Path("runs") / name
    (run / "round0").mkdir(parents=True)
    values = {"keywords": ["yes", "no"], "rounds": 0, "network": kind, "network_options": options}
    (run / "run.json").write_text(json.dumps({"command": "made for a test", "recipe": values}))
    recipe = from_dict(values)
    model = network(kind, options).build(None, recipe.frontend.bins, len(recipe.labels))
    for layer in model.layers:  # far from even scores, so that a difference shows
        if layer.name in ("logits", "classes"):
            layer.set_weights([w * 6 for w in layer.get_weights()])
    model.save_weights(run / "round0" / "best.weights.h5")
    step = ["export", str(run), "--out", f"models/{name}", "--data", words, "--windows", "40", *data]
    if main(step):
        raise SystemExit(1)
"""


@pytest.fixture(scope="module")
def exported(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Folder with the models temporal and ds_cnn, and what was printed."""
    here = tmp_path_factory.mktemp("exported")
    done = python("-c", RUN, str(recordings / "words"), str(recordings / "noise"), cwd=here)
    assert done.returncode == 0, done.stderr[-3_000:]
    return here, done.stdout


@needs_tensorflow
@pytest.mark.parametrize("name", ["temporal", "stem", "ds_cnn"])
def test_the_whole_number_form_is_listed_in_the_manifest_and_opens(exported: tuple[Path, str], name: str) -> None:
    folder = exported[0] / "models" / name
    manifest = json.loads((folder / "manifest.json").read_text())
    data = (folder / "model.int8.tflite").read_bytes()
    assert manifest["files"]["model.int8.tflite"]["sha256"] == hashlib.sha256(data).hexdigest()
    whole, usual = Model.open(folder, network="model.int8.tflite"), Model.open(folder)
    assert (whole.network, usual.network) == ("model.int8.tflite", "model.tflite")
    sound = np.resize(word(900), usual.context)
    scores = whole.predict(sound)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, usual.predict(sound), atol=0.1)
    np.testing.assert_allclose(scores * 256, np.round(scores * 256), atol=1e-3)  # 256 steps: whole numbers inside


@needs_tensorflow
def test_a_network_without_a_stream_form_is_exported_without_one(exported: tuple[Path, str]) -> None:
    files = {name: set(Model.open(exported[0] / "models" / name).manifest["files"]) for name in ("temporal", "ds_cnn")}
    assert files["ds_cnn"] == {"model.tflite", "model.int8.tflite"}
    assert files["temporal"] == files["ds_cnn"] | {"model.stream.tflite"}


@needs_tensorflow
@pytest.mark.parametrize("backend", ["litert", "numpy"])
@pytest.mark.parametrize("hop", [320, 1_600])
def test_two_dimensional_first_layers_stream(exported: tuple[Path, str], backend: Any, hop: int) -> None:
    model = Model.open(exported[0] / "models" / "stem", backend=backend)
    samples = np.resize(word(900), model.context + 10 * hop) * np.linspace(0.1, 1, model.context + 10 * hop)
    frames, new = Frontend(model.frontend)(samples.astype(np.float32)), hop // 160
    stream, whole = model.scorer(hop), model.window_scorer()
    seen = []
    for at in range(0, len(frames) - model.context_frames + 1, new):
        window = frames[at : at + model.context_frames]
        seen.append(stream.score(window, new if at else model.context_frames).copy())
        np.testing.assert_allclose(seen[-1], whole.score(window, new), atol=1e-4)
    assert len(seen) > 9
    assert np.ptp(seen, axis=0).max() > 1e-3  # they do move


@needs_tensorflow
@pytest.mark.parametrize("name", ["temporal", "ds_cnn"])
def test_how_the_forms_agree_on_real_windows_is_written_down_and_printed(exported: tuple[Path, str], name: str) -> None:
    here, printed = exported
    manifest = json.loads((here / "models" / name / "manifest.json").read_text())
    found = manifest["training"]["parity"]
    run = json.loads((here / "runs" / name / "run.json").read_text())
    assert run["parity"] == found
    assert max(run["differences_to_keras"].values()) < 1e-4
    assert found["float"]["largest"] < 1e-4
    assert found["float"]["same_label"] == 1.0
    assert 0.0 < found["int8"]["mean"] <= found["int8"]["largest"] < 0.5
    assert found["int8"]["windows"] == 40
    for line in parity.lines(found):
        assert line in printed


@needs_tensorflow
def test_the_plain_numpy_path_says_that_it_knows_no_whole_numbers(exported: tuple[Path, str]) -> None:
    model = Model.open(exported[0] / "models" / "temporal", backend="numpy", network="model.int8.tflite")
    with pytest.raises(ModelError, match=r"plain numpy path does not know .*; install ai-edge-litert"):
        model.predict(word(900)[: model.context])


@needs_tensorflow
def test_a_changed_byte_of_the_whole_number_form_is_named(exported: tuple[Path, str], tmp_path: Path) -> None:
    import shutil

    folder = shutil.copytree(exported[0] / "models" / "temporal", tmp_path / "changed")
    data = bytearray((folder / "model.int8.tflite").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.int8.tflite").write_bytes(data)
    with pytest.raises(ModelError, match=r"model\.int8\.tflite is not the file that the manifest describes"):
        Model.open(folder)


def test_scores_that_are_no_numbers_differ_infinitely() -> None:
    wanted = np.full((3, 2), 0.5, np.float32)
    spoilt = wanted.copy()
    spoilt[1, 0] = np.nan
    for found in (parity.compare(spoilt, wanted), parity.compare(wanted, spoilt)):
        assert found["largest"] == found["mean"] == np.inf
        with pytest.raises(ModelError, match=r"differs from Keras by inf on average; .*: give more windows"):
            parity.check_int8(found)


def test_parity_gives_largest_and_mean_difference_and_how_often_the_winner_is_the_same() -> None:
    wanted = np.array([[0.9, 0.1], [0.4, 0.6]], np.float32)
    got = np.array([[0.8, 0.2], [0.6, 0.4]], np.float32)
    found = parity.compare(got, wanted)
    assert found["largest"] == pytest.approx(0.2)
    assert found["mean"] == pytest.approx(0.15)
    assert found["same_label"] == 0.5
    with pytest.raises(ModelError, match="the export is not kept"):
        parity.check_int8(found)


def test_representative_windows_hold_sound_noise_and_digital_silence_and_follow_from_the_seed(
    recordings: Path,
) -> None:
    sounds, noise = word_rows(recordings / "words"), noise_rows([recordings / "noise"])
    config = FrontendConfig()
    some = windows(sounds, noise, config, 149, np.random.default_rng(0), 60)
    assert some.shape == (60, 149, 40)
    assert some.dtype == np.float32
    nothing = Frontend(config)(np.zeros(config.samples_for(149), np.float32))
    assert some.min() == pytest.approx(nothing.min(), abs=1e-5)
    assert some.max() > 2.0  # a tone of 0.3, and louder ones
    levels = some.mean(axis=(1, 2))
    assert levels.max() - levels.min() > 4.0  # natural logarithms of power: 17 dB and more
    np.testing.assert_array_equal(some, windows(sounds, noise, config, 149, np.random.default_rng(0), 60))


def test_windows_can_be_drawn_without_noise_but_not_without_recordings(recordings: Path) -> None:
    rng = np.random.default_rng(0)
    some = windows(word_rows(recordings / "words"), [], FrontendConfig(), 98, rng, 10)
    assert np.isfinite(some).all()
    with pytest.raises(BadInputError, match=r"no recordings .*; give a folder"):
        windows([], [], FrontendConfig(), 98, rng, 10)
