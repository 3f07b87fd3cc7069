"""The registry of networks, and that each runs as a listener's model what Keras computes."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import operations
from spotter.errors import BadInputError
from spotter.network import open_network
from tests.steps import ROOT, python
from train.networks import NETWORKS, network

needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="TensorFlow has no wheel for this Python"
)
WHOLE = [name for name in NETWORKS if name != "temporal"]  # what is special to that one has tests of its own

# In a process of its own: TensorFlow's threads and warnings are no business of the other tests.
MAKE = """
import json, sys
from pathlib import Path
import numpy as np, keras
from spotter.errors import BadInputError
from spotter.settings import TUTORIAL, FrontendConfig
from train.export import convert
from train.networks import network, judgements
from train.networks.bc_resnet import SubSpectralNorm

out, names = Path(sys.argv[1]), sys.argv[2:]
rng = np.random.default_rng(0)
facts = {}
for name in names:
    keras.utils.set_random_seed(1)  # some draws of weights give scores that are nearly alike
    # Fewer blocks of the largest: converting them all takes the longest of all tests.
    sizes = network(name, {"blocks": [1, 2, 1, 1]} if name == "bc_resnet" else {})
    bins = (TUTORIAL if name == "tutorial" else FrontendConfig()).bins
    model = sizes.build(None, bins, 10)
    for v in model.variables:  # none of them 0 or 1, as training leaves them
        if np.issubdtype(v.dtype, np.floating):
            v.assign(np.asarray(v) + rng.uniform(0, 0.1, v.shape))
    frames = rng.normal(-4, 4, (3, sizes.context_frames, bins)) + rng.normal(0, 3, (3, 1, bins))
    frames = frames.astype("float32")
    for layer in model.layers:  # statistics of these very frames, so that scores depend on them
        for momentum in {"momentum", "_momentum"} & set(vars(layer)):
            setattr(layer, momentum, 0.0)
    model(frames, training=True)
    logits = model(frames, training=False)
    data = convert(sizes.inference(model))
    (out / f"{name}.tflite").write_bytes(data)
    np.savez(out / f"{name}.npz", frames=frames, scores=np.asarray(keras.ops.softmax(logits))[:, 0])
    facts[name] = {
        "logits": list(logits.shape),
        "stream": sizes.streaming(model) is not None,
        "judgements": judgements(sizes, 50),
    }
facts["temporal"] = {"judgements": judgements(network("temporal", {"dilations": [1, 1]}), 50)}
published = {"ds_cnn": (40, 12), "tc_resnet": (40, 12), "matchboxnet": (64, 30), "bc_resnet": (40, 12)}
published["tutorial"] = (129, 8)
facts["parameters"] = {
    name: int(sum(np.prod(v.shape) for v in network(name, {}).build(None, *sizes).trainable_variables))
    for name, sizes in published.items()
}
x = rng.normal(3, 2, (4, 7, 10, 6)).astype("float32") * np.linspace(1, 5, 10, dtype="float32")[:, None]
norm = SubSpectralNorm(5, momentum=0.0)  # so that one look is all that is remembered
y = np.asarray(norm(x, training=True)).reshape(4, 7, 5, 2, 6)
facts["groups"] = {"mean": float(np.abs(y.mean((0, 1, 3))).max()), "spread": float(np.abs(y.std((0, 1, 3)) - 1).max())}
facts["groups"]["inference"] = float(np.abs(np.asarray(norm(x)) - y.reshape(x.shape)).max())
try:
    network("ds_cnn", {"depth": 3})
except BadInputError as error:
    facts["refused"] = str(error)
(out / "facts.json").write_text(json.dumps(facts))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("networks")
    done = python("-c", MAKE, str(folder), *WHOLE, cwd=folder)
    assert done.returncode == 0, done.stderr[-3_000:]
    return folder


@pytest.fixture(scope="module")
def facts(made: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((made / "facts.json").read_text())
    return found


def test_a_network_that_does_not_exist_is_refused_with_the_names_of_those_that_do() -> None:
    with pytest.raises(BadInputError, match=r"no network called 'resnet'; there are: temporal, tutorial, ds_cnn"):
        network("resnet", {})


@needs_tensorflow
def test_an_option_that_a_network_does_not_have_is_refused_with_those_that_it_has(facts: dict[str, Any]) -> None:
    known = "known are context_frames, step_frames, width"
    assert f"network 'ds_cnn' has no option 'depth'; {known}" in facts["refused"]


def test_the_registry_itself_loads_no_keras() -> None:
    code = "import sys, train.networks, train.cli.compare; sys.exit('keras' in sys.modules)"
    assert python("-c", code, cwd=ROOT).returncode == 0


@needs_tensorflow
@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("backend", ["litert", "numpy"])
def test_the_exported_window_form_gives_the_scores_of_keras(made: Path, name: str, backend: Any) -> None:
    if backend == "litert":
        pytest.importorskip("ai_edge_litert")
    kept = np.load(made / f"{name}.npz")
    exported = open_network((made / f"{name}.tflite").read_bytes(), backend)
    got = np.concatenate([exported.run(frames[np.newaxis])[0] for frames in kept["frames"]])
    if name != "tutorial":  # whose untrained scores are all 0 or 1
        assert np.ptp(kept["scores"], axis=0).max() > 0.02  # not all alike, which any network would agree on
    np.testing.assert_allclose(got, kept["scores"], atol=1e-4)


@needs_tensorflow
@pytest.mark.parametrize("name", WHOLE)
def test_a_network_of_whole_windows_judges_a_sequence_once_and_has_no_stream_form(
    facts: dict[str, Any], name: str
) -> None:
    assert facts[name] == {"logits": [3, 1, 10], "stream": False, "judgements": 1}


@needs_tensorflow
def test_a_network_that_streams_judges_a_sequence_as_often_as_the_recipe_says(facts: dict[str, Any]) -> None:
    assert facts["temporal"]["judgements"] == 50


@needs_tensorflow
@pytest.mark.parametrize(
    ("name", "published", "within"),
    [
        ("tutorial", 1_625_608, 0.0),  # the notebook's summary, less the three numbers of its normalisation
        ("ds_cnn", 24_000, 0.05),  # size S: 23.6 thousand with ten cepstra
        ("tc_resnet", 66_000, 0.02),
        ("matchboxnet", 77_000, 0.03),
        ("bc_resnet", 9_200, 0.05),
    ],
)
def test_networks_are_of_the_size_that_was_published(
    facts: dict[str, Any], name: str, published: int, within: float
) -> None:
    assert facts["parameters"][name] == pytest.approx(published, rel=within)


@needs_tensorflow
def test_sub_spectral_normalisation_normalises_each_group_of_bands_for_itself(facts: dict[str, Any]) -> None:
    assert facts["groups"]["mean"] < 1e-4
    assert facts["groups"]["spread"] < 1e-2
    assert facts["groups"]["inference"] < 1e-4  # with the statistics that were kept


@needs_tensorflow
def test_no_operator_of_an_exported_network_is_foreign_to_the_runtime(made: Path) -> None:
    from spotter.tflite import read_graph

    for name in WHOLE:
        data = (made / f"{name}.tflite").read_bytes()
        assert not [o.name for o in read_graph(data).operators if o.name.startswith(("CUSTOM", "FLEX", "operator"))]
        assert operations.multiply_adds(data) > 1e6
