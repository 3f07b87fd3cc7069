"""Published data sets by name: downloaded, checked, unpacked into a cache; what was begun is gone on with."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, NoReturn

from spotter.errors import BadInputError, SpotterError
from train.download import Interrupted, download
from train.progress import track
from train.unpack import Damaged, unpack
from train.written import write_json

BASE_URL: Final = "https://storage.googleapis.com/download.tensorflow.org/data"
MIRROR: Final = "SPOTTER_DATASETS_URL"  # environment: another place that has the same archives
_DONE: Final = "dataset.json"  # in an unpacked folder: it is whole
_TRIES: Final = 4  # without a byte, before giving up
_PATIENT_TRIES: Final = 8  # the same where some came before
_MIB: Final = 1 << 20

_COMMANDS = ("down", "go", "left", "no", "right", "stop", "up", "yes")
_ALL_WORDS = (
    *("backward", "bed", "bird", "cat", "dog", "eight", "five", "follow", "forward", "four", "happy", "house", "learn"),
    *("marvin", "nine", "off", "on", "one", "seven", "sheila", "six", "three", "tree", "two", "visual", "wow", "zero"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A published archive of folders of recordings, one per word."""

    name: str
    archive: str
    words: tuple[str, ...]  # folders that must be in it
    bytes: int | None = None  # of the archive
    unpacked_bytes: int = 0  # about, to see that there is room
    sha256: str = ""  # of the archive, where it is published
    recordings: int = 0
    licence: str = "CC BY 4.0"


# Hashes: torchaudio, datasets/speechcommands.py (both versions); for 0.02 also TensorFlow Datasets, checksums.tsv,
# which names its size as well. Nobody publishes a hash of the small set: its size is that of TensorFlow's tutorial.
KNOWN: Final = {
    d.name: d
    for d in (
        DataSet(
            name="speech_commands",
            archive="speech_commands_v0.02.tar.gz",
            words=(*_COMMANDS, *_ALL_WORDS),
            bytes=2_428_923_189,
            unpacked_bytes=3_900_000_000,
            sha256="af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
            recordings=105_829,
        ),
        DataSet(
            name="mini_speech_commands",
            archive="mini_speech_commands.zip",
            words=_COMMANDS,
            bytes=182_082_353,
            unpacked_bytes=300_000_000,
            recordings=8_000,
        ),
    )
}


