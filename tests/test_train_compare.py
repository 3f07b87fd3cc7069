"""Networks compared: what is trained once stays, what was stopped goes on, and the table says what was found."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("scipy", reason="rooms come from scipy, which the extra `train` brings")
from spotter.model import Model
from spotter.recorded import spot
from tests.conftest import word
from tests.steps import train, train_several
from train.cli import main
from train.compare_plan import steps_in
from train.compare_table import spread, table
from train.costs import Costs, median_us

needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="TensorFlow has no wheel for this Python"
)
RECIPE = """
keywords = ["yes", "no"]
network = "ds_cnn"
batch = 8
[network_options]
width = 8
blocks = 1
"""


def compare_arguments(recordings: Path, *arguments: str) -> list[str]:
    data = [str(recordings / "words"), "--speech", str(recordings / "speech"), "--noise", str(recordings / "noise")]
    return ["compare", *data, "--recipe", "tiny.toml", "--out", "runs/all", *arguments]


@pytest.fixture(scope="module")
def compared(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("comparison")
    (here / "tiny.toml").write_text(RECIPE)
    done = train(
        *compare_arguments(recordings, "--networks", "ds_cnn", "tutorial", "--steps", "16"),
        cwd=here,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    assert (here / "runs" / "all" / "compare.md").read_text() in done.stdout
    return here / "runs" / "all"


@pytest.fixture(scope="module")
def again(compared: Path, recordings: Path) -> dict[str, Any]:
    """Return what the same command did after one result was lost, and one with other steps; and what was before."""
    stopped = compared / "ds_cnn" / "seed0"
    before = result(compared, "tutorial"), (stopped / "history.csv").read_text()
    (stopped / "result.json").unlink()
    same, longer = train_several(
        [
            compare_arguments(recordings, "--networks", "tutorial", "ds_cnn", "--steps", "16"),
            compare_arguments(recordings, "--networks", "ds_cnn", "--steps", "24"),
        ],
        cwd=compared.parent.parent,
    )
    return {"before": before, "same": same, "longer": longer}


def result(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / name / "seed0" / "result.json").read_text())
    return found


@needs_tensorflow
def test_the_table_has_a_row_for_each_network_with_what_it_costs_and_hears(compared: Path) -> None:
    rows = [line.split(" | ") for line in (compared / "compare.md").read_text().splitlines() if line.startswith("| ")]
    assert [r[0] for r in rows] == ["| network", "| tutorial", "| ds_cnn"]
    assert rows[1][1] == "1624.8 k"
    assert "1 seed" in rows[2][7]
    found = json.loads((compared / "compare.json").read_text())
    assert found["costs"]["tutorial"]["second_multiply_adds"] == 10 * found["costs"]["tutorial"]["window_multiply_adds"]
    assert found["costs"]["ds_cnn"]["window_us"] > 0


@needs_tensorflow
def test_a_network_of_whole_windows_learns_from_one_judgement_a_sequence_and_looks_fit_a_short_run(
    compared: Path,
) -> None:
    recipe = result(compared, "ds_cnn")["settings"]["recipe"]
    assert (recipe["outputs"], recipe["rounds"], recipe["steps"], recipe["check_every"]) == (1, 0, 16, 2)


@needs_tensorflow
def test_the_tutorials_model_knows_its_keywords_alone_and_the_listener_opens_it(compared: Path) -> None:
    model = Model.open(compared / "tutorial" / "seed0" / "model")
    assert model.labels == model.keywords == ("yes", "no")
    assert (model.context_frames, model.frontend.bins) == (124, 129)
    assert {d.keyword for d in spot(word(900), 16_000, model)} <= {"yes", "no"}
    clips = result(compared, "tutorial")["clips"]
    assert clips["keywords"]["right"] == clips["keywords"]["of"] > 0  # two tones: even it can tell them
    assert clips["taken"]["_unknown_"]["best_is_a_keyword"] == clips["taken"]["_unknown_"]["clips"] > 0


@needs_tensorflow
def test_the_same_command_trains_only_what_is_not_finished_and_goes_on_where_that_was(
    compared: Path, again: dict[str, Any]
) -> None:
    done, (before, history) = again["same"], again["before"]
    assert done.returncode == 0, done.stderr[-3_000:]
    assert "tutorial, seed 0" not in done.stdout
    assert result(compared, "tutorial") == before
    assert "ds_cnn, seed 0" in done.stdout
    assert (compared / "ds_cnn" / "seed0" / "history.csv").read_text() == history
    assert result(compared, "ds_cnn")["steps"] == 16


@needs_tensorflow
def test_runs_of_another_length_do_not_get_into_the_same_table(again: dict[str, Any]) -> None:
    done = again["longer"]
    assert done.returncode == 2
    assert "trained with other settings or recordings; give another --out, or --force" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_network_that_does_not_exist_is_refused_before_anything_is_read(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # where there is no recipe
    assert main(compare_arguments(recordings, "--networks", "vgg")) == 2
    assert "no network called 'vgg'; there are: temporal, tutorial" in capsys.readouterr().err


@pytest.mark.parametrize(("minutes", "step_s", "steps"), [(1.0, 0.1, 555), (10.0, 0.1, 5_928), (0.001, 1.0, 8)])
def test_steps_fill_the_minutes_with_looks_at_the_validation_speakers_in_between(
    minutes: float, step_s: float, steps: int
) -> None:
    assert steps_in(minutes, step_s, check_every=500) == steps


def test_a_spread_is_said_where_there_are_several_seeds() -> None:
    assert spread([(97, 100), (98, 100), (96, 100)]) == "97.0% (96.0 to 98.0)"
    assert spread([(97, 100)]) == "97.0%"
    assert spread([]) == "-"


def test_a_network_with_a_stream_form_is_not_starred() -> None:
    right = {"right": 9, "of": 10}
    clips = {"all": right, "keywords": right, "taken": {}}
    found = [
        {"network": n, "seed": 0, "minutes": 1.0, "steps": 90, "parameters": 5_000, "clips": clips}
        for n in ("temporal", "ds_cnn")
    ]
    streams = Costs(
        window_multiply_adds=4_000_000, second_multiply_adds=5_000_000, window_us=100, second_us=300, streams=True
    )
    whole = Costs(
        window_multiply_adds=1_000_000, second_multiply_adds=10_000_000, window_us=50, second_us=500, streams=False
    )
    text = table(found, {"temporal": streams, "ds_cnn": whole}, peak=80e9)
    assert (
        "| temporal | 5.0 k | 4.00 M | 100 | 2.0 | 5.0 M | 300 | 1.0 min, 90 steps, 1 seed | 90.0% | 90.0% | - |"
        in text
    )
    assert "| 10.0 M* | 500* |" in text
    assert "10 whole windows a second" in text


def test_a_time_is_the_median_so_that_a_call_that_was_held_up_does_not_count() -> None:
    calls = iter(range(10_000))
    assert median_us(lambda: sum(range(200_000)) if next(calls) % 10 == 0 else None) < 500.0
