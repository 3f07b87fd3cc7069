"""What a model scores, by window and as a stream."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.frontend import Frontend
from spotter.manifest import write_manifest
from spotter.model import Model
from spotter.scorers import StreamScorer, WindowScorer, most_telling
from tests.tiny_model import TINY, sound

HOP_MS = [20, 40, 60, 100, 140, 200]


def backend(name: str) -> Literal["litert", "numpy"]:
    return "litert" if name == "litert" else "numpy"


@pytest.fixture(scope="module")
def frames() -> Floats:
    return Frontend(Model.open(TINY, backend="numpy").frontend)(sound(4 * 16_000))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may spoil."""
    return Path(shutil.copytree(TINY, tmp_path / "tiny"))


@pytest.fixture
def window_only(folder: Path) -> Path:
    manifest = json.loads((folder / "manifest.json").read_text())
    write_manifest(folder, manifest, ["model.tflite"])
    return folder


def scores_of(model: Model, frames: Floats, hop_ms: int) -> Floats:
    """Scores of all windows a hop apart, shape (windows, labels)."""
    return run(model.scorer(hop_ms * 16), model, frames, hop_ms)


def run(scorer: Any, model: Model, frames: Floats, hop_ms: int) -> Floats:
    hop = hop_ms * 16 // model.frontend.hop_samples
    first = model.context_frames
    ends = range(first, len(frames) + 1, hop)
    return np.stack([scorer.score(frames[e - first : e], hop if e > first else first).copy() for e in ends])


def test_a_model_says_what_it_is() -> None:
    model = Model.open(TINY)
    assert (model.name, model.folder) == ("tiny", TINY)
    assert model.labels == ("_silence_", "_unknown_", "yes", "no")
    assert model.keywords == ("yes", "no")
    assert (model.window, model.context, model.step, model.context_frames) == (15_120, 18_000, 320, 111)
    assert model.frontend.bins == 40
    assert model.decoder.threshold_of("yes") == 0.6
    assert model.manifest["licence"] == "Apache-2.0"
    assert model.backend == "litert"


@pytest.mark.parametrize("name", ["litert", "numpy"])
def test_predict_gives_a_softmax_that_depends_on_the_sound(name: str) -> None:
    model = Model.open(TINY, backend=backend(name))
    scores = model.predict(sound(model.context))
    assert scores.shape == (4,)
    assert scores.dtype == np.float32
    assert scores.sum() == pytest.approx(1.0, abs=1e-5)
    assert np.abs(scores - model.predict(np.zeros(model.context, np.float32))).max() > 0.05


def test_a_short_recording_is_scored_at_the_moment_that_says_most_wherever_it_lies() -> None:
    model = Model.open(TINY)
    clip = sound(8_000)
    scores = model.predict(clip)
    assert scores.shape == (4,)
    assert scores.sum() == pytest.approx(1.0, abs=1e-4)
    later = np.concatenate((np.zeros(3_200, np.float32), clip))  # ten steps of silence before it change nothing
    np.testing.assert_allclose(model.predict(later), scores, atol=1e-5)
    assert model.predict(np.zeros(0, np.float32)).shape == (4,)


@pytest.mark.parametrize(
    ("script", "label"),
    [
        ({3: (0.1, 0.3, 0.6)}, "yes"),  # a keyword, however briefly
        ({3: (0.0, 0.97, 0.03)}, "_unknown_"),
        ({3: (0.3, 0.6, 0.1)}, "_silence_"),  # half a word is noise
    ],
)
def test_the_moment_that_says_most_is_that_of_a_keyword_then_of_a_word(
    script: dict[int, tuple[float, ...]], label: str
) -> None:
    labels = ("_silence_", "_unknown_", "yes")
    scores = np.tile(np.array([0.9, 0.05, 0.05], np.float32), (8, 1))
    for at, row in script.items():
        scores[at] = row
    assert labels[int(most_telling(scores, labels, ("yes",), 1).argmax())] == label


