"""Teaches a student the embeddings of a backbone: the mean square error of standardised numbers (Hinton et al. 2015).

The student hears another level than the teacher did, and now and then noise that the teacher did not hear: its
numbers are to be those of the speech.
"""

from __future__ import annotations

import csv
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import keras
import numpy as np

from spotter.arrays import Floats
from train.distill_material import Tracks
from train.networks.student import Student

_LOOK_BATCHES: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """How it is taught."""

    steps: int = 12_000
    batch: int = 48  # sequences
    rows: int = 32  # embeddings of a sequence
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    look_every: int = 500
    gain_db: tuple[float, float] = (-20.0, 10.0)
    noisy: float = 0.4  # of the sequences
    snr_db: tuple[float, float] = (3.0, 30.0)
    seed: int = 0

    def rate(self, step: int) -> float:
        """Half a cosine after a warm-up of 300 steps."""
        warm = min(1.0, (step + 1) / 300)
        return warm * self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / self.steps)))


class Step(Protocol):
    """What learns from one batch."""

    def learn(self, frames: Floats, targets: Floats, right: Floats, rate: float) -> float:
        """Return the error before the step."""

    def error(self, frames: Floats, targets: Floats, right: Floats) -> float:
        """Return the error, nothing learned."""


class KerasStep:
    """Through Keras, on any of its engines."""

    def __init__(self, model: keras.Model, lessons: Lessons) -> None:
        self.model = model
        optimizer = keras.optimizers.AdamW(1e-3, weight_decay=lessons.weight_decay, clipnorm=1.0)
        model.compile(optimizer, keras.losses.MeanSquaredError())

    def learn(self, frames: Floats, targets: Floats, right: Floats, rate: float) -> float:
        """Return the error before the step."""
        self.model.optimizer.learning_rate.assign(rate)
        return float(self.model.train_on_batch(frames, targets, sample_weight=right))

    def error(self, frames: Floats, targets: Floats, right: Floats) -> float:
        """Return the error, nothing learned."""
        return float(self.model.test_on_batch(frames, targets, sample_weight=right))


class Sequences:
    """Draws batches: frames (batch, n, bins), targets (batch, rows, size) standardised, and which are right."""

    def __init__(self, tracks: Tracks, noise: Tracks, student: Student, lessons: Lessons) -> None:
        self._tracks, self._noise, self._lessons = tracks, noise, lessons
        self._step = student.step_frames
        self._length = student.context_frames + self._step * (lessons.rows - 1)
        self._first = -(-self._length // self._step)  # the first row that may end a sequence
        some = tracks.embeddings[tracks.right][:: max(1, len(tracks) // 200_000)].astype(np.float32)
        self.mean: Floats = some.mean(0)
        self.scale: Floats = some.std(0) + np.float32(1e-3)

    def draw(self, rng: np.random.Generator, *, plain: bool = False) -> tuple[Floats, Floats, Floats]:
        """Return a batch; `plain` as it was recorded."""
        lessons, tracks = self._lessons, self._tracks
        last = rng.integers(self._first, len(tracks), lessons.batch)
        ends = (last + 1) * self._step
        frames = tracks.frames[ends[:, None] + np.arange(-self._length, 0)].astype(np.float32)
        rows = last[:, None] + np.arange(1 - lessons.rows, 1)
        targets = (tracks.embeddings[rows].astype(np.float32) - self.mean) / self.scale
        if not plain:
            frames = self._changed(frames, rng)
        return frames, targets, tracks.right[rows].astype(np.float32)

    def _changed(self, frames: Floats, rng: np.random.Generator) -> Floats:
        lessons, count = self._lessons, len(frames)
        power = np.exp(frames)
        noisy = np.flatnonzero(rng.random(count) < lessons.noisy)
        if len(self._noise) > self._first and len(noisy):
            ends = (rng.integers(self._first, len(self._noise), len(noisy)) + 1) * self._step
            noise = np.exp(self._noise.frames[ends[:, None] + np.arange(-self._length, 0)].astype(np.float32))
            snr_db = rng.uniform(*lessons.snr_db, len(noisy))
            loud = power[noisy].mean((1, 2)) / (noise.mean((1, 2)) * 10.0 ** (snr_db / 10.0) + 1e-12)
            power[noisy] += noise * loud[:, None, None].astype(np.float32)
        gain_db = rng.uniform(*lessons.gain_db, count) * (rng.random(count) < 0.7)
        power *= (10.0 ** (gain_db / 10.0))[:, None, None].astype(np.float32)
        return np.asarray(np.log(power + np.float32(1e-6)), np.float32)


def teach(
    student: Student,
    tracks: Tracks,
    noise: Tracks,
    validation: Tracks,
    lessons: Lessons,
    folder: Path,
    *,
    start: Path | None = None,
) -> tuple[keras.Model, dict[str, float]]:
    """Teach; the best weights and `history.csv` go into `folder`. Return the model, and what it reached.

    What was taught to the end, maybe by another engine, is not taught again. `start` are weights to go on from.
    """
    keras.utils.set_random_seed(lessons.seed)
    model = student.build(None, tracks.frames.shape[1], tracks.embeddings.shape[1])
    if (before := _reached(folder, lessons)) is not None:
        model.load_weights(folder / "best.weights.h5")
        return model, {"unseen_error": before, "explained": 1.0 - before}
    if start is not None:
        model.load_weights(start)
    sequences = Sequences(tracks, noise, student, lessons)
    looks = Sequences(validation, noise, student, lessons)
    looks.mean, looks.scale = sequences.mean, sequences.scale
    rng = np.random.default_rng(1)
    batches = [looks.draw(rng, plain=True) for _ in range(_LOOK_BATCHES)]
    step = _step_of(student, model, lessons)
    folder.mkdir(parents=True, exist_ok=True)
    best, errors, began = math.inf, [], time.monotonic()
    with (folder / "history.csv").open("w", encoding="utf-8", newline="") as file:
        history = csv.writer(file)
        history.writerow(("steps", "seconds", "training_error", "validation_error"))
        for number in range(lessons.steps):
            batch = sequences.draw(np.random.default_rng([lessons.seed, number]))
            errors.append(step.learn(*batch, lessons.rate(number)))
            if (number + 1) % lessons.look_every == 0 or number + 1 == lessons.steps:
                error = float(np.mean([step.error(*b) for b in batches]))
                seconds = round(time.monotonic() - began)
                history.writerow((number + 1, seconds, f"{np.mean(errors):.5f}", f"{error:.5f}"))
                file.flush()
                print(
                    f"step {number + 1} of {lessons.steps}: error {np.mean(errors):.4f}, unseen {error:.4f}",
                    file=sys.stderr,
                )
                errors = []
                if error < best:
                    best = error
                    model.save_weights(folder / "best.weights.h5")
    model.load_weights(folder / "best.weights.h5")
    return model, {"unseen_error": best, "explained": 1.0 - best}


def _reached(folder: Path, lessons: Lessons) -> float | None:
    """Return the least error of a run that was finished; None where it was not."""
    path = folder / "history.csv"
    if not (path.exists() and (folder / "best.weights.h5").exists()):
        return None
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or int(rows[-1]["steps"]) != lessons.steps:
        return None
    return min(float(row["validation_error"]) for row in rows)


def _step_of(student: Student, model: keras.Model, lessons: Lessons) -> Step:
    if keras.backend.backend() != "torch":
        return KerasStep(model, lessons)
    from train.distill_compiled import CompiledStep

    step: Any = CompiledStep(student, model, lessons)
    return step  # type: ignore[no-any-return]
