"""Set up and run spotter from a clone, with nothing but Python 3.10 or newer.

    python3 run.py [arguments of `spotter listen`]    listen; with no microphone, hear a short recording
    python3 run.py test [arguments of pytest]         run the tests

The first time this makes a virtual environment in `.venv` and installs the package into it; later it starts at once.
On Debian and Ubuntu it also installs the packages that are missing when that needs no password, and else says what to
type.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

OLDEST, NEWEST_TENSORFLOW = (3, 10), (3, 13)
ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "spotter.json"  # what was installed, so that the next start need not ask pip
AUDIO = ["libportaudio2"]
VIRTUAL_MIC = [*AUDIO, "libasound2-plugins", "pulseaudio", "pulseaudio-utils"]
COMPANIONS = ["chromium", "mosquitto", "systemd"]  # a browser, a broker, and what checks units


def main(arguments: list[str]) -> int:
    """Set up what is missing, then become the listener or the tests."""
    want_python()
    testing = arguments[:1] == ["test"]
    make_environment()
    install(["test", *train_extra()] if testing else [])
    if sys.platform == "linux" and testing:
        install_debian([name for name in VIRTUAL_MIC if not debian_has(name)], "the tests with a virtual microphone")
        install_debian([name for name in COMPANIONS if not debian_has(name)], "the tests of page, MQTT and units")
    elif sys.platform == "linux" and not has_portaudio():
        install_debian(AUDIO, "the microphone")
    if testing:
        os.chdir(ROOT)
        # All of them side by side, a file at a time; what is asked for by name, one after the other.
        together = ["-n", "auto", "--maxprocesses", "4", "--dist", "loadfile"]
        return become([str(PYTHON), "-m", "pytest", *(arguments[1:] or together)])
    return become([str(PYTHON), "-m", "spotter.listen", "--or-demo", *arguments])


def want_python() -> None:
    """Where `python3` is too old, go on with a newer one if there is one; Python 3.7 can still read this file."""
    if sys.version_info >= OLDEST:
        return
    for minor in range(14, 9, -1):
        newer = shutil.which(f"python3.{minor}")
        if newer and os.name == "posix":
            os.execv(newer, [newer, *sys.argv])  # noqa: S606
    say(f"Python {platform.python_version()} is too old; install 3.10 or newer and start this with it")
    sys.exit(1)


def make_environment() -> None:
    """Make `.venv`, unless a usable one is there."""
    stamp = read_stamp()
    moved = bool(stamp) and (stamp.get("root"), stamp.get("python")) != (str(ROOT), os.path.realpath(PYTHON))
    if PYTHON.exists() and not moved and (stamp or works(["-m", "pip", "--version"])):
        return
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        package = f"python3.{sys.version_info.minor}-venv"  # Debian keeps it apart
        if not install_debian([package], "the virtual environment") or not importlib.util.find_spec("ensurepip"):
            sys.exit(1)
    say(f"making the virtual environment {VENV}")
    patiently([sys.executable, "-m", "venv", "--clear", str(VENV)])


def install(extras: list[str]) -> None:
    """Install the package into `.venv`, unless that has been done since pyproject.toml changed."""
    stamp = read_stamp()
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if stamp.get("pyproject") == digest and set(extras) <= set(stamp.get("extras", [])):
        return
    extras = sorted({*extras, *stamp.get("extras", [])})
    target = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    say("installing into .venv, " + ("minutes and 2 GB with TensorFlow" if "train" in extras else "about a minute"))
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    if litert_may_install():
        patiently([*pip, "--editable", target])
    else:
        say("there is no LiteRT for this machine; the network is computed with numpy, more slowly")
        patiently([*pip, "--no-deps", "--editable", str(ROOT)])
        patiently([*pip, *requirements(extras)])
    stamp = {"pyproject": digest, "extras": extras, "root": str(ROOT), "python": os.path.realpath(PYTHON)}
    STAMP.write_text(json.dumps(stamp), encoding="utf-8")


def litert_may_install() -> bool:
    """Whether the markers in pyproject.toml can be trusted: they see neither musl nor a 32-bit Python."""
    return sys.maxsize > 2**32 and (sys.platform != "linux" or platform.libc_ver()[0] == "glibc")


def requirements(extras: list[str]) -> list[str]:
    """Return what the installed package asks for, less what has no wheel without glibc or for 32 bits."""
    code = "import importlib.metadata as m, json; print(json.dumps(m.requires('spotter-kws')))"
    listed = subprocess.run([str(PYTHON), "-c", code], check=True, capture_output=True, text=True).stdout
    wanted: list[str] = [
        line for line in json.loads(listed) if not line.startswith(("ai-edge-litert", "tensorflow", "spotter-kws"))
    ]
    keep = [line for line in wanted if "extra ==" not in line]
    for extra in extras:
        keep += [line.split(";")[0] for line in wanted if f"extra == '{extra}'" in line.replace('"', "'")]
    return keep


def train_extra() -> list[str]:
    """Return the extra with TensorFlow where that has a wheel."""
    version = venv_version()
    on = (sys.platform, platform.machine())
    machines = {("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")}
    if version <= NEWEST_TENSORFLOW and on in machines and litert_may_install():
        return ["train"]
    say(f"there is no TensorFlow for Python {version[0]}.{version[1]} on {' '.join(on)}: tests of training are skipped")
    return []


def venv_version() -> tuple[int, int]:
    """Return the version of `.venv`'s Python, which need not be the one that runs this."""
    for line in (VENV / "pyvenv.cfg").read_text("utf-8").splitlines():
        name, _, value = line.partition("=")
        if name.strip() in ("version", "version_info"):
            major, minor = value.strip().split(".")[:2]
            return int(major), int(minor)
    return sys.version_info[:2]


