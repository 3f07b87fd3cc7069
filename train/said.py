"""What synthetic voices have said so far: the table beside the clips, by which a second run goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spotter.errors import BadInputError
from train.near_words import Utterance
from train.written import write_text

TABLE: Final = "words.tsv"
ABOUT: Final = "words.json"
_COLUMNS = "path\tword\ttext\tvoice\tspeed\trelease_db\tscore\tkept"
_DROPPED = "\tno"


@dataclass(frozen=True, slots=True)
class Said:
    """An utterance that was made; `score` is the judge's for its word, `kept` whether there is a file of it."""

    utterance: Utterance
    score: float | None = None
    kept: bool = True

    @property
    def line(self) -> str:
        """Its line of the table."""
        u, score = self.utterance, "" if self.score is None else f"{self.score:.3f}"
        kept = "yes" if self.kept else "no"
        return f"{u.path}\t{u.word}\t{u.text}\t{u.speaker.name}\t{u.speed}\t{u.release_db}\t{score}\t{kept}"


def refuse_other_voices(out: Path, seed: int, speakers: Sequence[str]) -> None:
    """Refuse a folder in which the same names stand for other utterances."""
    try:
        before = json.loads((out / ABOUT).read_text("utf-8"))
    except FileNotFoundError:
        return
    if (before.get("seed"), before.get("speakers")) != (seed, list(speakers)):
        raise BadInputError(f"{out} was made with another seed or other voices; give another folder")


def read_lines(out: Path) -> dict[str, str]:
    """Lines by path, of files that are there and of what was dropped; both need not be said again."""
    try:
        lines = (out / TABLE).read_text("utf-8").splitlines()[1:]
    except FileNotFoundError:
        return {}
    by_path = {line.partition("\t")[0]: line for line in lines}
    return {path: line for path, line in by_path.items() if line.endswith(_DROPPED) or (out / path).exists()}


def write_lines(out: Path, lines: Mapping[str, str]) -> None:
    """Write the table, all at once or not at all."""
    write_text(out / TABLE, "\n".join([_COLUMNS, *lines.values(), ""]))


def dropped(lines: Mapping[str, str]) -> int:
    """How many utterances were dropped."""
    return sum(line.endswith(_DROPPED) for line in lines.values())
