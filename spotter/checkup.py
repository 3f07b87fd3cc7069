"""Whether spotter works on this machine: its model, its arithmetic, what it stands on."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from spotter import __version__
from spotter.events import Detection
from spotter.pipeline import Spotter
from spotter.settings import SAMPLE_RATE
from spotter.sources.files import AudioFile

if TYPE_CHECKING:
    from spotter.arrays import Floats
    from spotter.model import Model
    from spotter.windows import Window

DEMO: Final = Path(__file__).parent / "data" / "demo.flac"
_TRUTH: Final = DEMO.with_suffix(".json")
MOST_DIFFERENT: Final = 1e-4
_NEAR_S: Final = 0.5  # a word is decided so long after its end, at most
_PACKAGES: Final = ("numpy", "ai-edge-litert", "sounddevice", "soundfile", "soxr", "rich")


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """How the shipped recording was heard."""

    windows: int
    difference: float  # between stream and batch, the largest of a score
    expected: tuple[str, ...] | None  # words of the recording; None where the model knows other words
    heard: tuple[str, ...]
    problems: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "windows": self.windows,
            "largest_difference": self.difference,
            "expected": self.expected,
            "heard": self.heard,
            "ok": not self.problems,
        }


def versions() -> dict[str, str | None]:
    """Return of what versions everything is; None for what is not installed. Loads none of them."""
    found: dict[str, str | None] = {
        "spotter": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        "machine": platform.machine(),
    }
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def library_versions(sounddevice: Any = None) -> dict[str, str]:
    """Return the versions of the C libraries that are loaded."""
    found = {}
    if sounddevice is not None:
        found["portaudio"] = str(sounddevice.get_portaudio_version()[1])
    soundfile = sys.modules.get("soundfile")
    if soundfile is not None:
        found["libsndfile"] = str(soundfile.__libsndfile_version__)
    return found


def self_test(model: Model, path: Path = DEMO, truth: Path = _TRUTH) -> SelfTest:
    """Hear a recording with known words, each window also computed whole.

    Raises
    ------
    SpotterError
        The recording cannot be read.
    """
    source = AudioFile(path)
    words = json.loads(truth.read_text("utf-8"))["words"]
    whole = model.window_scorer()
    difference = 0.0

    def compare(window: Window, scores: Floats) -> None:
        nonlocal difference
        apart = np.abs(whole.score(window.frames, len(window.frames)) - scores).max()
        difference = max(difference, float(apart)) if np.isfinite(apart) else float("inf")

    spotter = Spotter(model, sample_rate=source.sample_rate, channels=source.channels, padded=True, tap=compare)
    heard: list[Detection] = []
    for block in source.blocks():
        spotter.write(block)
        heard.extend(event for event in spotter.events() if isinstance(event, Detection))
    heard.extend(event for event in spotter.finish() if isinstance(event, Detection))
    knows = {str(word["word"]) for word in words} <= set(model.keywords)
    problems = []
    if difference > MOST_DIFFERENT:
        problems.append(
            f"the stream's scores differ from those of whole windows by {difference:.1e} (up to {MOST_DIFFERENT:g} is "
            "rounding): numpy or LiteRT computes wrongly here; install them anew, and please report this"
        )
    if knows and not _as_said(heard, words):
        problems.append(
            f"the shipped recording says {_listed(word['word'] for word in words)}, and "
            f"{_listed(event.keyword for event in heard)} was heard: get the model anew, and please report this"
        )
    return SelfTest(
        windows=spotter.windows,
        difference=difference,
        expected=tuple(str(word["word"]) for word in words) if knows else None,
        heard=tuple(event.keyword for event in heard),
        problems=tuple(problems),
    )


def _as_said(heard: list[Detection], words: list[Mapping[str, Any]]) -> bool:
    """Whether these words, and no others, were decided where they are said."""
    if len(heard) != len(words):
        return False
    return all(
        event.keyword == word["word"] and word["start"] < event.time_sample / SAMPLE_RATE < word["end"] + _NEAR_S
        for event, word in zip(heard, words, strict=True)
    )


def _listed(words: Any) -> str:
    return " ".join(words) or "nothing"
