"""What has been heard so far: a line of JSON for each recording, written at once, so that a stopped scan can go on.

The first line says how all were heard. A recording that is heard again gets another line, and the last one counts.
While the process that writes also hears, the last line names the recording that it is at, until what was heard takes
its place: where the process ends in the middle, it is still there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

from spotter.errors import BadInputError, SpotterError
from spotter.scan.rows import KILLS, Heard, Recording, heard_from

if TYPE_CHECKING:
    from typing_extensions import Self


class Journal:
    """Reads what there is, and adds to it.

    Parameters
    ----------
    path : Path
        The file.
    about : mapping
        What the results depend on.
    anew : bool
        Forget what there is.

    Attributes
    ----------
    heard : dict
        By the recording's name.

    Raises
    ------
    BadInputError
        It belongs to something else, another scan writes it, or it cannot be read or written.
    """

    def __init__(self, path: Path, about: Mapping[str, Any], *, anew: bool = False) -> None:
        self.path = path
        self.heard: dict[str, Heard] = {}
        self._begun = ""  # the name of the recording that was being heard when a scan ended without a word
        first = (json.dumps({"type": "scan", "format": 1, **about}, sort_keys=True) + "\n").encode()
        if path.exists() and not path.is_file():
            raise BadInputError(f"{path}, where what was heard is kept, is no file; give another --out")
        try:
            self._file: BinaryIO = path.open("r+b" if path.exists() else "x+b")
            try:
                self._begin(first, anew=anew)
            except BaseException:
                self._file.close()
                raise
        except OSError as error:
            raise BadInputError(f"{path} cannot be written ({error.strerror}); give another --out") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(OSError):  # said when it was written
            self._file.truncate(self._end)  # a scan that ends in order was at nothing
        with suppress(OSError):
            self._file.close()

    def has(self, recording: Recording) -> bool:
        """Whether the recording, as it is now, was heard without a problem."""
        known = self.heard.get(recording.name)
        return (
            known is not None
            and not known.problem
            and (known.recording.size, known.recording.changed_ns) == (recording.size, recording.changed_ns)
        )

    def may_end_the_process(self, recording: Recording) -> bool:
        """Whether hearing the recording has ended a process, or might have been what ended one."""
        known = self.heard.get(recording.name)
        return recording.name == self._begun or (known is not None and known.problem == KILLS)

    def begin(self, recording: Recording) -> None:
        """Write down, until it is added, that a recording is being heard; `SpotterError` as in `add`."""
        self._put({"begun": recording.name})

    def add(self, heard: Heard) -> None:
        """Write one down.

        Raises
        ------
        SpotterError
            The disk does not take it.
        """
        self.heard[heard.recording.name] = heard
        self._end += self._put(heard.as_dict())

    def _begin(self, first: bytes, *, anew: bool) -> None:
        """Read what there is, and be where the next line goes."""
        self._lock()
        known = b"" if anew else self._file.read()
        if not known.startswith(first) and not first.startswith(known):
            raise BadInputError(
                f"{self.path} was begun with another folder, model or other settings; give another --out, or --force"
            )
        self._end = self._read(known, len(first)) if known.startswith(first) else 0
        self._file.seek(self._end)
        self._file.truncate()
        if not self._end:
            self._end = self._file.write(first)
        self._file.flush()

    def _put(self, values: Mapping[str, Any]) -> int:
        """Write the last line; return how long it is."""
        try:
            self._file.seek(self._end)
            count = self._file.write((json.dumps(values) + "\n").encode())
            self._file.truncate()
        except OSError as error:
            raise SpotterError(
                f"{self.path} cannot be written ({error.strerror}); make room, and the same command goes on"
            ) from None
        return count

    def _lock(self) -> None:
        """Keep other scans out for as long as the file is open; not on Windows."""
        if sys.platform == "win32":
            return
        import fcntl

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInputError(
                f"another scan writes {self.path} just now; wait until it has ended, or give another --out"
            ) from None
        except OSError:  # a file system without locks
            pass

    def _read(self, known: bytes, at: int) -> int:
        """Take every whole line; return where the first one begins that is none: a scan was killed while it wrote."""
        while (end := known.find(b"\n", at)) >= 0:
            try:
                values = json.loads(known[at:end])
                self._begun = values.get("begun", "")
                heard = heard_from(values)
            except (ValueError, KeyError, TypeError, AttributeError):
                break
            self.heard[heard.recording.name] = heard
            at = end + 1
        return at
