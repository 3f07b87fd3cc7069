"""The set-up command, without installing anything."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import run


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with a virtual environment in which everything is said to be installed."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    (tmp_path / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    for name, value in {"ROOT": tmp_path, "PYTHON": python, "STAMP": tmp_path / ".venv" / "spotter.json"}.items():
        monkeypatch.setattr(run, name, value)
    return tmp_path


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Every command that would have run, in their order."""
    ran: list[list[str]] = []

    def become(command: list[str]) -> int:
        ran.append(command)
        return 0

    monkeypatch.setattr(run, "patiently", ran.append)
    monkeypatch.setattr(run, "succeeds", lambda _command: True)
    monkeypatch.setattr(run, "become", become)
    monkeypatch.setattr(run, "has_portaudio", lambda: True)
    monkeypatch.setattr(run, "litert_may_install", lambda: True)
    return ran


def test_the_first_start_installs_and_the_second_only_listens(clone: Path, commands: list[list[str]]) -> None:
    assert run.main(["--device", "usb"]) == 0
    listen = [str(run.PYTHON), "-m", "spotter.listen", "--or-demo", "--device", "usb"]
    assert any("--editable" in command for command in commands)
    assert commands[-1] == listen
    commands.clear()
    run.main(["--device", "usb"])
    assert commands == [listen]


def test_a_changed_pyproject_is_installed_again_with_the_extras_it_had(clone: Path, commands: list[list[str]]) -> None:
    run.install(["test"])
    (clone / "pyproject.toml").write_text("[project]\nname = 'x'\n", encoding="utf-8")
    commands.clear()
    run.install([])
    assert [command[-1] for command in commands] == [f"{clone}[test]"]


def test_an_environment_that_was_moved_is_made_anew(clone: Path, commands: list[list[str]]) -> None:
    run.install([])
    stamp = json.loads(run.STAMP.read_text("utf-8")) | {"root": str(clone / "elsewhere")}
    run.STAMP.write_text(json.dumps(stamp), encoding="utf-8")
    commands.clear()
    run.make_environment()
    assert [command[1:4] for command in commands] == [["-m", "venv", "--clear"]]


def test_without_rights_one_line_says_what_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1_000, raising=False)
    monkeypatch.setattr(shutil, "which", {"apt-get": "/usr/bin/apt-get"}.get)
    assert not run.install_debian(["libportaudio2"], "the microphone")
    said = capsys.readouterr()
    assert said.err == "spotter: the microphone needs libportaudio2; type: sudo apt-get install -y libportaudio2\n"
    assert not said.out  # stdout belongs to the listener


def test_root_installs_after_an_update_when_the_lists_are_old(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def succeeds(command: list[str]) -> bool:
        ran.append(" ".join(command[3:]))
        return len(ran) > 1

    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    monkeypatch.setattr(shutil, "which", {"apt-get": "/usr/bin/apt-get"}.get)
    monkeypatch.setattr(run, "succeeds", succeeds)
    assert run.install_debian(["libportaudio2"], "the microphone")
    install = "install -y -q --no-install-recommends libportaudio2"
    assert ran == [install, "update -q", install]
