"""What has been heard so far: a line of JSON for each recording, written at once, so that a stopped scan can go on.

The first line says how all were heard. A recording that is heard again gets another line, and the last one counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

from spotter.errors import BadInputError, SpotterError
from spotter.scan.rows import Heard, Recording, heard_from

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
        It belongs to something else, or cannot be read or written.
    """

    def __init__(self, path: Path, about: Mapping[str, Any], *, anew: bool = False) -> None:
        self.path = path
        self.heard: dict[str, Heard] = {}
        first = (json.dumps({"type": "scan", "format": 1, **about}, sort_keys=True) + "\n").encode()
        if path.exists() and not path.is_file():
            raise BadInputError(f"{path}, where what was heard is kept, is no file; give another --out")
        try:
            known = b"" if anew or not path.exists() else path.read_bytes()
            if known.startswith(first) or first.startswith(known):
                good = self._read(known, len(first)) if known.startswith(first) else 0
            else:
                raise BadInputError(
                    f"{path} was begun with another folder, model or other settings; give another --out, or --force"
                )
            self._file: BinaryIO = path.open("r+b" if path.exists() else "wb")
            self._file.truncate(good)
            self._file.seek(good)
            if not good:
                self._file.write(first)
            self._file.flush()
        except OSError as error:
            raise BadInputError(f"{path} cannot be written ({error.strerror}); give another --out") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(OSError):  # said when it was written
            self._file.close()

    def has(self, recording: Recording) -> bool:
        """Whether the recording, as it is now, was heard without a problem."""
        known = self.heard.get(recording.name)
        return (
            known is not None
            and not known.problem
            and (known.recording.size, known.recording.changed_ns) == (recording.size, recording.changed_ns)
        )

    def add(self, heard: Heard) -> None:
        """Write one down.

        Raises
        ------
        SpotterError
            The disk does not take it.
        """
        self.heard[heard.recording.name] = heard
        try:
            self._file.write((json.dumps(heard.as_dict()) + "\n").encode())
            self._file.flush()
        except OSError as error:
            raise SpotterError(
                f"{self.path} cannot be written ({error.strerror}); make room, and the same command goes on"
            ) from None

    def _read(self, known: bytes, at: int) -> int:
        """Take every whole line; return where the first one begins that is none: a scan was killed while it wrote."""
        while (end := known.find(b"\n", at)) >= 0:
            try:
                heard = heard_from(json.loads(known[at:end]))
            except (ValueError, KeyError, TypeError):
                break
            self.heard[heard.recording.name] = heard
            at = end + 1
        return at
