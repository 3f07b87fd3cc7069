"""The product in a process of its own, hearing a real sound system through PortAudio."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import soundfile

from tests.virtual_mic import LIMIT_S, VirtualMic

if TYPE_CHECKING:
    from collections.abc import Iterator

DEMO = Path(__file__).parents[1] / "spotter" / "data"
TRUTH: list[str] = [word["word"] for word in json.loads((DEMO / "demo.json").read_text("utf-8"))["words"]]


def missing() -> str:
    """What the virtual microphone lacks here, or nothing."""
    if sys.platform != "linux":
        return "the virtual microphone is a PulseAudio server, so it needs Linux"
    lacking = [name for name in ("pulseaudio", "pactl", "paplay") if not shutil.which(name)]
    try:
        ctypes.CDLL("libportaudio.so.2")
    except OSError:
        lacking.append("PortAudio")
    return (
        f"no {', '.join(lacking)}: `python3 run.py test` installs what the virtual microphone needs" if lacking else ""
    )


pytestmark = pytest.mark.skipif(
    bool(missing()) and os.environ.get("SPOTTER_VIRTUAL_MIC") != "require", reason=missing() or "all there"
)


@pytest.fixture(scope="module")
def mic() -> Iterator[VirtualMic]:
    with VirtualMic() as microphone:
        yield microphone


def start(mic: VirtualMic, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start the listener; what it prints goes to `out` and `err` in `folder`."""
    command = [sys.executable, "-m", "spotter.listen", *arguments]
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        return subprocess.Popen(command, env=mic.client_env(), stdin=subprocess.DEVNULL, stdout=out, stderr=err)


def lines(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines()


def detections(folder: Path) -> list[dict[str, Any]]:
    """Every line on stdout must be an object; return the detections among those that are whole."""
    whole = (folder / "out").read_bytes().rpartition(b"\n")[0]
    objects = [json.loads(line) for line in whole.splitlines()]
    return [it for it in objects if it["type"] == "detection"]


def test_every_keyword_of_the_demo_is_heard_through_the_sound_system(mic: VirtualMic, tmp_path: Path) -> None:
    samples, rate = soundfile.read(DEMO / "demo.flac", dtype="int16")
    soundfile.write(tmp_path / "demo.wav", samples, rate, "PCM_16")
    listener = start(mic, tmp_path, "--json")
    try:
        mic.wait_for_listener()
        mic.play(tmp_path / "demo.wav")
        deadline = time.monotonic() + LIMIT_S  # the sound system hands over the tail after the player has ended
        while len(detections(tmp_path)) < len(TRUTH) and listener.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        listener.send_signal(signal.SIGINT)
        assert listener.wait(LIMIT_S) == 0, (tmp_path / "err").read_text("utf-8")
    finally:
        listener.kill()
        listener.wait()
    heard = detections(tmp_path)
    assert [it["keyword"] for it in heard] == TRUTH
    assert all(it["start"] < it["end"] <= it["time"] and "wall" in it for it in heard)
    # PortAudio and ALSA may say things of their own on stderr; the counts are there all the same.
    said = (tmp_path / "err").read_text("utf-8")
    for counted in ("windows", "detections", "overflows"):
        assert counted in said
    assert "Traceback" not in said


def test_without_a_sound_server_the_listener_says_so_in_one_line(tmp_path: Path) -> None:
    unplugged = VirtualMic()
    listener = start(unplugged, tmp_path, "--json")
    try:
        assert listener.wait(LIMIT_S) == 3
    finally:
        listener.kill()
        listener.wait()
        unplugged.close()
    assert lines(tmp_path / "out") == []
    said = lines(tmp_path / "err")
    assert len([line for line in said if line.startswith("spotter: ")]) == 1
    assert not [line for line in said if "Traceback" in line]
