"""A .tar.gz or .zip into a folder; nothing in it can end up outside."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Final

from train.progress import track

_MIB: Final = 1 << 20


class Damaged(Exception):  # noqa: N818 (reads as a sentence with what it holds)
    """An archive that cannot be unpacked, or should not be; says what is wrong with it."""


def unpack(archive: Path, folder: Path, *, about: int = 0) -> int:
    """Write the plain files of an archive under `folder`; return how many there were.

    Links and devices are left out. `about` so many files are expected, for the progress shown.
    """
    count = 0
    try:
        for name, file in track(_files(archive), total=about, what=f"unpacking {archive.name}"):
            target = folder.joinpath(*_safe(name))
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as to:
                shutil.copyfileobj(file, to)
            count += 1
    except (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise Damaged(f"is damaged ({error})") from error
    return count


def _files(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                if not info.is_dir():
                    with packed.open(info) as file:
                        yield info.filename, file
        return
    with gzip.open(archive) as plain:
        with tarfile.open(fileobj=plain, mode="r|") as packed_tar:
            for member in packed_tar:
                opened = packed_tar.extractfile(member) if member.isreg() else None
                if opened:
                    yield member.name, opened
        while plain.read(_MIB):  # its checksum is at its very end
            pass


def _safe(name: str) -> tuple[str, ...]:
    """Parts of a name in an archive; one that leads out of the folder is refused."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or any(":" in part for part in path.parts):
        raise Damaged(f"holds a file that would lie elsewhere ({name!r})")
    return path.parts
