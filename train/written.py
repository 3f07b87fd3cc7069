"""Files that are there whole or not at all, whenever a step is stopped."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str) -> None:
    """Write a file, all at once or not at all."""
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def write_json(path: Path, values: Any) -> None:
    """Write what a step did, all at once or not at all."""
    write_text(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def typed() -> str:
    """The command that runs, as it was typed, to be written down beside what it made."""
    return shlex.join(["python", "-m", "train", *sys.argv[1:]])
