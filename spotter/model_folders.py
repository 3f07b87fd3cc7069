"""Where models are: the user's own, and those that ship with the package."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spotter.errors import ModelError
from spotter.manifest import FILE_NAME, read_manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelListing:
    """One line of `--list-models`."""

    name: str  # what `Model.open` takes
    folder: Path
    keywords: tuple[str, ...]
    bytes: int  # of all files that the manifest names
    problem: str | None = None  # why it cannot be opened; checksums are not looked at


def available_models() -> list[ModelListing]:
    """List the models that a bare name finds, by name; the user's own hide shipped ones of the same name."""
    folders: dict[str, Path] = {}
    for place in reversed(_places()):
        folders.update({folder.name: folder for folder in _folders_in(place)})
    return [_listing(name, folders[name]) for name in sorted(folders)]


def find_model(name: str | Path) -> Path:
    """Return the folder of a model: a path is one already, a bare name is looked up."""
    path = _expanded(str(name))
    if isinstance(name, Path) or not _is_bare(name):
        if _is(path.is_dir):
            return path
        what = "is a file" if _is(path.exists) else "does not exist"
        raise ModelError(f"the model folder {path} {what}; give the folder that holds the model's {FILE_NAME}")
    for place in _places():
        if _is((place / name / FILE_NAME).is_file):
            return place / name
    found = ", ".join(listing.name for listing in available_models()) or "none"
    here = f", or ./{name} for the folder here" if _is(path.is_dir) else ", or the path of a model folder"
    raise ModelError(f"there is no model called {name!r} (found: {found}); give one of these{here}")


def user_models_folder() -> Path:
    """Return where a user's own models go; it need not exist."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or _expanded("~/AppData/Local")
    elif sys.platform == "darwin":
        base = _expanded("~/Library/Application Support")
    else:
        base = os.environ.get("XDG_DATA_HOME") or _expanded("~/.local/share")
    return Path(base) / "spotter" / "models"


def _places() -> list[Path]:
    package = Path(__file__).parent
    shipped = package / "models"  # in a wheel; a clone has it beside the package
    return [user_models_folder(), shipped if shipped.is_dir() else package.parent / "models"]


def _folders_in(place: Path) -> list[Path]:
    try:
        return [folder for folder in place.iterdir() if (folder / FILE_NAME).is_file()]
    except OSError:
        return []


def _is(look: Callable[[], bool]) -> bool:
    """Take what cannot be looked at (no rights, a name too long) for absent."""
    try:
        return look()
    except OSError:
        return False


def _expanded(path: str) -> Path:
    return Path(os.path.expanduser(path))  # noqa: PTH111 (Path.expanduser fails where there is no home)


def _is_bare(name: str) -> bool:
    return name == Path(name).name and name not in ("", ".", "..", "~")


def _listing(name: str, folder: Path) -> ModelListing:
    try:
        manifest = read_manifest(folder)
    except ModelError as problem:
        return ModelListing(name=name, folder=folder, keywords=(), bytes=0, problem=str(problem))
    size = sum(checksum.bytes for checksum in manifest.files.values())
    return ModelListing(name=name, folder=folder, keywords=manifest.keywords, bytes=size)
