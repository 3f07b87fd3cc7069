"""Clips and a scripted model, for the tests of streams with known words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from spotter.arrays import Floats
from spotter.model import Model
from spotter.settings import SAMPLE_RATE
from tests.fakes import ScriptedModel, tone
from train.data import Row

HOP = 1_600


def model_of(fake: ScriptedModel) -> Model:
    return fake  # type: ignore[return-value]


def rows_of(tmp_path: Path, clips: dict[str, Floats]) -> list[Row]:
    rows = []
    for name, clip in clips.items():
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, clip, SAMPLE_RATE, subtype="FLOAT")
        rows.append(Row(path, name.rstrip("0123456789"), "", "validation"))
    return rows


def clip_of(word: str, before: float = 0.2, said: float = 0.4) -> Floats:
    return np.concatenate((np.zeros(round(before * 16_000)), tone(word, said), np.zeros(4_800))).astype(np.float32)


def rms(samples: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))
