"""Names that say who spoke and when: WORD/SPEAKER-SESSION_nohash_N.wav; nothing is ever written over.

A session is one person at one place and time: what is recorded at one sitting is alike, so a fair split keeps a
session on one side, and `train.splits` reads all before `_nohash_` as whose it is. OUT/_sessions/ tells of each
session what was said how; words never begin with "_", so no step takes that folder for one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

from spotter.arrays import Floats
from spotter.clip_files import wav_bytes, write_new, write_over
from spotter.errors import BadInputError
from train.splits import NOHASH

SESSIONS: Final = "_sessions"
SITTING: Final = timedelta(minutes=30)  # who goes on within that sits where they sat
_RESERVED: Final = frozenset(("con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(1, 10))))
_FORBIDDEN: Final = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_LONGEST_BYTES: Final = 100


@dataclass(frozen=True, slots=True)
class Name:
    """Whose a recording is, as its name tells."""

    speaker: str
    session: str  # "" where the name has none, as those of Speech Commands
    number: int

    @classmethod
    def of(cls, path: Path) -> Name | None:
        """Read a file's name; None where it is not of this kind."""
        who, nohash, number = path.stem.partition(NOHASH)
        if not (who and nohash and number.isdecimal()):
            return None
        speaker, _, session = who.rpartition("-")
        return cls(speaker or who, session if speaker else "", int(number))


def folder_name(word: str) -> str:
    """Return the folder of a word or phrase: hey_robot for "hey robot"."""
    name = "_".join(word.lower().split())
    why = ""
    if not name:
        why = "is empty"
    elif name.startswith(("_", ".", "-")):
        why = f"begins with {name[0]!r}"
    elif name.endswith("."):
        why = "ends with a full stop"
    elif bad := _FORBIDDEN.search(name):
        why = f"holds {bad.group()!r}"
    elif name.split(".")[0] in _RESERVED:
        why = "is a device on Windows"
    elif not _encodes(name) or len(name.encode()) > _LONGEST_BYTES:
        why = f"is longer than {_LONGEST_BYTES} bytes, or no text"
    if why:
        raise BadInputError(f"the word {word!r} {why}, so no folder can be called so; give a word as it is spoken")
    return name


def folder_names(words: Sequence[str]) -> list[str]:
    """Folders of several words, each there once."""
    names = [folder_name(word) for word in words]
    for at, name in enumerate(names):
        if name in names[:at]:
            raise BadInputError(f"the word {words[at]!r} is given twice; give each once")
    return names


def plain(text: str, what: str) -> str:
    """Return a speaker or session as a part of a name; letters and digits, "_" between."""
    name = re.sub(r"[\W_]+", "_", text).strip("_")
    if not name or "nohash" in name or not _encodes(name) or len(name.encode()) > _LONGEST_BYTES:
        raise BadInputError(f"the {what} {text!r} cannot stand in a file's name; give letters and digits")
    return name


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(slots=True)
class Session:
    """Puts one session's recordings into a folder of words, and writes down what they are.

    Parameters
    ----------
    out : folder of words
    speaker, name : as they stand in file names, see `plain`
    about : what goes into OUT/_sessions/SPEAKER-NAME.json besides the takes
    """

    out: Path
    speaker: str
    name: str
    about: Mapping[str, Any] = field(default_factory=dict)
    _new: list[dict[str, Any]] = field(default_factory=list)

    @property
    def who(self) -> str:
        """What stands before `_nohash_`."""
        return f"{self.speaker}-{self.name}"

    @property
    def log(self) -> Path:
        """Where this session's takes are written down."""
        return self.out / SESSIONS / f"{self.who}.json"

    def there(self, word: str) -> list[Path]:
        """Recordings of a word in this session."""
        return [path for path in recordings(self.out / word) if (n := Name.of(path)) and _who(n) == self.who]

    def keep(
        self, word: str, samples: Floats, about: Mapping[str, Any], *, once: bool = False, later: bool = False
    ) -> Path:
        """Write a recording under the next free number; it is written down at once, or `later` by `note`.

        With `once` nothing is written where the same sound is there already.
        """
        data = wav_bytes(samples)
        folder = self.out / word
        folder.mkdir(parents=True, exist_ok=True)
        there = self.there(word)
        same = (p for p in there if p.stat().st_size == len(data) and p.read_bytes() == data)
        path = next(same, None) if once else None
        if path is None:
            path = self._write(folder, there, data)
        entry = {"file": f"{word}/{path.name}", "sha256": hashlib.sha256(data).hexdigest(), **about}
        self._new.append(entry)
        if not later:
            self.note()
        return path

    def _write(self, folder: Path, there: Sequence[Path], data: bytes) -> Path:
        number = 1 + max((name.number for path in there if (name := Name.of(path))), default=-1)
        while True:
            path = folder / f"{self.who}{NOHASH}{number}.wav"
            try:
                write_new(path, data)
            except FileExistsError:
                number += 1
                continue
            return path

    def drop(self, path: Path) -> None:
        """Take back a recording of this session."""
        path.unlink(missing_ok=True)
        self.note(without=f"{path.parent.name}/{path.name}")

    def note(self, without: str = "") -> None:
        """Write down what was kept since the last time."""
        new, self._new = self._new, []
        known = read_log(self.log)
        takes = {str(take.get("file")): take for take in [*known.get("takes", []), *new]}
        takes.pop(without, None)
        values = {
            **known,
            **self.about,
            "speaker": self.speaker,
            "session": self.name,
            "last": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "takes": list(takes.values()),
        }
        self.log.parent.mkdir(parents=True, exist_ok=True)
        write_over(self.log, (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode())


def recordings(folder: Path) -> list[Path]:
    """Sound files of a word's folder; none where there is no folder."""
    from train.data import AUDIO

    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in AUDIO and not p.name.startswith("."))


def sitting(out: Path, speaker: str, now: datetime) -> list[str]:
    """Sessions of a speaker that were recorded into within the last half hour, the newest last."""
    found = []
    for log in sorted((out / SESSIONS).glob(f"{speaker}-*.json")):
        values = read_log(log)
        with suppress(ValueError, KeyError, TypeError):
            last = datetime.fromisoformat(values["last"])
            if values["speaker"] == speaker and abs(now - last) <= SITTING:
                found.append((last, str(values["session"])))
    return [name for _, name in sorted(found)]


def new_name(now: datetime, taken: Sequence[str]) -> str:
    """Name a session by the minute in which it begins."""
    name = now.strftime("%Y%m%dT%H%M")
    return next(n for n in (name, *(f"{name}{c}" for c in "bcdefghijklmnopqrstuvwxyz")) if n not in taken)


def read_log(path: Path) -> dict[str, Any]:
    """What is written down of a session; nothing where the file is missing or damaged."""
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _who(name: Name) -> str:
    return f"{name.speaker}-{name.session}" if name.session else name.speaker
