"""How many threads numpy's BLAS has while a head is fitted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import os, sys
from train.cli import main
main(["fit", "nowhere", "--out", "nowhere/model"])
import numpy
print(os.environ.get("OPENBLAS_NUM_THREADS"))
"""


@pytest.mark.parametrize(("given", "used"), [(None, "1"), ("3", "3")])
def test_a_fit_keeps_blas_to_one_thread_unless_the_user_wants_more(given: str | None, used: str) -> None:
    env = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    env |= {"OPENBLAS_NUM_THREADS": given} if given else {}
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", CODE], cwd=root, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [used]
