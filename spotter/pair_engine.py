"""Two networks side by side on one stream: own words, and a model that they extend; one decoder hears both.

Frames of both front-ends come together (`FrontendConfig.beside`) and end with the same samples, so that each network
gives the scores that it would give alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spotter.arrays import Floats
from spotter.errors import ModelError
from spotter.manifest import Manifest
from spotter.network import Backend
from spotter.scorers import Scorer, WindowScorer
from spotter.settings import UNKNOWN
from spotter.tflite_engine import TfliteEngine
from spotter.words_engine import WordsEngine, open_words


def open_pair(
    folder: Path, manifest: Manifest, files: Mapping[str, bytes], backend: Backend, network: str
) -> PairEngine:
    """Open both; the manifest's `extended` says what of it is the other model's."""
    extended = manifest.raw.get("extended")
    frontend = dataclasses.replace(manifest.frontend, beside=None)
    beside = manifest.frontend.beside or frontend  # the same frames may serve both
    if not isinstance(extended, dict) or not isinstance(extended.get("labels"), list):
        raise ModelError(f"{folder} extends a model, but its manifest does not say which labels; fit the model again")
    labels = tuple(extended["labels"])
    words = tuple(label for label in manifest.labels if label not in labels)
    if UNKNOWN not in labels or manifest.labels != (*labels, *words):
        raise ModelError(f"{folder}: the labels of the extended model do not come first; fit the model again")
    counts: dict[str, int] = {}
    for name, unit in (("context", 1), ("own_context", 1), ("step", beside.hop_samples)):
        value = extended.get(name)
        if not isinstance(value, int) or value < 1 or value % unit:
            raise ModelError(f"{folder}: {name} of the extended model is {value!r}; fit the model again")
        counts[name] = value
    own = dataclasses.replace(manifest, labels=(UNKNOWN, *words), frontend=frontend, context=counts["own_context"])
    other = dataclasses.replace(
        manifest, labels=labels, frontend=beside, context=counts["context"], step=counts["step"]
    )
    return PairEngine(
        open_words(folder, own, files, backend),
        TfliteEngine(folder, other, files, backend, network),
        bins=(slice(0, frontend.bins), slice(manifest.frontend.bins - beside.bins, None)),
        context_frames=tuple(part.frontend.frames_in(part.context) for part in (manifest, own, other)),
        strides=(own.step // frontend.hop_samples, other.step // beside.hop_samples),
        unknown=labels.index(UNKNOWN),
    )


class PairEngine:
    """Own words and what they extend.

    Parameters
    ----------
    words, other
        The engines.
    bins : (slice, slice)
        Which bins of each frame are theirs.
    context_frames : (int, int, int)
        Frames of a window, and those that the own words' scores and the other's depend on.
    strides : (int, int)
        Frames between two scores of each.
    unknown : int
        Where `_unknown_` is among the other's labels.
    """

    def __init__(
        self,
        words: WordsEngine,
        other: TfliteEngine,
        *,
        bins: tuple[slice, slice],
        context_frames: tuple[int, ...],
        strides: tuple[int, int],
        unknown: int,
    ) -> None:
        if context_frames[0] < max(context_frames) or strides[0] % strides[1]:
            raise ModelError("a window is shorter than what its networks look at, or their steps do not fit; fit again")
        self._words, self._other = words, other
        self._bins, self._context, self._strides, self._unknown = bins, context_frames, strides, unknown

    def rows(self, frames: Floats) -> Floats:
        """Scores of all windows in a recording's frames, one each step, shape (windows, labels)."""
        whole, own, other = self._context
        words = self._words.rows(np.ascontiguousarray(frames[whole - own :, self._bins[0]]))
        others = self._other.rows(np.ascontiguousarray(frames[whole - other :, self._bins[1]]))
        others = others[:: self._strides[0] // self._strides[1]]
        return np.stack([joined(o, w, self._unknown) for o, w in zip(others, words, strict=True)])

    def window_scorer(self) -> Scorer:
        """Make a scorer that computes whole windows."""
        return self._pair(self._words.window_scorer(), self._other.window_scorer())

    def scorer(self, hop_frames: int, *, shared: bool = False) -> Scorer:
        """Make a scorer for one stream of such hops, on networks of its own or on those that all take turns on."""
        words, other = self._words.scorer(hop_frames, shared=shared), self._other.scorer(hop_frames, shared=shared)
        return self._pair(words, other)

    def _pair(self, words: Scorer, other: Scorer) -> PairScorer:
        return PairScorer(words, other, self._bins, self._context, self._unknown)


class PairScorer:
    """Scores of one stream from both networks."""

    def __init__(
        self, words: Scorer, other: Scorer, bins: tuple[slice, slice], context_frames: tuple[int, ...], unknown: int
    ) -> None:
        self._words, self._other = words, other
        self._bins, self._context, self._unknown = bins, context_frames, unknown

    def score(self, frames: Floats, new: int) -> Floats:
        """Score the window that ends now; see `spotter.scorers.Scorer`."""
        whole, own, other = self._context
        begins = new == whole
        words = self._words.score(frames[len(frames) - own :, self._bins[0]], own if begins else new)
        # Only what is looked at is copied.
        looked_at = other if begins or isinstance(self._other, WindowScorer) else new
        newest = np.ascontiguousarray(frames[len(frames) - looked_at :, self._bins[1]])
        others = self._other.score(newest, other if begins else new)
        return joined(others, words, self._unknown)

    def reset(self) -> None:
        """Forget the stream."""
        self._words.reset()
        self._other.reset()


def joined(other: Floats, words: Floats, unknown: int) -> Floats:
    """Scores of the extended model's labels, then of the own words; `_unknown_` where both say so.

    Each network says of the other's words that they are unknown; a word is held back only by what both do not know.
    """
    scores = np.concatenate((other, words[1:]))
    scores[unknown] = min(other[unknown], words[0])
    return scores
