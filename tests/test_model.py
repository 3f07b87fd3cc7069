"""Model folders: what opens, what it scores, and what is said where it does not open."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pytest

from spotter import litert, model_folders
from spotter.arrays import Floats
from spotter.errors import BadInputError, ModelError
from spotter.frontend import Frontend
from spotter.manifest import read_manifest, write_manifest
from spotter.model import Model
from spotter.model_folders import available_models, find_model
from spotter.scorers import StreamScorer, WindowScorer, most_telling

ROOT = Path(__file__).parent.parent
TINY = ROOT / "tests/data/models/tiny"
HOP_MS = [20, 40, 60, 100, 140, 200]


def sound(samples: int) -> Floats:
    """Tones and noise that come and go, shape (samples,)."""
    rng = np.random.default_rng(3)
    t = np.arange(samples) / 16_000
    tone = np.sin(2 * np.pi * (300 + 900 * np.sin(t)) * t) * np.abs(np.sin(2.5 * t)) * 0.5
    return (tone + rng.standard_normal(samples) * 0.02).astype(np.float32)


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


@pytest.fixture
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own models, in a folder of the test."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "own"))
    monkeypatch.setenv("HOME", str(tmp_path / "own"))
    return model_folders.user_models_folder()


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


# What may be wrong with a folder


def spoil(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    values = json.loads(path.read_text())
    for key, value in changes.items():
        if value is ...:
            del values[key]
        else:
            values[key] = value
    path.write_text(json.dumps(values))


ALL_KEYS = ("format", "name", "labels", "keywords", "sample_rate", "window", "context", "step", "frontend", "files",
            "decoder", "training", "licence")  # fmt: skip


@pytest.mark.parametrize("key", ALL_KEYS)
def test_a_missing_key_is_named(folder: Path, key: str) -> None:
    spoil(folder, **{key: ...})
    with pytest.raises(ModelError, match=rf"'{key}' is missing; export"):
        Model.open(folder)


@pytest.mark.parametrize("key", ALL_KEYS)
def test_a_value_of_another_type_is_named(folder: Path, key: str) -> None:
    spoil(folder, **{key: True})
    with pytest.raises(ModelError, match=rf"'{key}' is True, not an? \w+; export"):
        Model.open(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "format 2 is newer than 1, .*; update spotter"),
        ({"format": 0}, "format 0 never existed; export"),
        ({"labels": ["yes", "yes"]}, r"labels is \['yes', 'yes'\], not a list of different words"),
        ({"labels": []}, r"labels is \[\]"),
        ({"labels": ["yes", 3]}, r"labels is \['yes', 3\]"),
        ({"keywords": ["maybe"]}, "keyword 'maybe' is none of the labels _silence_, _unknown_, yes, no; export"),
        ({"keywords": ["_unknown_"]}, "keyword '_unknown_' is none of the labels"),
        ({"sample_rate": 8_000}, "sample_rate is 8000 Hz; train the model at 16000 Hz"),
        ({"context": 18_001}, r"context 18001 is not the samples of a whole number of frames \(18000 are\)"),
        ({"context": 0}, "context 0 is not"),
        ({"window": 20_000}, "window 20000 does not lie within the context of 18000 samples"),
        ({"step": 0}, "step 0 is no positive multiple of the front-end's hop of 160"),
        ({"step": 200}, "step 200 is no positive multiple"),
        ({"step": 16_160}, "step 16160 is more than a second or than the context of 18000"),
        ({"frontend": {"kind": "log_mel", "pcen": True}}, "unknown front-end option 'pcen'; update spotter"),
        ({"frontend": {"kind": "wavelet"}}, "no front-end called 'wavelet'; update spotter"),
        ({"frontend": {"mel_bands": "40"}}, "front-end option 'mel_bands' has the value '40'"),
        ({"decoder": {"threshold": 2.0}}, "threshold 2.0 is out of range; give a number between 0 and 1"),
        ({"decoder": {"thresholds": {"maybe": 0.5}}}, "threshold for 'maybe', which is no keyword"),
        ({"files": {}}, "files does not list model.tflite; export"),
        ({"files": {"../model.tflite": {}}}, "files names '../model.tflite', which is no file of the folder"),
        ({"files": {"model.tflite": 3}}, "files has 3 for model.tflite, not its sha256 and bytes"),
        ({"files": {"model.tflite": {"bytes": 3}}}, "'sha256' of model.tflite is missing"),
        ({"files": {"model.tflite": {"sha256": "00", "bytes": "3"}}}, "'bytes' of model.tflite is '3', not an integer"),
    ],
)
def test_a_wrong_value_is_named_with_the_fix(folder: Path, changes: dict[str, Any], words: str) -> None:
    spoil(folder, **changes)
    with pytest.raises(ModelError, match=words) as caught:
        Model.open(folder)
    said = str(caught.value)
    assert said.startswith(str(folder / "manifest.json"))
    assert "; " in said
    assert "\n" not in said


@pytest.mark.parametrize("text", ["", "{", "[1]", "\xff", "null"])
def test_a_manifest_that_is_no_json_object_is_named(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match=r"manifest\.json (is not JSON|holds no JSON object).*; export"):
        Model.open(folder)


def test_a_folder_without_a_manifest_is_named(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    with pytest.raises(ModelError, match=r"tiny holds no manifest\.json; give the folder"):
        Model.open(folder)


def changed_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def shorter(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("file", ["model.tflite", "model.stream.tflite"])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (Path.unlink, "which the manifest names, is missing; export"),
        (shorter, r"has \d+ bytes where the manifest says \d+; export"),
        (changed_byte, "its SHA-256 differs; export"),
    ],
)
def test_a_damaged_file_is_named(folder: Path, file: str, damage: Callable[[Path], None], words: str) -> None:
    damage(folder / file)
    with pytest.raises(ModelError, match=words) as caught:
        Model.open(folder)
    assert str(folder / file) in str(caught.value)


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("model.tflite", {"labels": ["_silence_", "_unknown_", "yes", "no", "more"]}),
        ("model.tflite", {"context": 18_160}),
        ("model.tflite", {"frontend": {"mel_bands": 32}}),
        ("model.stream.tflite", {}),
    ],
)
def test_a_network_that_does_not_fit_the_manifest_is_named(folder: Path, file: str, changes: dict[str, Any]) -> None:
    if not changes:
        shutil.copy(folder / "model.tflite", folder / file)
    manifest = {**json.loads((folder / "manifest.json").read_text()), **changes}
    write_manifest(folder, manifest, ["model.tflite", "model.stream.tflite"])
    with pytest.raises(ModelError, match=rf"{file} takes .* ask for .*; export the model again"):
        Model.open(folder)


def test_a_network_that_is_none_is_named(folder: Path) -> None:
    (folder / "model.tflite").write_bytes(b"not a network")
    write_manifest(folder, json.loads((folder / "manifest.json").read_text()), ["model.tflite"])
    with pytest.raises(ModelError, match=r"no readable \.tflite file .*; export"):
        Model.open(folder)


# Where models are found


def test_a_bare_name_is_looked_up_among_the_users_models_first(
    own_models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shipped = tmp_path / "shipped"
    monkeypatch.setattr(model_folders, "_places", lambda: [own_models, shipped])
    shutil.copytree(TINY, shipped / "tiny")
    assert find_model("tiny") == shipped / "tiny"
    shutil.copytree(TINY, own_models / "tiny")
    assert find_model("tiny") == own_models / "tiny"
    assert Model.open("tiny").folder == own_models / "tiny"
    assert [(one.name, one.folder) for one in available_models()] == [("tiny", own_models / "tiny")]


def test_the_list_of_models_says_what_each_hears(own_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_folders, "_places", lambda: [own_models])
    assert available_models() == []
    shutil.copytree(TINY, own_models / "tiny")
    shutil.copytree(TINY, own_models / "broken")
    (own_models / "broken/manifest.json").write_text("{")
    (own_models / "no model").mkdir()
    broken, tiny = available_models()
    assert (tiny.name, tiny.keywords, tiny.problem) == ("tiny", ("yes", "no"), None)
    assert tiny.bytes == sum(path.stat().st_size for path in TINY.glob("*.tflite"))
    assert broken.problem is not None
    assert "is not JSON" in broken.problem


def test_an_unknown_name_lists_the_known_ones(own_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_folders, "_places", lambda: [own_models])
    with pytest.raises(ModelError, match=r"no model called 'tiny' \(found: none\); give"):
        Model.open("tiny")
    shutil.copytree(TINY, own_models / "mine")
    with pytest.raises(ModelError, match=r"no model called 'tiny' \(found: mine\); give"):
        Model.open("tiny")
    monkeypatch.chdir(TINY.parent)
    with pytest.raises(ModelError, match=r"or \./tiny for the folder here"):
        Model.open("tiny")
    assert Model.open("./tiny").name == "tiny"


@pytest.mark.parametrize("name", ["nowhere/to/be/found", "x" * 5_000, "nul\0", "~nobody/x", Path("manifest.json")])
def test_a_folder_that_is_none_is_said(name: str | Path) -> None:
    with pytest.raises(ModelError, match="; give"):
        Model.open(name)


def test_a_file_in_the_place_of_a_folder_is_said() -> None:
    with pytest.raises(ModelError, match=r"manifest\.json is a file; give the folder"):
        Model.open(TINY / "manifest.json")


# Writing


def test_a_manifest_that_could_not_be_read_is_not_written(folder: Path) -> None:
    before = (folder / "manifest.json").read_bytes()
    with pytest.raises(ModelError, match="step 7"):
        write_manifest(folder, {**json.loads(before), "step": 7}, ["model.tflite"])
    assert (folder / "manifest.json").read_bytes() == before
    assert not list(folder.glob("*.part"))


def test_what_is_written_is_read(folder: Path) -> None:
    write_manifest(folder, {**json.loads((folder / "manifest.json").read_text()), "name": "größer"}, ["model.tflite"])
    manifest = read_manifest(folder)
    assert manifest.name == "größer"
    assert list(manifest.files) == ["model.tflite"]
    assert not list(folder.glob("*.part"))


# What computes


def test_auto_falls_back_to_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litert, "problem", lambda: "No module named 'ai_edge_litert'")
    model = Model.open(TINY)
    assert model.backend == "numpy"
    assert model.predict(sound(model.context)).shape == (4,)
    with pytest.raises(ModelError, match=r"LiteRT cannot be loaded .*; install ai-edge-litert, or use"):
        Model.open(TINY, backend="litert")


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(BadInputError, match="no backend 'onnx'; give auto, litert or numpy"):
        Model.open(TINY, backend=cast("Any", "onnx"))


OPEN = f"""
from spotter.model import Model
from spotter.scorers import most_telling
import numpy as np
model = Model.open({str(TINY)!r}, backend=BACKEND)
model.predict(np.zeros(model.context, np.float32))
model.scorer(1_600).score(np.zeros((model.context_frames, 40), np.float32), model.context_frames)
"""


def python(code: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60, **settings)


def test_nothing_reaches_stderr_when_a_model_is_opened() -> None:
    done = python(OPEN.replace("BACKEND", "'litert'"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="closes a descriptor before exec")
def test_a_closed_stderr_does_no_harm() -> None:
    code = "import os; os.close(2)\n" + OPEN.replace("BACKEND", "'litert'") + "print(model.backend)"
    done = python(code)
    assert (done.returncode, done.stdout) == (0, "litert\n")


def test_the_numpy_path_loads_no_litert() -> None:
    done = python(OPEN.replace("BACKEND", "'numpy'") + "import sys\nprint('ai_edge_litert' in sys.modules)")
    assert (done.stdout, done.stderr) == ("False\n", "")
