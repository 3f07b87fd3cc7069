"""The table of what was found: CSV, SQLite or Parquet, written whole or not at all."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from spotter.errors import BadInputError, SpotterError
from spotter.extras import want
from spotter.scan.rows import Heard

_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")  # spreadsheets take for a formula what begins with one of them
COLUMNS: Final = ("file", "keyword", "score", "time", "start", "end")


def check(path: Path) -> None:
    """Say, before anything is heard, why no table can be written there.

    Raises
    ------
    BadInputError
        No kind of table that is known, or a place that cannot be written to.
    SpotterError
        Parquet without the package that writes it.
    """
    if path.suffix.lower() not in _KINDS:
        raise BadInputError(f"{path} is no table that can be written; let its name end in {', '.join(_KINDS)}")
    if path.suffix.lower() == ".parquet":
        want("pyarrow", "parquet", "Parquet")
    if path.is_dir():
        raise BadInputError(f"{path} is a folder; give a file")
    part = _part(path)
    try:
        part.touch()
        part.unlink()
    except OSError as error:
        raise BadInputError(f"{path} cannot be written ({error.strerror}); give another --out") from None


def write(path: Path, heard: Iterable[Heard]) -> None:
    """Write the table; recordings in the order of their names, detections in that of their times.

    Raises
    ------
    SpotterError
        The disk does not take it; a table that was there is as it was.
    """
    part = _part(path)
    try:
        _KINDS[path.suffix.lower()](part, sorted(heard, key=lambda one: one.recording.name))
        with part.open("r+b") as file:
            os.fsync(file.fileno())  # else a power cut may leave the new name with nothing in it
        part.replace(_target(path))
    except OSError as error:
        reason = error.strerror or str(error)
        raise SpotterError(f"{path} cannot be written ({reason}); make room, and the same command writes it") from None
    finally:
        part.unlink(missing_ok=True)


def _target(path: Path) -> Path:
    """Where the table itself is: a link stays one, and what it leads to is written anew."""
    return Path(os.path.realpath(path))  # unlike `resolve`, it takes links that lead in a circle


def _part(path: Path) -> Path:
    target = _target(path)
    return target.with_name(f".{target.name}.{os.getpid()}.part")


def _rows(heard: Sequence[Heard]) -> Iterator[tuple[str, str, float, float, float, float]]:
    for one in heard:
        name = _printable(one.recording.name)
        for row in one.rows:
            yield name, row.keyword, row.score, row.time, row.start, row.end


def _printable(text: str) -> str:
    r"""Return a text that any file takes; bytes of a name that are no UTF-8 as \udcNN."""
    return text.encode("utf-8", "backslashreplace").decode()


def _no_formula(name: str) -> str:
    """Return the same file's name in such a form that no spreadsheet computes it: `=1+1.wav` becomes `./=1+1.wav`."""
    return f"./{name}" if name.startswith(_FORMULAS) else name


def _csv(path: Path, heard: Sequence[Heard]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((_no_formula(name), *rest) for name, *rest in _rows(heard))


def _sqlite(path: Path, heard: Sequence[Heard]) -> None:
    """Write two tables: `detections`, and `files`, in which those without a detection and the broken ones are, too."""
    import sqlite3

    path.unlink(missing_ok=True)
    try:
        base = sqlite3.connect(path)
        try:
            with base:
                base.execute(
                    'CREATE TABLE detections (file TEXT, keyword TEXT, score REAL, time REAL, "start" REAL, "end" REAL)'
                )
                base.execute("CREATE TABLE files (file TEXT PRIMARY KEY, seconds REAL, problem TEXT, note TEXT)")
                base.executemany("INSERT INTO detections VALUES (?, ?, ?, ?, ?, ?)", _rows(heard))
                base.executemany(
                    "INSERT INTO files VALUES (?, ?, ?, ?)",
                    (
                        (_printable(h.recording.name), round(h.seconds, 3), _printable(h.problem), _printable(h.note))
                        for h in heard
                    ),
                )
                base.execute("CREATE INDEX detections_file ON detections (file)")
        finally:
            base.close()
    except sqlite3.Error as error:
        raise OSError(None, str(error)) from None


def _parquet(path: Path, heard: Sequence[Heard]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    types = (pa.string(), pa.string(), *(pa.float64(),) * 4)
    schema = pa.schema(list(zip(COLUMNS, types, strict=True)))
    columns = list(zip(*_rows(heard), strict=True)) or [()] * len(COLUMNS)
    parquet.write_table(pa.table([list(column) for column in columns], schema=schema), path)


_KINDS: Final[dict[str, Callable[[Path, Sequence[Heard]], None]]] = {
    ".csv": _csv,
    ".sqlite": _sqlite,
    ".db": _sqlite,
    ".parquet": _parquet,
}
