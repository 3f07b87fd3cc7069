"""What scores frames for own words: a backbone run as a stream, and a small head on its last embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spotter.arrays import Floats
from spotter.backbone import BACKBONES, Backbone, open_backbone
from spotter.errors import BadInputError, ModelError
from spotter.head import Head, read_head
from spotter.manifest import HEAD, VOICE, Manifest
from spotter.network import Backend
from spotter.scorers import Scorer
from spotter.stream_form import ManyHops, StreamForm
from spotter.voice import Voice, read_voice

_SURELY_UNKNOWN = 0.9  # no word could fire, whosever voice it is


def open_words(folder: Path, manifest: Manifest, files: Mapping[str, bytes], backend: Backend) -> WordsEngine:
    """Open the backbone that a manifest names and the folder's head; `ModelError` where they do not fit."""
    name, sha256 = manifest.backbone or ("", "")
    if name not in BACKBONES:
        raise ModelError(f"this version has no backbone called {name!r}; update spotter")
    backbone = open_backbone(name, backend=backend)
    if backbone.sha256 != sha256:
        raise ModelError(f"{folder} was fitted on another version of the backbone {name}; fit the model again")
    head = read_head(files[HEAD])
    held, rest = divmod(head.inputs, backbone.size)
    context_frames = backbone.context_frames + (held - 1) * backbone.step_frames
    wanted = {
        "labels": (head.labels, len(manifest.labels)),
        "whole embeddings": (rest, 0),
        "context": (backbone.frontend.samples_for(context_frames), manifest.context),
        "step": (backbone.step, manifest.step),
        "frontend": (backbone.frontend, manifest.frontend),
    }
    for what, (one, other) in wanted.items():
        if one != other:
            raise ModelError(f"{folder / HEAD} and the manifest differ in {what} ({one}, {other}); fit the model again")
    voice = read_voice(files[VOICE]) if VOICE in files else None
    return WordsEngine(backbone, head, context_frames, voice)


class WordsEngine:
    """A backbone and a head.

    Parameters
    ----------
    backbone : Backbone
        May be shared by any number of engines; each stream has its own state.
    head : Head
        On so many embeddings in a row as its inputs are.
    context_frames : int
        Frames that those embeddings depend on.
    voice : Voice, optional
        Words by other voices are unknown.
    """

    def __init__(self, backbone: Backbone, head: Head, context_frames: int, voice: Voice | None = None) -> None:
        self._backbone, self._head, self._context_frames, self._voice = backbone, head, context_frames, voice
        self._whole: WordsScorer | None = None

    def rows(self, frames: Floats) -> Floats:
        """Scores of all windows in a recording's frames, one each step, shape (windows, labels)."""
        if self._whole is None:
            self._whole = self.scorer(self._backbone.step_frames)
        self._whole.reset()
        first = self._whole.score(frames[: self._context_frames], self._context_frames)[np.newaxis]
        more = (len(frames) - self._context_frames) // self._backbone.step_frames
        if not more:
            return first
        rest = frames[: self._context_frames + more * self._backbone.step_frames]
        return np.concatenate((first, self._whole.score_hops(rest, more)))

    def window_scorer(self) -> Scorer:
        """Make a scorer that hears each window as if nothing had been before."""
        return Forgetful(self.scorer(self._backbone.step_frames), self._context_frames)

    def scorer(self, hop_frames: int, *, shared: bool = False) -> WordsScorer:
        """Make a scorer for one stream of such hops, on a network of its own or on one that all take turns on."""
        many = self._backbone.many(hop_frames)
        form = self._backbone.shared_form(hop_frames) if shared else self._backbone.form(hop_frames)
        return WordsScorer(form, self._backbone, self._head, self._context_frames, many, self._voice)


class WordsScorer:
    """Scores of one stream: new frames through the backbone, the last embeddings through the head."""

    def __init__(
        self,
        one_hop: StreamForm,
        backbone: Backbone,
        head: Head,
        context_frames: int,
        many: ManyHops | None = None,
        voice: Voice | None = None,
    ) -> None:
        self._one_hop, self._many, self._head = one_hop, many, head
        self._voice, self._frontend = voice, backbone.frontend
        self._hop_frames, self._context_frames = one_hop.frames, context_frames
        self._step_frames = backbone.step_frames
        self._state = one_hop.silence
        self._held = head.inputs // backbone.size
        self._recent = np.zeros((self._held, backbone.size), np.float32)

    def score(self, frames: Floats, new: int) -> Floats:
        """Score the window that ends now; see `spotter.scorers.Scorer`."""
        if new not in (self._hop_frames, self._context_frames):
            raise BadInputError(
                f"{new} new frames; give {self._context_frames} first, then {self._hop_frames} at a time"
            )
        fresh = np.ascontiguousarray(frames[len(frames) - new :])
        if missing := -new % self._hop_frames:
            # What zeros leave in the state never reaches a score: nothing pads in time.
            fresh = np.concatenate((np.zeros((missing, frames.shape[1]), np.float32), fresh))
        embeddings = self._embed(fresh)
        self._recent = np.concatenate((self._recent, embeddings))[-self._held :]
        return self._judged(self._head(self._recent.reshape(-1)), frames)

    def score_hops(self, frames: Floats, hops: int) -> Floats:
        """Score the windows of the last so many hops, shape (hops, labels), after a first `score`."""
        per_hop = self._hop_frames // self._step_frames
        embeddings = self._embed(frames[len(frames) - hops * self._hop_frames :])
        whole = np.concatenate((self._recent, embeddings))
        flat, size = whole.reshape(-1), whole.shape[1]
        ends = range(self._held + per_hop, len(whole) + 1, per_hop)
        first = len(frames) - (hops - 1) * self._hop_frames  # after the first hop's window
        scores = [
            self._judged(
                self._head(flat[(end - self._held) * size : end * size]), frames[: first + n * self._hop_frames]
            )
            for n, end in enumerate(ends)
        ]
        self._recent = whole[-self._held :]
        return np.stack(scores)

    def reset(self) -> None:
        """Forget the stream."""
        self._state = self._one_hop.silence
        self._recent = np.zeros_like(self._recent)

    def _judged(self, scores: Floats, frames: Floats) -> Floats:
        """Give to `_unknown_` what another voice said; `frames` end with the window."""
        if self._voice is not None and scores[0] < _SURELY_UNKNOWN:
            window = frames[max(0, len(frames) - self._context_frames) :]
            if not self._voice.passes(window, self._frontend):
                scores[:] = 0.0
                scores[0] = 1.0
        return scores

    def _embed(self, fresh: Floats) -> Floats:
        """Embeddings of whole hops of frames, shape (n, size)."""
        rows, at = [], 0
        while at < len(fresh):
            form = self._one_hop
            if self._many is not None and len(fresh) - at >= self._many.frames:
                form = self._many.form(form) or form
            found, self._state = form.advance(fresh[at : at + form.frames], self._state)
            rows.append(found)
            at += form.frames
        return rows[0] if len(rows) == 1 else np.concatenate(rows)


class Forgetful:
    """Computes the whole window each time."""

    def __init__(self, scorer: WordsScorer, context_frames: int) -> None:
        self._scorer, self._context_frames = scorer, context_frames

    def score(self, frames: Floats, new: int) -> Floats:  # noqa: ARG002 (all frames are looked at)
        """Score the window that ends now."""
        self._scorer.reset()
        return self._scorer.score(frames[-self._context_frames :], self._context_frames)

    def reset(self) -> None:
        """Do nothing: there is nothing to forget."""
