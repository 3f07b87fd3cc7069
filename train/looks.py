"""What a run wrote about its looks at the validation speakers, read back; needs no Keras."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path


def looks_of(work: Path) -> list[dict[str, float]]:
    """All looks of a run, its rounds in their order; steps count on from round to round."""
    out: list[dict[str, float]] = []
    for number in itertools.count():
        path = work / f"round{number}" / "history.csv"
        if not path.exists():
            return out
        before = out[-1]["steps"] if out else 0.0
        with path.open(newline="") as file:
            rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
        out += [{**row, "round": number, "steps": before + row["steps"]} for row in rows]
    return out
