"""The command line in this process: what it printed, what it was given."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from spotter.cli.listen import main
from tests.fakes import FakeSoundDevice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spotter.arrays import Floats

ROOT = Path(__file__).parents[1]
TINY = str(ROOT / "tests" / "data" / "models" / "tiny")


def no_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", FakeSoundDevice(devices=[]))


def words_of(out: str) -> list[str]:
    return [line.split()[2] for line in out.splitlines()]


def spoken_error(capsys: pytest.CaptureFixture[str], arguments: Sequence[str], code: int) -> str:
    """Run; the exit code must be this one, and what is said one line."""
    assert main(arguments) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("spotter: ")
    assert "Traceback" not in lines[0]
    return lines[0]


class Piped:
    """A standard input with these bytes."""

    def __init__(self, data: bytes, *, terminal: bool = False) -> None:
        self.buffer = io.BytesIO(data)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def pcm(samples: Floats) -> bytes:
    return (samples * 32_767).astype("<i2").tobytes()
