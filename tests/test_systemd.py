"""The unit in docs/systemd is one that systemd takes, and names options that there are."""

from __future__ import annotations

import argparse
import configparser
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spotter.cli.listen import add_arguments

UNIT = Path(__file__).parents[1] / "docs" / "systemd" / "spotter.service"


def read(text: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names are written so
    unit.read_string(text)
    return unit


def test_the_unit_watches_and_restarts() -> None:
    service = read(UNIT.read_text("utf-8"))["Service"]
    assert service["Type"] == "notify"
    assert float(service["WatchdogSec"]) >= 15  # three beats of five seconds
    assert service["Restart"] == "on-failure"


def test_its_command_is_one_that_spotter_takes() -> None:
    program, command, *arguments = shlex.split(read(UNIT.read_text("utf-8"))["Service"]["ExecStart"])
    assert (Path(program).name, command) == ("spotter", "listen")
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_arguments(parser)
    options, unknown = parser.parse_known_args(arguments)
    assert not unknown
    assert options.wait
    assert options.heartbeat == "%t/spotter.json"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
@pytest.mark.parametrize(("old", "new", "fine"), [("", "", True), ("WatchdogSec=", "WatchdogSeconds=", False)])
def test_systemd_finds_nothing_to_complain_of(old: str, new: str, fine: bool, tmp_path: Path) -> None:
    text = UNIT.read_text("utf-8").replace("%h/.local/bin/spotter", f"{sys.executable} -m spotter")
    (tmp_path / "spotter.service").write_text(text.replace(old, new) if old else text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", str(tmp_path / "spotter.service")],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if "spotter.service" in line]
    assert (complaints == []) is fine, done.stderr
    if fine:
        assert done.returncode == 0, done.stderr
