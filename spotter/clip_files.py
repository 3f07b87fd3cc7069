"""Clips as WAV files: written whole or not at all, and never over another."""

from __future__ import annotations

import io
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from spotter.arrays import Floats
from spotter.settings import SAMPLE_RATE

# A name has 255 bytes at most; a file under way has some 40 more than a clip's, and letters up to 4 each.
_PART_LETTERS: Final = 40
_PART_BYTES: Final = 80


def save(folder: Path, name: str, samples: Floats, about: Mapping[str, Any]) -> Path:
    """Write a clip and what is known of it, under a name that is free; return the clip's path."""
    data = wav_bytes(samples)
    number = 1
    while True:
        path = folder / (f"{name}.wav" if number == 1 else f"{name}-{number}.wav")
        beside = path.with_suffix(".json")
        try:
            write_new(beside, (json.dumps(about, ensure_ascii=False, indent=2) + "\n").encode())
        except FileExistsError:
            number += 1
            continue
        try:
            write_new(path, data)
        except BaseException as error:
            beside.unlink(missing_ok=True)
            if not isinstance(error, FileExistsError):
                raise
            number += 1
            continue
        return path


def clip_name(about: Mapping[str, Any]) -> str:
    """Return KEYWORD_TIME_SCORE of what is known of a clip; the time is of day where that is known."""
    when = f"{plain(Path(about['source']).stem)}-{about['time']:07.2f}s"
    if "wall" in about:
        when = re.sub(r"[-:]|\..*", "", str(about["wall"])) + "Z"
    return f"{plain(about['keyword'])}_{when}_{about['score']:.2f}"


def model_facts(model: Any) -> dict[str, Any]:
    """Return what is written beside a clip of the model that heard it."""
    return {
        "name": model.name,
        "keywords": list(model.keywords),
        "files": {name: entry["sha256"] for name, entry in getattr(model, "manifest", {}).get("files", {}).items()},
    }


def plain(name: str) -> str:
    """Return a text as a part of a file's name; of one that is too long, the first letters."""
    letters = re.sub(r"\W+", "_", name).strip("_")[:_PART_LETTERS]
    return letters.encode()[:_PART_BYTES].decode(errors="ignore") or "audio"


def bytes_of_clips(folder: Path) -> int:
    """Return how much the clips in a folder take: WAV files with a JSON file of the same name, nothing else."""
    sizes: dict[str, int] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith((".wav", ".json")):
                with suppress(OSError):  # removed meanwhile
                    sizes[entry.name] = entry.stat().st_size
    stems = (name.removesuffix(".wav") for name in sizes if name.endswith(".wav"))
    return sum(sizes[f"{stem}.wav"] + sizes[f"{stem}.json"] for stem in stems if f"{stem}.json" in sizes)


def wav_bytes(samples: Floats) -> bytes:
    """Return 16 kHz mono samples, shape (samples,), as a WAV file of 16 bits."""
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, samples, SAMPLE_RATE, subtype="PCM_16", format="WAV")
    return out.getvalue()


def write_new(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; `FileExistsError` if there is one of that name."""
    with _written(path, data) as part:
        try:
            os.link(part, path)  # unlike a renaming, it replaces nothing
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if path.exists():
                raise FileExistsError(path) from None
            part.rename(path)


def write_over(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, in the place of one that may be there."""
    path = path.resolve()  # a link stays one
    with _written(path, data) as part:
        part.replace(path)


@contextmanager
def _written(path: Path, data: bytes) -> Iterator[Path]:
    """Have data on the disk beside where it is to be, under another name, which is gone in the end."""
    # Another thread of this process may write the same file just now.
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        with part.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        yield part
    finally:
        part.unlink(missing_ok=True)
