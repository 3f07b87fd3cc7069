"""Where models are found by name, and what computes them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from spotter import litert, model_folders
from spotter.errors import BadInputError, ModelError
from spotter.model import Model
from spotter.model_folders import available_models, find_model
from tests.tiny_model import ROOT, TINY, sound


@pytest.fixture
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own models, in a folder of the test."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "own"))
    monkeypatch.setenv("HOME", str(tmp_path / "own"))
    return model_folders.user_models_folder()


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
