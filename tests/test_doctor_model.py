"""The doctor tests the model: its files, its arithmetic, and a recording with known words."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from spotter.checkup import self_test
from spotter.cli.doctor import main
from spotter.model import Model
from tests.doctoring import DEMO, MODEL, RATE, examined

if TYPE_CHECKING:
    from pathlib import Path

    from spotter.arrays import Floats


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    data = bytearray((folder / "model.stream.tflite").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.stream.tflite").write_bytes(data)
    return folder


def test_a_model_of_which_a_bit_has_changed_ends_with_4(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", str(broken), "--no-mic"]) == 4
    out = capsys.readouterr().out
    assert "SHA-256 differs" in out
    assert "FAIL" in out
    assert "self-test" not in out


def test_a_model_that_is_not_there_ends_with_4_whatever_the_microphone(capsys: pytest.CaptureFixture[str]) -> None:
    code, values = examined(capsys, np.zeros(3 * RATE, np.float32), "--model", "nobodys")
    assert code == 4
    assert len(values["problems"]) == 2


class Skewed:
    """A model whose stream has an error in one window."""

    def __init__(self, by: float) -> None:
        self._model, self._by = Model.open(), by

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def scorer(self, hop_samples: int) -> Any:
        scorer, by, calls = self._model.scorer(hop_samples), self._by, [0]

        class Wrong:
            def score(self, frames: Floats, new: int) -> Floats:
                calls[0] += 1
                wrong: Floats = scorer.score(frames, new) + np.float32(by if calls[0] == 100 else 0.0)
                return wrong

            def reset(self) -> None:
                scorer.reset()

        return Wrong()


@pytest.mark.parametrize(("by", "fine"), [(0.0, True), (5e-5, True), (2e-4, False), (float("nan"), False)])
def test_a_stream_that_differs_from_whole_windows_fails(by: float, fine: bool) -> None:
    model: Any = Skewed(by)
    result = self_test(model)
    assert (result.problems == ()) is fine
    assert result.windows > 250
    if not fine:
        assert "report this" in result.problems[0]


def test_a_failing_self_test_ends_with_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    model = Skewed(0.5)
    monkeypatch.setattr(Model, "open", lambda _name: model)
    code, values = examined(capsys, np.zeros(3 * RATE, np.float32), again=True)
    assert code == 1  # before the microphone's 3
    assert not values["self_test"]["ok"]


def test_words_that_are_missed_fail(tmp_path: Path) -> None:
    sound = soundfile.read(DEMO, dtype="float32")[0]
    sound[: 3 * RATE] = sound[12 * RATE : 15 * RATE]
    soundfile.write(tmp_path / "demo.wav", sound, RATE)
    result = self_test(Model.open(), tmp_path / "demo.wav")
    assert len(result.heard) < 10
    assert "was heard" in result.problems[0]


def test_of_a_model_with_other_words_what_it_hears_is_not_judged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Model.open()
    model.keywords = ("yes", "no")
    monkeypatch.setattr(Model, "open", lambda _name: model)
    assert main(["--no-mic"]) == 0
    assert "other words" in capsys.readouterr().out
