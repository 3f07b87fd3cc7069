"""Builds wheel and sdist, checks them, and installs and runs the wheel in clean environments, one for each Python.

    python release/check.py                         # every Python from 3.10 to 3.14; one that is missing is an error
    python release/check.py --may-lack 3.14         # but for this one
    python release/check.py --root 3.14=/srv/forky  # a Python in another root, made by release/newer_python.sh

Looks for `python3.N` on the PATH and among pyenv's. Prints a line for each, and ends with 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
VERSIONS: Final = ("3.10", "3.11", "3.12", "3.13", "3.14")
_INSIDE: Final = "srv/spotter-check"  # of another root: what is shared with it


class CheckError(Exception):
    """Something is wrong with what was built."""


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter, maybe in another root."""

    version: str
    path: str
    root: Path | None = None

    def command(self, *arguments: str) -> list[str]:
        """Return how to run something there."""
        return [*(["chroot", str(self.root)] if self.root else []), *arguments]


def main(argv: Sequence[str] | None = None) -> int:
    """Check everything; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", metavar="3.N", help="only these versions; may be repeated")
    parser.add_argument("--may-lack", action="append", default=[], metavar="3.N", help="say it, and go on")
    parser.add_argument("--root", action="append", default=[], metavar="3.N=DIR", help="a Python in another root")
    options = parser.parse_args(argv)
    roots = dict(text.split("=", 1) for text in options.root)
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="spotter-release-") as folder:
        try:
            wheel = build(Path(folder))
        except CheckError as error:
            print(f"build: {error}")
            return 1
        for version in options.python or VERSIONS:
            python = find(version, roots)
            if python is None:
                print(f"Python {version}: MISSING, so nothing is known of it", flush=True)
                wrong += version not in options.may_lack
                continue
            try:
                print(f"Python {version}: {try_in(python, wheel, Path(folder))}", flush=True)
            except CheckError as error:
                print(f"Python {version}: FAILED: {error}", flush=True)
                wrong += 1
    return 1 if wrong else 0


def build(folder: Path) -> Path:
    """Build sdist and wheel, the wheel from the tree and from the sdist, and check them; return the wheel."""
    run([sys.executable, "-m", "build", "--outdir", str(folder / "dist"), str(ROOT)])  # sdist, and a wheel from it
    run([sys.executable, "-m", "build", "--wheel", "--outdir", str(folder / "tree"), str(ROOT)])
    (wheel,) = (folder / "dist").glob("*.whl")
    (from_tree,) = (folder / "tree").glob("*.whl")
    (sdist,) = (folder / "dist").glob("*.tar.gz")
    if names(wheel) != names(from_tree):
        raise CheckError(f"only one of sdist and tree brings {sorted(names(wheel) ^ names(from_tree))}")
    run([sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(sdist)])
    run([sys.executable, "-m", "check_wheel_contents", str(wheel)])
    print(f"built: {wheel.name} {wheel.stat().st_size / 1e6:.2f} MB, {sdist.name} {sdist.stat().st_size / 1e6:.2f} MB")
    return wheel


def names(wheel: Path) -> set[str]:
    """Return the files that a wheel brings."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def find(version: str, roots: dict[str, str]) -> Python | None:
    """Return an interpreter of a version; None where there is none."""
    if version in roots:
        return Python(version, f"/usr/bin/python{version}", Path(roots[version]))
    places = [shutil.which(f"python{version}")]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    places += [str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python{version}"), reverse=True)]
    for path in places:
        if (
            path
            and subprocess.run([path, "-c", "import venv, ensurepip"], check=False, capture_output=True).returncode == 0
        ):
            return Python(version, path)
    return None


def try_in(python: Python, wheel: Path, folder: Path) -> str:
    """Install the wheel into a clean environment, and have it hear the recording that ships with it."""
    there = Path("/") / _INSIDE if python.root else folder / python.version
    outside = (python.root or Path("/")) / there.relative_to("/")
    shutil.rmtree(outside, ignore_errors=True)
    outside.mkdir(parents=True)
    try:
        shutil.copy(wheel, outside)
        program = str(there / "env" / "bin" / "python")
        environment = {**clean_environment(), "PYTHONDONTWRITEBYTECODE": "1"}
        run(python.command(python.path, "-m", "venv", str(there / "env")), environment)
        pip = [program, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
        run(python.command(*pip, str(there / wheel.name)), environment)
        spotter = str(there / "env" / "bin" / "spotter")
        report = json.loads(run(python.command(spotter, "doctor", "--no-mic", "--json"), environment))
        heard = " ".join(report["self_test"]["heard"])
        if heard.split() != report["self_test"]["expected"]:
            raise CheckError(f"it heard {heard!r}")
        measure = (ROOT / "release" / "installed.py").read_text("utf-8")
        size = json.loads(run(python.command(program, "-c", measure), environment))
        return (
            f"{heard}; {report['model']['computed_by']}; {len(size['distributions'])} distributions, "
            f"{size['bytes'] / 1e6:.1f} MB"
        )
    finally:
        shutil.rmtree(outside, ignore_errors=True)


def clean_environment() -> dict[str, str]:
    """Return our environment without what would lead to the packages of this tree."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")}


def run(command: Sequence[str], environment: dict[str, str] | None = None) -> str:
    """Run a command away from the tree; return what it prints."""
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd="/", env=environment, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise CheckError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
