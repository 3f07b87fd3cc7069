"""What an installation brings stays as small as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(sys.platform != "linux", reason="counted on Linux")
def test_the_base_installation_stays_within_17_distributions_and_135_megabytes() -> None:
    command = [sys.executable, str(ROOT / "release" / "installed.py")]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["distributions"]
    del found["spotter-kws"]  # from a clone; what it brings itself follows
    assert len(found) <= 17, sorted(found)
    assert sum(found.values()) < 135e6
    own = [path for folder in ("spotter", "models") for path in (ROOT / folder).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in own if path.suffix != ".pyc") < 4e6