def cache_folder() -> Path:
    """Return where data sets are kept unless another folder is named; it need not exist."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path("~/AppData/Local").expanduser()
    elif sys.platform == "darwin":
        base = Path("~/Library/Caches").expanduser()
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "spotter" / "datasets"


def fetch(dataset: DataSet, folder: Path | None = None, *, url: str = "", wait_s: float = 1.0) -> Path:
    """Return the unpacked folder of a data set, after downloading and checking what is missing of it.

    Parameters
    ----------
    dataset : DataSet
        Which; see `KNOWN`.
    folder : Path, optional
        Where it is kept; an archive that was put there by hand is used.
    url : str
        Folder on the network that has the archive, in the place of the published one.
    wait_s : float
        Seconds between attempts, doubled each time.

    Raises
    ------
    SpotterError
        There is no network, no room, or the archive is not what was published; with what to do.
    """
    folder = folder or cache_folder()
    out = folder / PurePosixPath(dataset.archive).name.removesuffix(".tar.gz").removesuffix(".zip")
    if (out / _DONE).exists():
        return out
    if out.exists():  # not from here: what is unpacked here bears its mark before it bears its name
        if all((out / word).is_dir() for word in dataset.words):
            return out
        raise BadInputError(f"{out} exists and holds no {dataset.name}; move it away, or give another --data-dir")
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / dataset.archive
    source = f"{(url or os.environ.get(MIRROR) or BASE_URL).rstrip('/')}/{dataset.archive}"
    if not archive.exists():
        _room(folder, (dataset.bytes or 0) - _size(_part(archive)) + dataset.unpacked_bytes, dataset)
        _download(dataset, source, archive, wait_s)
    digest = _checked(dataset, archive)
    _room(folder, dataset.unpacked_bytes, dataset)
    mark = {"name": dataset.name, "url": source, "sha256": digest, "bytes": _size(archive), "licence": dataset.licence}
    count = _unpack(dataset, archive, out, mark)
    print(f"{dataset.name}: {count} files in {out} ({dataset.licence}); {archive} may be deleted", file=sys.stderr)
    return out


def _part(archive: Path) -> Path:
    return archive.with_name(f"{archive.name}.part")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _room(folder: Path, wanted: int, dataset: DataSet) -> None:
    free = shutil.disk_usage(folder).free
    if wanted > free:
        raise SpotterError(
            f"{dataset.name} needs {wanted / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB free; free some, "
            "or name another folder with --data-dir"
        )


def _download(dataset: DataSet, source: str, archive: Path, wait_s: float) -> None:
    part, failed, most = _part(archive), 0, _TRIES
    while True:
        before = _size(part)
        try:
            download(source, part, size=dataset.bytes)
        except Interrupted as error:
            if _size(part) > before:  # the network is there, and is worth some patience
                failed, most = 0, _PATIENT_TRIES
            failed += 1
            if error.final or failed >= most:
                raise SpotterError(_by_hand(dataset, source, archive, str(error))) from error
            wait = wait_s * 2 ** (failed - 1)
            print(f"{error}; trying again in {wait:.0f} s", file=sys.stderr)
            time.sleep(wait)
        else:
            part.replace(archive)
            part.with_name(f"{part.name}.tag").unlink(missing_ok=True)
            return


def _by_hand(dataset: DataSet, source: str, archive: Path, why: str) -> str:
    done = _size(_part(archive))
    kept = f"the {done / 1e6:.0f} MB that came are kept and the same command goes on" if done else "try again later"
    return (
        f"{dataset.name} could not be downloaded ({why}); {kept}, or get {source} on another machine "
        f"and put it at {archive}"
    )


def _checked(dataset: DataSet, archive: Path) -> str:
    """SHA-256 of the archive; one that is not as published is put aside and refused."""
    if dataset.bytes is not None and _size(archive) != dataset.bytes:
        _refuse(archive, f"has {_size(archive)} bytes, published are {dataset.bytes}")
    with archive.open("rb") as file:
        sha = hashlib.sha256()
        total = math.ceil(_size(archive) / _MIB)
        for block in track(iter(lambda: file.read(_MIB), b""), total=total, what=f"checking {archive.name} (MiB)"):
            sha.update(block)
    if dataset.sha256 and sha.hexdigest() != dataset.sha256:
        _refuse(archive, f"has the SHA-256 {sha.hexdigest()}, published is {dataset.sha256}")
    return sha.hexdigest()


def _refuse(archive: Path, what: str) -> NoReturn:
    aside = archive.with_name(f"{archive.name}.wrong")
    archive.replace(aside)
    raise BadInputError(f"{archive} {what}; it is now called {aside.name}: run the same command to download it anew")


def _unpack(dataset: DataSet, archive: Path, out: Path, mark: dict[str, Any]) -> int:
    """Unpack into a folder beside, look that all words are there, then give it its name."""
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        count = unpack(archive, part, about=dataset.recordings)
    except Damaged as error:
        _refuse(archive, str(error))
    top = part
    while not (top / dataset.words[0]).is_dir():  # the small set lies one folder deeper
        inside = [p for p in top.iterdir() if p.is_dir() and p.name != "__MACOSX"] if top.is_dir() else []
        if len(inside) != 1:
            _refuse(archive, f"holds no folder {dataset.words[0]!r}")
        top = inside[0]
    if missing := [w for w in dataset.words if not (top / w).is_dir()]:
        _refuse(archive, f"holds no folder {missing[0]!r}")
    write_json(top / _DONE, mark)
    top.replace(out)
    shutil.rmtree(part, ignore_errors=True)
    return count
