"""The recordings of a folder, and what else lies in it."""

from __future__ import annotations

import os
import stat
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spotter.errors import BadInputError
from spotter.scan.rows import Recording

# What libsndfile reads and people record in.
_RECORDINGS: Final = ".wav .wave .bwf .rf64 .w64 .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .snd .caf"
# What people record in and it does not read.
_OTHERS: Final = ".m4a .mp4 .aac .wma .webm .mkv .mka .amr .3gp .mov .avi .ape .wv .ra"
SUFFIXES, OTHER_SUFFIXES = frozenset(_RECORDINGS.split()), frozenset(_OTHERS.split())


@dataclass(frozen=True, slots=True)
class Found:
    """The recordings in the order of their names, and how many files of which kind cannot be heard."""

    recordings: tuple[Recording, ...]
    unheard: Counter[str]
    closed: tuple[str, ...]  # folders that cannot be read


def find(folder: Path) -> Found:
    """Look through a folder and those in it; hidden files and links to folders are passed over.

    Raises
    ------
    BadInputError
        It is no folder, or cannot be read.
    """
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "is not there"
        raise BadInputError(f"{folder} {what}; give a folder of recordings")
    closed: list[str] = []
    found: list[Recording] = []
    unheard: Counter[str] = Counter()
    root = folder.resolve()
    for at, folders, files in os.walk(root, onerror=lambda error: closed.append(str(error.filename))):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122  quick, for many
            if name.startswith(".") or suffix not in SUFFIXES:
                unheard[suffix] += suffix in OTHER_SUFFIXES and not name.startswith(".")
                continue
            recording = _looked_at(root, os.path.join(at, name))  # noqa: PTH118
            if recording is not None:
                found.append(recording)
    if str(root) in closed:
        raise BadInputError(f"{folder} cannot be read; check its rights")
    return Found(tuple(sorted(found, key=lambda one: one.name)), +unheard, tuple(closed))


def _looked_at(root: Path, path: str) -> Recording | None:
    try:
        about = os.stat(path)  # noqa: PTH116
    except OSError:  # a link to nothing: said when it is to be heard
        return Recording(_name(root, path), path, 0, 0)
    if not stat.S_ISREG(about.st_mode):  # a pipe would never end
        return None
    return Recording(_name(root, path), path, about.st_size, about.st_mtime_ns)


def _name(root: Path, path: str) -> str:
    return os.path.relpath(path, root).replace(os.sep, "/")
