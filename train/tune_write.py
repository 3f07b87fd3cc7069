"""What a tuning leaves behind: the report beside its picture, and the model's manifest."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spotter.errors import ModelError
from spotter.manifest import write_manifest
from spotter.model import Model
from spotter.settings import DecoderConfig, as_dict
from train.written import typed, write_json, write_text


def write_report(
    out: Path,
    model: Model,
    record: Mapping[str, Any],
    present: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    chosen: int,
    lines: Sequence[str],
    sounding: Sequence[Mapping[str, Any]],
) -> None:
    """Write tune.json and tune.md into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    values = {
        "command": typed(),
        "model": {"name": model.name, "files": {n: f["sha256"] for n, f in model.manifest["files"].items()}},
        "versions": {"python": sys.version.split()[0], "numpy": np.__version__},
        **record,
        "present": present,
        "rows": list(rows),
        "chosen": chosen,
        "sounding_like_keywords": list(sounding),
    }
    write_json(out / "tune.json", values)
    head = [f"# {model.name}, tuned", "", f"`{typed()}`", ""]
    write_text(out / "tune.md", "\n".join([*head, *lines, "", "![recall against false accepts](tune.png)"]) + "\n")


def write_tuned(model: Model, config: DecoderConfig, record: Mapping[str, Any]) -> None:
    """Put settings into a model's manifest, and under `training` how they came about; all else stays."""
    values = {k: v for k, v in model.manifest.items() if k not in ("format", "files")}
    tuned = {"command": typed(), "before": as_dict(model.decoder), **record}
    values |= {"decoder": as_dict(config), "training": {**values["training"], "tuned": tuned}}
    try:
        write_manifest(model.folder, values, model.manifest["files"])
    except OSError as problem:
        raise ModelError(
            f"the model folder {model.folder} cannot be written ({problem.strerror}); copy it to a place of your own"
        ) from problem