def has_portaudio() -> bool:
    """Whether the library that sounddevice needs can be loaded."""
    try:
        ctypes.CDLL("libportaudio.so.2")
    except OSError:
        return False
    return True


def debian_has(package: str) -> bool:
    """Whether a Debian package is installed. Elsewhere only PortAudio counts: tests that lack the others say so."""
    if not shutil.which("dpkg-query"):
        return package not in AUDIO or has_portaudio()
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    return subprocess.run(query, check=False, capture_output=True, text=True).stdout == "installed"


def install_debian(packages: list[str], purpose: str) -> bool:
    """Install Debian packages if that needs no password, else say what to type; return whether they are there."""
    if not packages:
        return True
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        say(f"{purpose} needs what Debian calls {names}: install it with your system's package manager")
        return False
    root = os.geteuid() == 0
    if not root and not (shutil.which("sudo") and succeeds(["sudo", "-n", "true"])):
        say(f"{purpose} needs {names}; type: sudo apt-get install -y {names}")
        return False
    say(f"installing {names} for {purpose}")
    apt = [*([] if root else ["sudo", "-n"]), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    command = [*apt, "install", "-y", "-q", "--no-install-recommends", *packages]
    if succeeds(command) or (succeeds([*apt, "update", "-q"]) and succeeds(command)):
        return True
    say(f"apt-get could not install {names}; type: sudo apt-get update && sudo apt-get install -y {names}")
    return False


def succeeds(command: list[str]) -> bool:
    """Run a command in silence."""
    return subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0


def works(arguments: list[str]) -> bool:
    """Whether `.venv`'s Python ends well with these arguments."""
    return succeeds([str(PYTHON), *arguments])


def patiently(command: list[str]) -> None:
    """Run a command in silence, with the seconds that pass at a terminal; show what it said if it fails, and end."""
    terminal = sys.stderr.isatty()
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
        try:
            while True:
                try:
                    process.wait(1.0)
                    break
                except subprocess.TimeoutExpired:
                    if terminal:
                        print(f"\rspotter: … {time.monotonic() - began:.0f} s", end="", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
        if terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        if process.returncode:
            said.seek(0)
            print(said.read().decode(errors="replace").rstrip(), file=sys.stderr)
            say(f"that failed: {' '.join(command)}")
            sys.exit(1)


def become(command: list[str]) -> int:
    """Go on as another program; where a process cannot be replaced, wait for it and return its exit code."""
    if os.name == "posix":
        os.execv(command[0], command)  # noqa: S606
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the child's to end on
    return subprocess.run(command, check=False).returncode


def read_stamp() -> dict[str, Any]:
    """Return what was installed, or nothing."""
    try:
        stamp: dict[str, Any] = json.loads(STAMP.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp


def say(message: str) -> None:
    """Tell the person; stdout belongs to the listener."""
    print(f"spotter: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("stopped before it was set up; the next start goes on")
        sys.exit(130)
