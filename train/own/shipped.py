"""What comes along for each backbone: a bank of background, and what tells voices apart."""

from __future__ import annotations

from pathlib import Path

from spotter.errors import BadInputError

_HERE = Path(__file__).parent


def bank_of(backbone: str) -> Path:
    """Return the bank of a backbone."""
    return _of("banks", backbone, "python -m train background")


def voices_of(backbone: str) -> Path:
    """Return the voices of a backbone."""
    return _of("voices", backbone, "python -m train voices")


def _of(kind: str, backbone: str, command: str) -> Path:
    path = _HERE / kind / f"{backbone}.npz"
    if not path.is_file():
        raise BadInputError(f"no {kind} come along for {backbone}; make them: {command} --help")
    return path
