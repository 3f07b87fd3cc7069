"""Speech with tones in it that a scripted model takes for keywords."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import soundfile

from spotter.arrays import Floats
from tests.fakes import ScriptedModel, recording
from train.data import Row
from train.evaluate import score
from train.hard import Hard
from train.mine_recordings import Heard, hear

KEYWORDS = {"yes": 0, "no": 1}
PLACE = Hard(path="speech/ann/a.wav", time=40_000, keyword="yes", score=0.75)


def speech_file(folder: Path, *words: tuple[float, str], seconds: float = 4.0) -> Row:
    folder.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / "a.wav", recording(*words, seconds=seconds), 16_000, subtype="FLOAT")
    return Row(folder / "a.wav", "", folder.name, "training")


def heard(row: Row, copies: int = 0, seed: int = 0, noise: dict[str, Floats] | None = None) -> Heard:
    model: Any = ScriptedModel()
    return hear(row, lambda s: score(model, s), KEYWORDS, noise or {}, least=0.5, copies=copies, seed=seed)
