"""How the libraries that sound needs are installed on this system."""

from __future__ import annotations

import shutil
import sys
from typing import Final, Literal, TypeAlias

Library: TypeAlias = Literal["portaudio", "libsndfile"]

_PYTHON_PACKAGES: Final = {"portaudio": "sounddevice", "libsndfile": "soundfile"}  # whose wheels hold them
_LINUX: Final = {
    "apt-get": ("sudo apt-get install", {"portaudio": "libportaudio2", "libsndfile": "libsndfile1"}),
    "dnf": ("sudo dnf install", {}),
    "pacman": ("sudo pacman -S", {}),
    "zypper": ("sudo zypper install", {"portaudio": "libportaudio2", "libsndfile": "libsndfile1"}),
    "apk": ("sudo apk add", {}),
}


def install_line(library: Library) -> str:
    """Return the command that installs it."""
    if sys.platform == "darwin":
        return f"brew install {library}"
    if sys.platform == "win32":
        return f"python -m pip install --force-reinstall {_PYTHON_PACKAGES[library]}"
    tool = next((tool for tool in _LINUX if shutil.which(tool)), "apt-get")
    command, names = _LINUX[tool]
    return f"{command} {names.get(library, library)}"
