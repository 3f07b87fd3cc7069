"""What is scanned, how, and what comes of it: plain data that goes to other processes and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from spotter.settings import DecoderConfig

KILLS: Final = "it ends the process that hears it, each time"


@dataclass(frozen=True, slots=True)
class Recording:
    """A file to be scanned; its size and time tell whether it is the one that was scanned before."""

    name: str  # within the folder, with slashes
    path: str  # absolute
    size: int  # bytes
    changed_ns: int  # when, since 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """How every recording is heard."""

    model: str  # a name, or an absolute path
    digest: str  # of its manifest, so that all hear with the same
    decoder: DecoderConfig
    hop_ms: float | None = None
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A detection in a recording, with the digits of `--json`; times in seconds of it."""

    keyword: str
    score: float
    time: float
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came of one recording."""

    recording: Recording
    rows: tuple[Row, ...] = ()
    seconds: float = 0.0  # of it that were heard
    problem: str = ""  # why it is broken, if it is; what was heard before counts
    note: str = ""  # what is odd about it, if anything

    def as_dict(self) -> dict[str, Any]:
        """Return what stands in the journal, `path` left out."""
        about = self.recording
        return {
            "file": about.name,
            "size": about.size,
            "changed_ns": about.changed_ns,
            "seconds": round(self.seconds, 3),
            "problem": self.problem,
            "note": self.note,
            "rows": [[row.keyword, row.score, row.time, row.start, row.end] for row in self.rows],
        }


def heard_from(values: dict[str, Any]) -> Heard:
    """Read what `as_dict` gave; `ValueError`, `KeyError` or `TypeError` for anything else."""
    return Heard(
        recording=Recording(str(values["file"]), "", int(values["size"]), int(values["changed_ns"])),
        rows=tuple(Row(str(word), *(float(number) for number in numbers)) for word, *numbers in values["rows"]),
        seconds=float(values["seconds"]),
        problem=str(values["problem"]),
        note=str(values["note"]),
    )
