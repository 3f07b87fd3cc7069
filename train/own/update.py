"""Whether a new model of own words may take the place of the old one: no worse on the same recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spotter.arrays import Floats
from spotter.model import Model
from train.own.clips import Clip
from train.own.trial import detections


@dataclass(frozen=True, slots=True)
class Heard:
    """What a model did: recordings in which it heard their word, and how often it fired without one."""

    found: int
    of: int
    false: int

    def __str__(self) -> str:
        """Say it."""
        return f"{self.found} of {self.of} recordings found, {self.false} false"


def heard_by(model: Model, words: Mapping[str, Sequence[Clip]], negatives: Sequence[Floats]) -> Heard:
    """Play all recordings, and all that holds no word, to a model with its own settings."""
    clips = [(word, clip) for word, its in words.items() for clip in its]
    found = sum(word in detections(model, clip.samples) for word, clip in clips)
    false = sum(len([k for k in detections(model, samples) if k in words]) for samples in negatives)
    return Heard(found, len(clips), false)


def no_worse(new: Heard, old: Heard) -> bool:
    """Whether the new one finds no fewer and fires wrongly no more often."""
    return new.found >= old.found and new.false <= old.false
