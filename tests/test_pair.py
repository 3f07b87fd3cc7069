"""Own words beside the shipped ones: each network gives the scores that it would give alone."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spotter.arrays import Floats
from spotter.backbone import open_backbone
from spotter.errors import ModelError
from spotter.events import Detection
from spotter.frontend import Frontend, StreamingFrontend
from spotter.manifest import FILE_NAME, HEAD, STREAM_NETWORK, WINDOW_NETWORK, write_manifest
from spotter.model import Model
from spotter.pair_engine import joined
from spotter.pipeline import Spotter
from spotter.settings import SPEECH_EMBEDDING, FrontendConfig, as_dict
from spotter.windows import Window
from tests.own_words import write_own_words

ROOT = Path(__file__).parent.parent
DEMO: Floats = soundfile.read(ROOT / "spotter" / "data" / "demo.flac", dtype="float32")[0][: 9 * 16_000]
COMMANDS = Model.open(ROOT / "models" / "commands")
BOTH = FrontendConfig.from_dict({**as_dict(SPEECH_EMBEDDING), "beside": as_dict(COMMANDS.frontend)})
EXTENDED = {"labels": list(COMMANDS.labels), "context": COMMANDS.context, "step": COMMANDS.step, "own_context": 18_272}

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pyopen_wakeword") is None, reason="pyopen-wakeword is not installed (no wheel here)"
)


def write_pair(folder: Path, own: Path, change: dict[str, object] | None = None) -> Path:
    shutil.copytree(own, folder)
    for name in (WINDOW_NETWORK, STREAM_NETWORK):
        shutil.copy(COMMANDS.folder / name, folder)
    values = json.loads((folder / FILE_NAME).read_text())
    values |= {
        "labels": [*COMMANDS.labels, *values["keywords"]],
        "keywords": [*COMMANDS.keywords, *values["keywords"]],
        "frontend": as_dict(BOTH),
        "extended": {**EXTENDED, "own_context": values["context"]},
        "context": BOTH.samples_for(152),  # whole groups of frames, and all that the commands look at
    }
    values |= change or {}
    del values["files"], values["format"]
    write_manifest(folder, values, [HEAD, WINDOW_NETWORK, STREAM_NETWORK])
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    base = tmp_path_factory.mktemp("models")
    own = write_own_words(base / "own", open_backbone())
    return own, write_pair(base / "both", own)


def heard(model: Model, block: int = 1_280, hop_ms: float = 80) -> dict[int, Floats]:
    seen: dict[int, Floats] = {}

    def tap(window: Window, scores: Floats) -> None:
        seen[window.end_sample] = scores.copy()

    spotter = Spotter(model, hop_ms=hop_ms, tap=tap)
    for at in range(0, len(DEMO), block):
        spotter.write(DEMO[at : at + block])
        list(spotter.events())
    list(spotter.finish())
    return seen


def test_frames_side_by_side_are_those_of_each_front_end_and_end_together() -> None:
    frames = Frontend(BOTH)(DEMO)
    assert frames.shape == (SPEECH_EMBEDDING.frames_in(len(DEMO)), 72)
    np.testing.assert_array_equal(frames[:, :32], Frontend(SPEECH_EMBEDDING)(DEMO))
    np.testing.assert_array_equal(frames[:, 32:], Frontend(COMMANDS.frontend)(DEMO[112:])[: len(frames)])
    streaming = StreamingFrontend(BOTH, 16, 8)
    parts = [streaming.push(DEMO[at : at + 3_333]) for at in range(0, len(DEMO), 3_333)]
    together = np.concatenate(parts)
    np.testing.assert_array_equal(together, frames[: len(together)])


def test_scores_of_both_are_those_of_each_alone(folders: tuple[Path, Path]) -> None:
    own, both = (Model.open(folder) for folder in folders)
    assert both.keywords == (*COMMANDS.keywords, "one", "two")
    found, words = heard(both), heard(own)
    assert len(found) > 80
    assert found.keys() <= words.keys()  # a longer context fills later, on the same grid
    for end, scores in list(found.items())[::5]:
        alone = COMMANDS.predict(DEMO[end - COMMANDS.context : end])
        np.testing.assert_allclose(scores[10:], words[end][1:], atol=1e-6)
        known = [n for n, label in enumerate(COMMANDS.labels) if label != "_unknown_"]
        np.testing.assert_allclose(scores[known], alone[known], atol=1e-4)
        unknown = COMMANDS.labels.index("_unknown_")
        assert scores[unknown] == pytest.approx(min(alone[unknown], words[end][0]), abs=1e-4)


def test_blocks_do_not_matter_to_both(folders: tuple[Path, Path]) -> None:
    both = Model.open(folders[1])
    one, other = heard(both), heard(both, 7_777)
    assert one.keys() == other.keys()
    np.testing.assert_array_equal(list(one.values()), list(other.values()))


def test_a_window_predicted_alone_has_the_scores_of_the_stream(folders: tuple[Path, Path]) -> None:
    both = Model.open(folders[1])
    for end, scores in list(heard(both).items())[::9]:
        np.testing.assert_allclose(both.predict(DEMO[end - both.context : end]), scores, atol=1e-4)
    whole, stream = both.window_scorer(), both.scorer(1_280)
    frames = Frontend(BOTH)(DEMO)
    for at in range(0, 40, 8):
        seen = frames[at : at + both.context_frames]
        new = 8 if at else both.context_frames
        np.testing.assert_allclose(whole.score(seen, new), stream.score(seen, new), atol=1e-4)


def test_own_words_that_hear_nothing_leave_the_shipped_ones_as_they_are(tmp_path: Path) -> None:
    deaf = write_own_words(tmp_path / "deaf", open_backbone(), unknown=20.0)
    both = Model.open(write_pair(tmp_path / "both", deaf))
    spotter = Spotter(both, padded=True)
    spotter.write(DEMO)
    events = [*spotter.events(), *spotter.finish()]
    assert [e.keyword for e in events if isinstance(e, Detection)] == ["yes", "no", "up", "down"]


def test_the_student_shares_the_frames_of_the_shipped_model(tmp_path: Path) -> None:
    student = open_backbone("student")
    own = write_own_words(tmp_path / "own", student)
    shared = {"frontend": as_dict(COMMANDS.frontend), "context": Model.open(own).context}
    folder = write_pair(tmp_path / "both", own, shared)
    both = Model.open(folder)
    assert both.frontend == COMMANDS.frontend
    found, words = heard(both), heard(Model.open(own))
    assert found.keys() == words.keys()
    for end, scores in list(found.items())[::9]:
        np.testing.assert_allclose(scores[10:], words[end][1:], atol=1e-6)
        alone = COMMANDS.predict(DEMO[end - COMMANDS.context : end])
        np.testing.assert_allclose(scores[2:10], alone[2:], atol=1e-4)


def test_unknown_is_what_both_do_not_know() -> None:
    other, words = np.array([0.0, 0.9, 0.1]), np.array([0.2, 0.8])
    np.testing.assert_allclose(joined(other.astype(np.float32), words.astype(np.float32), 1), [0.0, 0.2, 0.1, 0.8])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extended": {}}, "does not say which labels"),
        ({"extended": {**EXTENDED, "step": 7}}, "step of the extended model is 7"),
        ({"extended": {**EXTENDED, "own_context": "long"}}, "own_context of the extended model is 'long'"),
        ({"labels": ["one", *COMMANDS.labels, "two"]}, "labels of the extended model do not come first"),
        ({"context": BOTH.samples_for(144)}, "a window is shorter than what its networks look at"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    tmp_path: Path, folders: tuple[Path, Path], change: dict[str, object], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        Model.open(write_pair(tmp_path / "both", folders[0], change))


@pytest.mark.parametrize(
    ("beside", "message"),
    [
        ({"hop_samples": 128}, "cannot stand beside"),
        ({"frame_samples": 1_024, "fft_size": 1_024}, "cannot stand beside"),
        ({"range_db": 80.0}, "let the two change places"),
        (7, "is no object"),
    ],
)
def test_front_ends_that_cannot_stand_side_by_side_are_refused(beside: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        FrontendConfig.from_dict({**as_dict(SPEECH_EMBEDDING), "beside": beside})
