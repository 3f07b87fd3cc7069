"""A model of own words: a head on a backbone, behind the same seam as every other model."""

from __future__ import annotations

import importlib.util
import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.arrays import Floats
from spotter.backbone import open_backbone
from spotter.errors import BadInputError, ModelError
from spotter.head import pack_head, read_head
from spotter.manifest import FILE_NAME, HEAD, write_manifest
from spotter.model import Model
from spotter.pipeline import Spotter
from spotter.windows import Window
from tests.own_words import write_own_words

ROOT = Path(__file__).parent.parent
DEMO: Floats = soundfile.read(ROOT / "spotter" / "data" / "demo.flac", dtype="float32")[0][: 6 * 16_000]

needs_package = pytest.mark.skipif(
    importlib.util.find_spec("pyopen_wakeword") is None, reason="pyopen-wakeword is not installed (no wheel here)"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_own_words(tmp_path_factory.mktemp("models") / "mine", open_backbone())


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return Model.open(folder)


def heard(model: Model, blocks: list[int], hop_ms: float | None = None) -> list[tuple[int, Floats]]:
    """End and scores of each window of the demo, which comes in these blocks, over and over."""
    seen: list[tuple[int, Floats]] = []

    def tap(window: Window, scores: Floats) -> None:
        seen.append((window.end_sample, scores.copy()))

    spotter = Spotter(model, hop_ms=hop_ms, tap=tap)
    at = number = 0
    while at < len(DEMO):
        size = blocks[number % len(blocks)]
        spotter.write(DEMO[at : at + size])
        list(spotter.events())
        at, number = at + size, number + 1
    list(spotter.finish())
    return seen


@needs_package
def test_the_hop_is_a_multiple_of_the_backbones_step(model: Model) -> None:
    assert Spotter(model).hop_samples == 1_280
    assert Spotter(model, hop_ms=160).hop_samples == 2_560
    with pytest.raises(BadInputError, match="multiple of 80 ms"):
        Spotter(model, hop_ms=100)


@needs_package
@given(st.lists(st.integers(1, 20_000), min_size=1, max_size=4), st.sampled_from([80.0, 160.0, 240.0]))
@settings(max_examples=10)
def test_scores_do_not_depend_on_blocks_to_the_bit(model: Model, blocks: list[int], hop_ms: float) -> None:
    wanted, found = heard(model, [1_280], hop_ms), heard(model, [max(200, b) for b in blocks], hop_ms)
    assert [end for end, _ in wanted] == [end for end, _ in found]
    np.testing.assert_array_equal([s for _, s in wanted], [s for _, s in found])


@needs_package
def test_a_window_predicted_alone_has_the_scores_of_the_stream(model: Model) -> None:
    windows = heard(model, [1_280])
    assert len(windows) > 30
    for end, scores in windows[::7]:
        np.testing.assert_allclose(model.predict(DEMO[end - model.context : end]), scores, atol=1e-4)
        assert scores.sum() == pytest.approx(1.0, abs=1e-5)
    assert np.ptp([s for _, s in windows], axis=0).max() > 0.05  # they do move


@needs_package
def test_a_scorer_after_reset_is_as_a_new_one(model: Model) -> None:
    frames = np.random.default_rng(0).normal(5, 3, (model.context_frames + 8, 32)).astype(np.float32)
    used, whole = model.scorer(1_280), model.window_scorer()
    first = used.score(frames[:-8], model.context_frames).copy()
    second = used.score(frames[8:], 8).copy()
    used.reset()
    np.testing.assert_array_equal(used.score(frames[:-8], model.context_frames), first)
    np.testing.assert_allclose(whole.score(frames[8:], 8), second, atol=1e-5)
    with pytest.raises(BadInputError, match="3 new frames"):
        used.score(frames[8:], 3)


@needs_package
def test_a_short_recording_is_heard_alone_in_silence(model: Model) -> None:
    scores = model.predict(DEMO[30_000:44_000])
    assert scores.shape == (3,)
    assert scores.sum() == pytest.approx(1.0, abs=1e-4)


@needs_package
def test_numpy_gives_the_same_scores(folder: Path, model: Model) -> None:
    window = DEMO[20_000 : 20_000 + model.context]
    np.testing.assert_allclose(Model.open(folder, backend="numpy").predict(window), model.predict(window), atol=1e-4)


@needs_package
def test_another_network_cannot_be_asked_of_own_words(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"holds own words and no model\.int8\.tflite"):
        Model.open(folder, network="model.int8.tflite")


@needs_package
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["_unknown_", "one", "two", "three"]}, "differ in labels"),
        ({"context": 13_152, "window": 13_152}, "differ in context"),
        ({"step": 2_560}, "differ in step"),
        ({"backbone": {"name": "google-speech-embedding", "sha256": "0" * 64}}, "fitted on another version"),
        ({"backbone": {"name": "nobody's", "sha256": "0" * 64}}, 'has no backbone called "nobody\'s"; update spotter'),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Model.open(write_own_words(tmp_path / "mine", open_backbone(), change=change))


@needs_package
def test_a_manifest_of_own_words_must_list_the_head(folder: Path, tmp_path: Path) -> None:
    values = json.loads((folder / FILE_NAME).read_text())
    (tmp_path / "other.npz").write_bytes((folder / HEAD).read_bytes())
    with pytest.raises(ModelError, match=r"files does not list head\.npz"):
        write_manifest(tmp_path, {k: v for k, v in values.items() if k not in ("files", "format")}, ["other.npz"])


def packed(**arrays: object) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


GOOD = {"mean": np.zeros(6), "scale": np.ones(6), "w0": np.ones((6, 2)), "b0": np.zeros(2)}


@pytest.mark.parametrize(
    "data",
    [
        b"no zip",
        packed(**{**GOOD, "w0": np.array([{}], dtype=object)}),
        packed(**{k: v for k, v in GOOD.items() if k != "b0"}),
        packed(**{**GOOD, "b0": np.zeros(3)}),
        packed(**{**GOOD, "w1": np.ones((3, 2)), "b1": np.zeros(2)}),
        packed(**{**GOOD, "w0": np.full((6, 2), np.nan)}),
        packed(**{**GOOD, "scale": np.ones(5)}),
    ],
)
def test_a_head_that_is_damaged_or_holds_more_than_arrays_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match="fit the model again"):
        read_head(data)


def test_a_head_standardises_then_goes_through_its_layers() -> None:
    layers = (np.array([[1.0], [2.0]]), np.array([-3.0])), (np.array([[1.0, -1.0]]), np.array([0.5, 0.0]))
    head = read_head(pack_head(np.array([1.0, 2.0]), np.array([2.0, 4.0]), layers))
    assert (head.inputs, head.labels) == (2, 2)
    # standardised (4, 3): 4 + 6 - 3 = 7; logits 7.5 and -7
    np.testing.assert_allclose(
        head(np.array([9.0, 14.0], np.float32)), [1 / (1 + np.exp(-14.5)), np.exp(-14.5)], atol=1e-6
    )
    # standardised (0, 0): -3 is rectified; logits 0.5 and 0
    np.testing.assert_allclose(head(np.array([1.0, 2.0], np.float32))[0], 1 / (1 + np.exp(-0.5)), atol=1e-6)
