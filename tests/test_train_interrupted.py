"""A run that is killed goes on where it was; a full disk ends it with a sentence."""

from __future__ import annotations

import csv
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.steps import SMALL, environment, python

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("tensorflow") is None, reason="TensorFlow has no wheel for this Python"
    ),
    pytest.mark.skipif(sys.platform == "win32", reason="signals and limits are those of Linux and macOS"),
]

RECIPE = f"""
keywords = ["yes", "no"]
steps = 40
check_every = 8
batch = 8
outputs = 10
warm_up = 2
rounds = 0
{SMALL}
"""

# The step, in a process that may write files of so many bytes at most: what a full disk is to a program.
FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
from train.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return tmp_path


def command(recordings: Path) -> list[str]:
    return ["fit", str(recordings / "words"), "--recipe", "tiny.toml", "--out", "models/mine"]


def history(folder: Path) -> list[int]:
    with (folder / "runs" / "mine" / "round0" / "history.csv").open(newline="") as file:
        return [int(row["steps"]) for row in csv.DictReader(file)]


def run_until(steps: int, here: Path, recordings: Path) -> list[str]:
    """Fit, and kill it as soon as it says that it is so far; return what it said."""
    run_step = [sys.executable, "-m", "train", *command(recordings)]
    said = []
    with subprocess.Popen(
        run_step, cwd=here, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            said.append(line)
            if line.startswith(f"steps {steps} "):
                break
        run.kill()
    return said


def test_a_run_that_is_killed_goes_on_from_its_last_checkpoint(here: Path, recordings: Path) -> None:
    run_until(16, here, recordings)
    assert history(here)[:2] == [8, 16]
    said = run_until(32, here, recordings)
    assert not any(line.startswith("steps 16 ") for line in said)
    assert history(here)[:4] == [8, 16, 24, 32]


def test_a_full_disk_ends_it_with_a_sentence(here: Path, recordings: Path) -> None:
    done = python("-c", FULL, *command(recordings), cwd=here)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "no space left" in done.stderr.splitlines()[-1]
