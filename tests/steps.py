"""Steps of training in a process of their own: TensorFlow's threads and warnings are no business of other tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIMIT_S = 600  # nothing may wait for ever

# A network that is small, for a recipe: compiling it takes most of the time of a short training.
SMALL = """
[network_options]
width = 8
dilations = [1]
smoothing = 5
"""

_ONE_AFTER_ANOTHER = """
import contextlib, io, json, sys
from train.cli import main
done = []
for arguments in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = main(arguments)
    done.append((code, out.getvalue(), err.getvalue()))
print(json.dumps(done))
"""


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}


def python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments."""
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False, timeout=LIMIT_S
    )


def train(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run one step."""
    return python("-m", "train", *arguments, cwd=cwd)


def train_several(steps: Sequence[Sequence[str]], cwd: Path) -> list[subprocess.CompletedProcess[str]]:
    """Run steps one after another in one process, which loads TensorFlow once; each one's output by itself."""
    together = python("-c", _ONE_AFTER_ANOTHER, json.dumps(steps), cwd=cwd)
    assert together.returncode == 0, together.stderr[-3_000:]
    done = json.loads(together.stdout.splitlines()[-1])
    return [
        subprocess.CompletedProcess(list(step), code, out, err)
        for step, (code, out, err) in zip(steps, done, strict=True)
    ]
