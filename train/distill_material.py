"""What a student of a backbone learns from: its own frames, and the teacher's embeddings of the same moments.

Labels are not needed, so all audio serves. Short recordings are joined to tracks: an embedding looks at most of a
second, of which a word on its own has little.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.backbone import Backbone, open_backbone
from spotter.frontend import Frontend
from spotter.settings import SAMPLE_RATE, FrontendConfig
from train.bank import read
from train.workers import each

TRACK_S: Final = 12.0  # recordings are joined up to so long
_PAUSE_S: Final = (0.1, 0.6)
_FLOOR_DBFS: Final = (-85.0, -60.0)  # of the noise between them
_LONGEST_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Tracks:
    """Frames and embeddings, laid end to end.

    frames : float16, shape (rows x step_frames, bins), log band powers
    embeddings : float16, shape (rows, size); of a row, what its last frame ends
    right : bool, shape (rows,); where the teacher's context lies in one track
    """

    frames: npt.NDArray[np.float16]
    embeddings: npt.NDArray[np.float16]
    right: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.embeddings)


def material(groups: Sequence[Sequence[Path]], frontend: FrontendConfig, teacher: str, seed: int, what: str) -> Tracks:
    """Hear recordings with both front-ends; each group of paths makes tracks of its own."""
    jobs = [(list(some), frontend, teacher, seed + n) for n, group in enumerate(groups) for some in _some(group)]
    found = list(each(_work, jobs, what=what))
    return joined([tracks for tracks in found if len(tracks)], frontend.bins)


def joined(parts: Sequence[Tracks], bins: int = 0) -> Tracks:
    """All of them, end to end."""
    if not parts:
        return Tracks(np.empty((0, bins), np.float16), np.empty((0, 0), np.float16), np.empty(0, np.bool_))
    return Tracks(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("frames", "embeddings", "right")))


def _some(paths: Sequence[Path], count: int = 200) -> Iterator[Sequence[Path]]:
    for at in range(0, len(paths), count):
        yield paths[at : at + count]


def _work(job: tuple[list[Path], FrontendConfig, str, int]) -> Tracks:
    paths, config, teacher, seed = job
    backbone, frontend, rng = open_backbone(teacher), Frontend(config), np.random.default_rng(seed)
    parts = [_hear(samples, backbone, frontend) for samples in tracks(map(read, paths), rng)]
    return joined([p for p in parts if len(p)], config.bins)


def tracks(recordings: Iterator[Floats], rng: np.random.Generator) -> Iterator[Floats]:
    """Recordings joined to tracks of some length, with pauses between them."""
    held: list[Floats] = []
    length = 0
    for recording in recordings:
        samples = recording[: round(_LONGEST_S * SAMPLE_RATE)]
        pause = rng.standard_normal(round(rng.uniform(*_PAUSE_S) * SAMPLE_RATE), np.float32)
        held += [pause * np.float32(10.0 ** (rng.uniform(*_FLOOR_DBFS) / 20.0)), samples]
        length += len(pause) + len(samples)
        if length >= TRACK_S * SAMPLE_RATE:
            yield np.concatenate(held)
            held, length = [], 0
    if held:
        yield np.concatenate(held)


def _hear(samples: Floats, backbone: Backbone, frontend: Frontend) -> Tracks:
    """Both kinds of frames end with the same samples, as they do side by side in a listener."""
    embeddings = backbone.embed(samples)
    if not len(embeddings):
        return joined([])
    before = backbone.context_frames // backbone.step_frames - 1
    rows = before + len(embeddings)
    later = backbone.frontend.frame_samples - frontend.config.frame_samples
    frames = frontend(samples[later:])[: rows * backbone.step_frames].astype(np.float16)
    padded = np.concatenate((np.zeros((before, backbone.size), np.float32), embeddings)).astype(np.float16)
    right = np.arange(rows) >= before
    return Tracks(frames, padded, right)
