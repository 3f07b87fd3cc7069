"""A small archive of recordings, cut out of the demo recording, and `spotter scan` of it in this process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from spotter.cli import main
from spotter.cli.listen import DEMO

STARTS_S = (0.8, 3.2, 5.0, 7.0, 9.5, 17.0)
WORDS = ("yes", "no", "up", "down", "left", "right")


def archive(folder: Path, count: int = 6) -> Path:
    """Recordings of two seconds with a word each, in two folders."""
    samples, rate = soundfile.read(DEMO, dtype="float32")
    for number in range(count):
        begin = round(STARTS_S[number % len(STARTS_S)] * rate)
        path = folder / ("a" if number % 2 else "b/c") / f"{number:02}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples[begin : begin + 2 * rate], rate)
    return folder


def add_broken(folder: Path) -> dict[str, str]:
    """Add recordings that are broken; by name, a part of what is to be said of them."""
    samples, rate = soundfile.read(DEMO, dtype="float32")
    (folder / "text.wav").write_text("no sound")
    (folder / "empty.mp3").touch()
    (folder / "gone.ogg").symlink_to(folder / "nowhere")
    (folder / "half.flac").write_bytes(DEMO.read_bytes()[:100_000])
    invalid = np.array(samples[: 4 * rate])
    invalid[3 * rate : 3 * rate + 100] = np.nan
    soundfile.write(folder / "nan.wav", invalid, rate, subtype="FLOAT")
    return {
        "text.wav": "no audio file",
        "empty.mp3": "is empty",
        "gone.ogg": "there is no file",
        "half.flac": "cannot be decoded after",
        "nan.wav": "are no numbers",
    }


def scan(folder: Path, out: Path, *options: str) -> int:
    """The exit code."""
    return main(["scan", str(folder), "--out", str(out), *options])


def lines(path: Path) -> int:
    """How many whole lines a file has so far."""
    return path.read_bytes().count(b"\n") if path.exists() else 0
