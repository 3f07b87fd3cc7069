"""A scan from a folder to a table, whoever does the work."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from spotter.scan import table
from spotter.scan.finding import Found, find
from spotter.scan.journal import Journal
from spotter.scan.rows import Heard, Recording, Task
from spotter.settings import as_dict

Hearing: TypeAlias = Callable[[Sequence[Recording], Journal], Generator[Heard, None, None]]


@dataclass(slots=True)
class Scan:
    """One scan, and what it counts.

    Attributes
    ----------
    found : Found
        What lies in the folder.
    begun : bool
        Whether the journal was what it should be.
    before : int
        Recordings that an earlier scan has heard.
    heard : int
        Recordings heard by this one, also those with a problem.
    seconds : float
        Of them.
    detections : int
        In all recordings of the table.
    broken, odd : dict
        By the recording's name: what is wrong with it, or odd about it.
    """

    folder: Path
    out: Path
    task: Task
    anew: bool = False
    found: Found = field(init=False)
    begun: bool = False
    before: int = 0
    heard: int = 0
    seconds: float = 0.0
    detections: int = 0
    broken: dict[str, str] = field(default_factory=dict)
    odd: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        table.check(self.out)
        self.found = find(self.folder)

    @property
    def journal(self) -> Path:
        """The file beside the table in which every recording has a line."""
        return self.out.with_name(f"{self.out.name}.files.jsonl")

    def run(self, hearing: Hearing, progress: Callable[[Scan], object] = lambda _: None) -> None:
        """Hear what was not heard before, and write the table; also of what there is when it is ended or fails."""
        with Journal(self.journal, self._about(), anew=self.anew) as journal:
            self.begun = True
            waiting = [recording for recording in self.found.recordings if not journal.has(recording)]
            self.before = len(self.found.recordings) - len(waiting)
            self.detections = sum(len(one.rows) for one in journal.heard.values())
            progress(self)
            try:
                with closing(hearing(waiting, journal)) as results:
                    for heard in results:
                        before = journal.heard.get(heard.recording.name)
                        self.detections -= len(before.rows) if before else 0
                        journal.add(heard)
                        self._count(heard)
                        progress(self)
            finally:
                table.write(self.out, journal.heard.values())

    def _count(self, heard: Heard) -> None:
        self.heard += 1
        self.seconds += heard.seconds
        self.detections += len(heard.rows)
        if heard.problem:
            self.broken[heard.recording.name] = heard.problem
        elif heard.note:
            self.odd[heard.recording.name] = heard.note

    def _about(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder.resolve()),
            "model": self.task.digest,
            "hop_ms": self.task.hop_ms,
            "channel": self.task.channel,
            "decoder": as_dict(self.task.decoder),
        }
