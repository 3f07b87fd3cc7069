"""Everything that `evaluate` measures, as one piece of plain data; and the folder that it is written to."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.manifest import WINDOW_NETWORK
from spotter.model import Model
from spotter.settings import UNKNOWN
from train import keyword_free
from train.answers import accuracy, by_speaker, calibrated, per_label
from train.augment.room import measured_room
from train.bank import read
from train.conditions import simulated_rooms, ways
from train.data import AUDIO, Row, noise_rows, word_rows
from train.evaluate import ask, clips, silences
from train.facts import LONGEST_S, LONGEST_WORD_S, all_facts
from train.grid import grid
from train.hearing import Hearing
from train.report import markdown, rows_of_grid
from train.written import write_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What is measured: a model, and recordings.

    noise : folders; for the label silence, and laid under the clips
    per_condition : clips that are heard again under every condition; 0 for none
    """

    model: Path
    data: Path
    noise: tuple[Path, ...] = ()
    speech: Path | None = None
    rir: tuple[Path, ...] = ()
    split: str = "validation"
    network: str = WINDOW_NETWORK
    per_condition: int = 0
    seed: int = 0


def measure(wanted: Measured) -> dict[str, Any]:
    """Measure; the same settings and recordings give the same figures."""
    model = Model.open(wanted.model, network=wanted.network)
    hearing = Hearing(model)
    rng = np.random.default_rng(wanted.seed)
    chosen = clips(_on_side(word_rows(wanted.data), wanted.split), model.keywords, rng)
    rows, unreadable = _usable(chosen, LONGEST_WORD_S, "clips")
    if not rows:
        raise BadInputError(f"{wanted.data} has no clip of a {wanted.split} speaker that can be used; give more")
    side = "training" if wanted.split == "training" else "validation"
    noise, more = _usable(_on_side(noise_rows(wanted.noise), side), LONGEST_S, "noise")
    unknown = sum(r.word == UNKNOWN for r in rows)
    answers = ask(hearing, rows, silences(noise, unknown, rng) if noise else ())
    report: dict[str, Any] = {
        "format": 1,
        "command": "",
        "model": _described(model),
        "split": wanted.split,
        "seed": wanted.seed,
        "recordings": {"clips": _hash(rows), "noise": _hash(noise)},
        "unreadable": unreadable + more,
        "clips": {**accuracy(answers), **per_label(answers)},
        "calibration": calibrated(answers),
        "speakers": by_speaker(answers, np.random.default_rng([wanted.seed, 1])),
    }
    if wanted.per_condition > 0:
        report["conditions"] = _conditions(hearing, rows, noise, wanted)
    if wanted.speech:
        free, bad = _usable(keyword_free.free_rows(wanted.speech, model.keywords), LONGEST_S, "speech")
        if not free:
            raise BadInputError(f"{wanted.speech} has no validation speaker without keywords; give more speech")
        heard = keyword_free.hear(model, free)
        report["speech"] = keyword_free.summary(heard, model.keywords, np.random.default_rng([wanted.seed, 2]))
        report["recordings"]["speech"] = _hash(free)
        report["unreadable"] += bad
    return report


def check_out(out: Path | None, *, force: bool) -> None:
    """Refuse an existing folder without `force`, before hours of work."""
    if out and out.exists() and not force:
        raise BadInputError(f"{out} exists; give another name, or --force to replace it")


def write(report: dict[str, Any], out: Path) -> None:
    """Write report.json, report.md and the pictures; the folder appears whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        folder = Path(scratch) / out.name
        folder.mkdir()
        write_json(folder / "report.json", report)
        (folder / "report.md").write_text(markdown(report), "utf-8")
        _draw(report, folder)
        if out.exists():
            out.rename(Path(scratch) / "old")
        shutil.move(folder, out)


def _conditions(hearing: Hearing, rows: Sequence[Row], noise: Sequence[Row], wanted: Measured) -> dict[str, Any]:
    rng = np.random.default_rng([wanted.seed, 3])
    some = [rows[i] for i in sorted(rng.permutation(len(rows))[: wanted.per_condition])]
    rooms = simulated_rooms(rng)
    recorded = sorted(p for folder in wanted.rir for p in folder.iterdir() if p.suffix.lower() in AUDIO)
    rooms += [(path.stem.replace("_", " "), measured_room(read(path))) for path in recorded]
    cells = grid(hearing, some, ways(rooms), [read(r.path) for r in noise], wanted.seed)
    return {
        "clips": cells[0]["all"]["of"],  # those that the model has a label for
        "noise": "recorded noise" if noise else "pink noise",
        "cells": cells,
    }


def _draw(report: dict[str, Any], folder: Path) -> None:
    from train import pictures

    clip = report["clips"]
    table: Any = np.array(clip["confusion"]["rows_said_columns_given"])
    pictures.confusion_matrix(table, clip["confusion"]["labels"], folder / "confusion.png")
    pictures.label_bars(clip["labels"], folder / "labels.png")
    pictures.reliability_diagram(report["calibration"], folder / "reliability.png")
    if report["speakers"]["worst"]:
        pictures.speaker_histogram(report["speakers"], folder / "speakers.png")
    if "conditions" in report:
        names, columns, shares = rows_of_grid(report["conditions"])
        cells: Floats = np.array(shares, np.float32)
        pictures.condition_map(names, columns, cells, report["conditions"]["noise"], folder / "conditions.png")


def _on_side(rows: Sequence[Row], split: str) -> list[Row]:
    return [r for r in rows if r.split == split]


def _usable(rows: Sequence[Row], longest_s: float, what: str) -> tuple[list[Row], list[str]]:
    """Rows that can be measured with, and a line about each of the others."""
    facts = all_facts([r.path for r in rows], longest_s=longest_s, what=what) if rows else []
    good = [r for r, f in zip(rows, facts, strict=True) if not f.trouble]
    return good, [f"{r.path}: {f.trouble}" for r, f in zip(rows, facts, strict=True) if f.trouble]


def _described(model: Model) -> dict[str, Any]:
    files = {name: dict(entry) for name, entry in model.manifest["files"].items()}
    return {"name": model.name, "network": model.network, "labels": list(model.labels), "files": files}


def _hash(rows: Sequence[Row]) -> dict[str, Any]:
    """How many recordings, and a hash of their names and sizes."""
    names = "".join(f"{r.path.parent.name}/{r.path.name}:{r.path.stat().st_size}\n" for r in rows)
    return {"count": len(rows), "sha256": hashlib.sha256(names.encode()).hexdigest()}
