"""One augmentation at a time: what is switched, what is passed over, what is measured, and going on after a stop."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.fakes import ScriptedModel, recording

pytest.importorskip("scipy", reason="the extra `train` brings it")
from spotter.errors import BadInputError
from train import ablate
from train.ablate import AS_IT_IS, ENTRIES, Asked, Entry, chosen, lowest, run_entries, stream_figures, table
from train.cli.ablate import EXAMPLE
from train.data import Row
from train.recipe import Recipe

RECIPE = Recipe(keywords=("yes", "no"), steps=8)
ASKED = Asked(per_word=2)


def measured(share: float = 0.9, equal: bool = True) -> dict[str, Any]:
    one = {
        "threshold": 0.8,
        "recall": {"quiet": share, "0 dB": 0.5},
        "of": {"quiet": 20, "0 dB": 20},
        "false": 3,
        "false_per_hour": 1.5,
    }
    return {
        "labels": 4,
        "validation_loss": 0.25,
        "clips": {"all": {"share": share, "of": 100}, "keywords": {"share": None, "of": 0}},
        "streams": {"hours": 2.0, "equal_threshold": one, "equal_false": one if equal else None},
    }


class Trained:
    """Stands for training and measuring; remembers what it was asked for."""

    def __init__(self, fail_at: str = "") -> None:
        self.asked: list[tuple[str, Recipe]] = []
        self._fail_at = fail_at

    def __call__(self, recipe: Recipe, folder: Path) -> dict[str, Any]:
        if folder.name == self._fail_at:
            raise KeyboardInterrupt
        self.asked.append((folder.name, recipe))
        return measured()


def run(
    out: Path,
    *names: str,
    recipe: Recipe = RECIPE,
    one: Trained | None = None,
    asked: Asked = ASKED,
    words: str = "words",
) -> tuple[list[dict[str, Any]], Trained, list[int]]:
    one = one or Trained()
    kept: list[int] = []
    data = {"words": words}
    found = run_entries(chosen(names), recipe, out, asked, one, data=data, keep=lambda found: kept.append(len(found)))
    return found, one, kept


# -- entries ---------------------------------------------------------------------------------


def test_every_entry_switches_something_that_recipes_have_and_differs_from_the_shipped_recipe() -> None:
    for entry in ENTRIES:
        assert not ablate.missing(entry), entry.name
        assert ablate.is_changed(Recipe(), entry), entry.name


def test_each_entry_changes_just_its_own_options() -> None:
    base = Recipe()
    seen = []
    for entry in ENTRIES[1:]:
        other = ablate.changed(base, entry)
        mixing = {
            f.name
            for f in dataclasses.fields(base.mixing)
            if getattr(base.mixing, f.name) != getattr(other.mixing, f.name)
        }
        rest = {f.name for f in dataclasses.fields(base) if getattr(base, f.name) != getattr(other, f.name)} - {
            "mixing"
        }
        assert mixing == set(entry.mixing)
        assert rest == set(entry.recipe)
        seen.append((frozenset(mixing), frozenset(rest)))
    assert len(set(seen)) == len(seen)


def test_the_help_names_all_that_can_be_switched() -> None:
    listed = EXAMPLE.split("--only takes:")[1].replace("\n", " ").split(",")
    assert [name.strip() for name in listed] == [e.name for e in ENTRIES]


def test_the_recipe_as_it_is_comes_first_whatever_is_chosen() -> None:
    assert [e.name for e in chosen(["warp"])] == [AS_IT_IS, "warp"]
    assert chosen([]) == list(ENTRIES)
    with pytest.raises(BadInputError, match=r"'wrap'.*warp"):
        chosen(["wrap"])


def test_an_option_that_recipes_do_not_have_is_passed_over_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ablate, "ENTRIES", (ENTRIES[0], Entry("echo", "without echo", {"echo": 0.0}), ENTRIES[10]))
    found, one, _ = run(tmp_path)
    assert [f["name"] for f in found] == [AS_IT_IS, "warp"]
    assert len(one.asked) == 2
    assert "passed over 'echo': recipes have no option echo" in capsys.readouterr().out


def test_what_the_recipe_has_switched_off_already_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = dataclasses.replace(RECIPE, mixing=dataclasses.replace(RECIPE.mixing, warp=0.0))
    found, _, _ = run(tmp_path, "warp", "masks", recipe=bare)
    assert [f["name"] for f in found] == [AS_IT_IS, "masks"]
    assert "'warp': this recipe has it so already" in capsys.readouterr().out


# -- running ---------------------------------------------------------------------------------


def test_a_stopped_ablation_goes_on_with_what_is_missing_and_widens(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, "masks", "warp", one=Trained(fail_at="warp"))
    found, one, kept = run(tmp_path, "masks", "warp", "bare")
    assert [name for name, _ in one.asked] == ["warp", "bare"]
    assert [f["name"] for f in found] == [AS_IT_IS, "masks", "warp", "bare"]
    assert kept == [1, 2, 3, 4]
    assert one.asked[0][1].mixing.warp == 0.0
    assert one.asked[1][1].mixing.warp == RECIPE.mixing.warp


@pytest.mark.parametrize(
    "change",
    [{"recipe": dataclasses.replace(RECIPE, steps=16)}, {"asked": Asked(per_word=3)}, {"words": "other words"}],
)
def test_results_of_other_settings_are_never_mixed(tmp_path: Path, change: dict[str, Any]) -> None:
    run(tmp_path, "warp")
    with pytest.raises(BadInputError, match="--force"):
        run(tmp_path, "warp", **change)


# -- measuring -------------------------------------------------------------------------------


@pytest.fixture
def rows(tmp_path: Path) -> dict[str, list[Row]]:
    """Words that `ScriptedModel` knows, faint hiss as noise, and speech in which it hears a "yes"."""
    out: dict[str, list[Row]] = {"words": [], "noise": [], "speech": []}

    def write(kind: str, name: str, word: str, *words: tuple[float, str], seconds: float = 1.0) -> None:
        path = tmp_path / kind / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, recording(*words, seconds=seconds), 16_000, subtype="FLOAT")
        out[kind].append(Row(path, word, name, "validation"))

    for number in range(3):
        write("words", f"yes{number}", "yes", (0.3, "yes"))
        write("words", f"no{number}", "no", (0.3, "no"))
    write("noise", "hiss", "", seconds=3.0)
    write("speech", "talk", "", (2.0, "yes"), seconds=6.0)
    return out


def test_streams_give_recall_and_false_accepts_at_one_threshold_and_at_equal_false_accepts(
    rows: dict[str, list[Row]],
) -> None:
    model: Any = ScriptedModel()
    figures = stream_figures(model, rows["words"], rows["noise"], rows["speech"], ASKED)
    one = figures["equal_threshold"]
    assert one["recall"] == {"quiet": 1.0, "10 dB": 1.0, "0 dB": 1.0}
    assert one["of"] == {"quiet": 4, "10 dB": 4, "0 dB": 4}
    assert one["false"] == 1
    assert one["false_per_hour"] == pytest.approx(3_600 / 6.3, rel=0.01)
    # The model scores 0.97: only a higher threshold keeps the one in the speech out, and then nothing is found.
    assert figures["equal_false"]["threshold"] == 0.97 or figures["equal_false"]["false"] == 0
    lenient = stream_figures(
        model, rows["words"], rows["noise"], rows["speech"], dataclasses.replace(ASKED, false_per_hour=1e4)
    )
    assert lenient["equal_false"]["threshold"] == ablate.THRESHOLDS[0]
    assert lenient["equal_false"]["recall"]["quiet"] == 1.0


def test_without_noise_or_speech_what_can_be_measured_is(rows: dict[str, list[Row]]) -> None:
    model: Any = ScriptedModel()
    figures = stream_figures(model, rows["words"], [], [], ASKED)
    assert list(figures["equal_threshold"]["recall"]) == ["quiet"]
    assert figures["equal_threshold"]["false_per_hour"] is None
    assert figures["equal_false"] is None


@pytest.mark.parametrize(
    ("good", "wanted"), [(lambda t: t >= 0.7, 0.7), (lambda _: True, 0.5), (lambda _: False, None)]
)
def test_the_lowest_threshold_that_is_good_is_found(good: Callable[[float], bool], wanted: float | None) -> None:
    assert lowest((0.5, 0.6, 0.7, 0.8), good) == wanted


# -- the table -------------------------------------------------------------------------------


def test_the_table_has_a_line_for_each_entry_and_says_how_much_was_heard(tmp_path: Path) -> None:
    found, _, _ = run(tmp_path, "warp")
    lines = table(found, ASKED, 8).splitlines()
    assert lines[0].startswith("|  | 4 labels | 2 keywords | found quiet at 0.8 |")
    assert lines[2].startswith("| the recipe as it is | 90.0% | - | 90.0% | 50.0% | 1.5 |")
    assert lines[3].startswith("| without other vocal tracts |")
    assert {line.count("|") for line in lines[:4]} == {lines[0].count("|")}
    assert "8 steps" in lines[-1]
    assert "2.00 h" in lines[-1]
    assert "| - | - |" in table([{**found[0], **measured(equal=False)}], ASKED, 8).splitlines()[2]
    assert table([], ASKED, 8) == ""


def test_what_was_asked_and_found_is_plain_data(tmp_path: Path) -> None:
    run(tmp_path, "warp")
    settings = json.loads((tmp_path / "warp" / "settings.json").read_text())
    assert settings["recipe"]["mixing"]["warp"] == 0.0
    assert settings["asked"]["per_word"] == 2
    assert np.isfinite(json.loads((tmp_path / "warp" / "result.json").read_text())["validation_loss"])


def test_what_an_earlier_run_found_keeps_its_line(tmp_path: Path) -> None:
    run(tmp_path, "warp")
    found, one, _ = run(tmp_path, "masks")
    assert [name for name, _ in one.asked] == ["masks"]
    assert [f["name"] for f in found] == [AS_IT_IS, "masks", "warp"]


def test_a_run_that_was_only_trained_has_no_line_until_it_is_measured(tmp_path: Path) -> None:
    class OnlyTrained(Trained):
        def __call__(self, recipe: Recipe, folder: Path) -> Any:
            super().__call__(recipe, folder)

    found, _, _ = run(tmp_path, "warp", one=OnlyTrained())
    assert found == []
    found, one, _ = run(tmp_path, "warp")
    assert len(found) == len(one.asked) == 2