def test_predict_agrees_with_the_stream(frames: Floats) -> None:
    model = Model.open(TINY)
    np.testing.assert_allclose(
        model.predict(sound(4 * 16_000)[: model.context]), scores_of(model, frames, 100)[0], atol=1e-4
    )


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (np.zeros(18_001, np.float32), "18001 samples are more than the 18000"),
        (np.zeros((10, 2), np.float32), r"shape \(10, 2\)"),
        (np.zeros(10, np.int16), "int16 divided by 32768"),
    ],
)
def test_predict_refuses_what_is_no_window(window: Any, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        Model.open(TINY).predict(window)


def test_threads_may_share_predict() -> None:
    model = Model.open(TINY)
    windows = [sound(18_000) * scale for scale in np.linspace(0.1, 1.0, 8, dtype=np.float32)]
    alone = [Model.open(TINY).predict(window) for window in windows]
    with ThreadPoolExecutor(8) as threads:
        for _ in range(20):
            np.testing.assert_array_equal(list(threads.map(model.predict, windows)), alone)


@pytest.mark.parametrize("name", ["litert", "numpy"])
@pytest.mark.parametrize("hop_ms", HOP_MS)
def test_stream_and_window_scores_are_the_same(hop_ms: int, name: str, frames: Floats, window_only: Path) -> None:
    stream, whole = Model.open(TINY, backend=backend(name)), Model.open(window_only, backend=backend(name))
    assert isinstance(stream.scorer(hop_ms * 16), StreamScorer)
    assert isinstance(whole.scorer(hop_ms * 16), WindowScorer)
    few = frames[:200]
    one, other = scores_of(stream, few, hop_ms), scores_of(whole, few, hop_ms)
    assert one.std(axis=0).max() > 0.01
    np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("hop_ms", [20, 100])
def test_both_backends_score_alike(hop_ms: int, frames: Floats) -> None:
    plain, fast = Model.open(TINY, backend="numpy"), Model.open(TINY, backend="litert")
    np.testing.assert_allclose(scores_of(plain, frames, hop_ms), scores_of(fast, frames, hop_ms), atol=1e-5)


@pytest.mark.parametrize("name", ["litert", "numpy"])
def test_reset_equals_new(name: str, frames: Floats) -> None:
    model = Model.open(TINY, backend=backend(name))
    scorer = model.scorer(1_600)
    expected = run(scorer, model, frames, 100)
    run(scorer, model, frames[::-1], 100)
    scorer.reset()
    np.testing.assert_array_equal(run(scorer, model, frames, 100), expected)


def test_scorers_of_one_model_do_not_disturb_each_other(frames: Floats) -> None:
    model = Model.open(TINY)
    expected = scores_of(model, frames, 100)
    one, other = model.scorer(1_600), model.scorer(1_600)
    first = model.context_frames
    for count, end in enumerate(range(first, len(frames) + 1, 10)):
        new = 10 if count else first
        np.testing.assert_array_equal(one.score(frames[end - first : end], new), expected[count])
        other.score(frames[::-1][end - first : end], new)


def test_a_hop_longer_than_the_context_is_possible(frames: Floats, window_only: Path) -> None:
    stream, whole = Model.open(TINY).scorer(32_000), Model.open(window_only).scorer(32_000)
    for end in (111, 311):
        window = frames[end - 111 : end]
        np.testing.assert_allclose(stream.score(window, 111).copy(), whole.score(window, 111), atol=1e-4)


@pytest.mark.parametrize("hop", [0, -320, 160, 1_000])
def test_an_impossible_hop_names_the_possible_ones(hop: int) -> None:
    with pytest.raises(BadInputError, match=r"multiple of 20 ms: 20, 40, 60"):
        Model.open(TINY).scorer(hop)


def test_a_number_of_new_frames_that_is_no_hop_is_refused(frames: Floats) -> None:
    scorer = Model.open(TINY).scorer(1_600)
    with pytest.raises(BadInputError, match="7 new frames; give 111 first, then 10 at a time"):
        scorer.score(frames[:111], 7)
