"""A stream that `listen --record` kept: its samples, and in the notes beside them what is missing between them.

The notes, FILE.json beside FILE, are one JSON object: `"type": "recording"`, `format`, `sample_rate`, `channels`, and
`missing`, a list of {"frame": where, "reason": why} with either "frames", that the sound system or a full ring lost, or
"samples", stream time at 16 kHz in which there was no device. `skipped` is a list of the windows that a machine that
was too slow left out, {"end_sample": the end of the last, "samples": up to there}, in stream time at 16 kHz. What else
there is, is for people.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.sources import LeftOut, Missing
from spotter.sources.files import AudioFile

TYPE: Final = "recording"
FORMAT: Final = 1
_MOST_BYTES: Final = 64 << 20
_LONGEST: Final = 1 << 53


def notes_path(path: Path) -> Path:
    """Return where the notes of a recording are."""
    return path.with_name(f"{path.name}.json")


def open_sound(path: str | os.PathLike[str]) -> AudioFile:
    """Open a sound file; one with notes beside it as the live stream that it was.

    Raises
    ------
    BadInputError
        It is no sound file that can be read, or its notes are damaged or another's.
    """
    notes = _read(notes_path(Path(path))) if os.fspath(path) else None
    return AudioFile(path) if notes is None else Recording(path, notes)


class Recording(AudioFile):
    """A kept stream; heard, it gives the events that it gave live.

    Parameters
    ----------
    path : str or path
        The sound file.
    notes : mapping
        As the module says.
    """

    padded = False  # nobody knows what was before

    def __init__(self, path: str | os.PathLike[str], notes: Mapping[str, Any]) -> None:
        super().__init__(path)
        for key, value in (("sample_rate", self.sample_rate), ("channels", self.channels)):
            if notes.get(key) != value:
                raise _damaged(notes_path(self.path), f"{key} is {notes.get(key)!r}, and the recording's {value}")
        self._missing = _missing(notes_path(self.path), notes.get("missing", []))
        self.left_out = _left_out(notes_path(self.path), notes.get("skipped", []))

    def blocks(self) -> Iterator[Floats | Missing]:  # type: ignore[override]  # as every source may
        """Yield the samples in order, shape (frames, channels), each valid until the next, and what is missing."""
        waiting = iter(self._missing)
        at, place = 0, next(waiting, None)
        for block in super().blocks():
            done = 0
            while place is not None and place[0] <= at + len(block):
                if place[0] > at + done:
                    yield block[done : place[0] - at]
                    done = place[0] - at
                yield place[1]
                place = next(waiting, None)
            if done < len(block):
                yield block[done:]
            at += len(block)
        while place is not None and place[0] <= at:
            yield place[1]
            place = next(waiting, None)


def _read(path: Path) -> dict[str, Any] | None:
    """Return the notes; None where there are none, or the file is something else of that name."""
    try:
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            return None
        notes = json.loads(path.read_bytes())
    except OSError as error:
        raise BadInputError(f"{path} cannot be read ({error.strerror}); check its rights") from None
    except (ValueError, RecursionError):
        return None
    if not isinstance(notes, dict) or notes.get("type") != TYPE:
        return None
    form = notes.get("format")
    if not isinstance(form, int) or form < 1:
        raise _damaged(path, f"format is {form!r}")
    if form > FORMAT:
        raise BadInputError(
            f"{path} is of format {form}, newer than {FORMAT}, which this version reads; update spotter"
        )
    return notes


def _missing(path: Path, entries: object) -> list[tuple[int, Missing]]:
    places: list[tuple[int, Missing]] = []
    for entry in entries if isinstance(entries, list) else [entries]:
        if not isinstance(entry, dict) or not _whole(entry.get("frame"), places[-1][0] if places else 0):
            raise _damaged(path, f"missing holds {entry!r}")
        frames, samples, reason = entry.get("frames", 0), entry.get("samples", 0), entry.get("reason")
        if not (_whole(frames) and _whole(samples) and (frames > 0) != (samples > 0) and isinstance(reason, str)):
            raise _damaged(path, f"missing holds {entry!r}")
        places.append((entry["frame"], Missing(frames, samples, reason)))
    return places


def _left_out(path: Path, entries: object) -> list[LeftOut]:
    places: list[LeftOut] = []
    for entry in entries if isinstance(entries, list) else [entries]:
        end, samples = (entry.get(key) if isinstance(entry, dict) else None for key in ("end_sample", "samples"))
        if not (isinstance(end, int) and isinstance(samples, int) and _whole(end) and 0 < samples <= end):
            raise _damaged(path, f"skipped holds {entry!r}")
        places.append(LeftOut(end - samples, end))
    return places


def _whole(value: object, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= _LONGEST


def _damaged(path: Path, what: str) -> BadInputError:
    return BadInputError(f"{path} does not fit its recording ({what}); get both anew, or remove it to hear the rest")
