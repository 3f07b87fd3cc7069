"""Opens a model folder, checks it, and scores: one window, or a stream's windows through a scorer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from spotter import litert
from spotter.arrays import Floats
from spotter.errors import BadInputError, ModelError
from spotter.frontend import Frontend
from spotter.manifest import WINDOW_NETWORK, Manifest, read_file, read_manifest
from spotter.model_folders import find_model
from spotter.network import Backend
from spotter.pair_engine import open_pair
from spotter.scorers import AFTER_S, TOGETHER_S, Scorer, most_telling
from spotter.settings import SAMPLE_RATE, DecoderConfig, FrontendConfig
from spotter.tflite_engine import TfliteEngine
from spotter.words_engine import open_words

__all__ = ["Model", "Scorer"]

_log = logging.getLogger(__name__)


class Model:
    """A model that was opened: its settings, and scores for windows of audio.

    Attributes
    ----------
    labels : tuple of str
        What the scores stand for, in their order.
    keywords : tuple of str
        The labels that are reported.
    languages : tuple of str
        That the keywords are of, such as "en"; () where the manifest does not say so.
    phrases : mapping of str to str
        How each keyword is said: "hey robot" for hey_robot.
    window, context, step : int
        Samples: what the network calls a window; what a score depends on; what hops are multiples of.
    backend : {"litert", "numpy"}
        What computes the network.
    network : str
        The file whose window form `predict` runs.
    """

    def __init__(self, folder: Path, manifest: Manifest, backend: Backend, network: str = WINDOW_NETWORK) -> None:
        self.folder = folder
        self.name = manifest.name
        self.labels, self.keywords = manifest.labels, manifest.keywords
        self.window, self.context, self.step = manifest.window, manifest.context, manifest.step
        self.frontend: FrontendConfig = manifest.frontend
        self.decoder: DecoderConfig = manifest.decoder
        self.manifest: Mapping[str, Any] = manifest.raw
        self.languages = manifest.languages
        self.phrases = {word: manifest.phrases.get(word, word.replace("_", " ")) for word in manifest.keywords}
        self.backend: Backend = backend
        self.context_frames = self.frontend.frames_in(self.context)
        self.network = network
        self._engine = _engine(folder, manifest, backend, network)
        self._frontend: Frontend | None = None
        self._predicting = threading.Lock()  # one interpreter, any number of threads

    @classmethod
    def open(
        cls,
        name: str | Path = "commands",
        *,
        backend: Literal["auto", "litert", "numpy"] = "auto",
        network: str = WINDOW_NETWORK,
    ) -> Model:
        """Open a model.

        Parameters
        ----------
        name : str or Path
            A folder, or the bare name of one of the user's own models or of a shipped one.
        backend : {"auto", "litert", "numpy"}
            What computes the network; "auto" takes LiteRT where it can be imported.
        network : str
            Another file of the folder that takes whole windows, such as "model.int8.tflite", which
            needs LiteRT; it has no stream form.

        Raises
        ------
        ModelError
            There is no such model, or it is incomplete, changed, or not for this version.
        """
        folder = find_model(name)
        model = cls(folder, read_manifest(folder), litert.choose(backend), network)
        _log.debug("opened %s in %s, computed by %s", model.name, folder, model.backend)
        return model

    def predict(self, window: Floats) -> Floats:
        """Score one piece of audio; may be called from several threads, one of which works at a time.

        Parameters
        ----------
        window : float32, shape (samples,)
            At 16 kHz, full scale -1..1. Just `context` samples are one window: what the listener scores
            at its end. Fewer, such as a clip of a second, are a recording alone in silence.

        Returns
        -------
        float32, shape (labels,)
            Softmax scores; of a short recording those of the moment that says most about it.

        Raises
        ------
        BadInputError
            More samples than `context`, another shape, or no floating-point numbers.
        """
        window = np.asarray(window)
        if window.ndim != 1 or not np.issubdtype(window.dtype, np.floating):
            raise BadInputError(
                f"the window has shape {window.shape} and type {window.dtype}; "
                "give float32 samples of shape (samples,), an int16 divided by 32768"
            )
        if len(window) > self.context:
            raise BadInputError(
                f"{len(window)} samples are more than the {self.context} that {self.name} looks at; "
                "give the last of them, or use spotter.spot for longer audio"
            )
        with self._predicting:
            if self._frontend is None:
                self._frontend = Frontend(self.frontend)
            if len(window) < self.context:
                return self._alone(window, self._frontend)
            scores: Floats = self._engine.rows(self._frontend(window.astype(np.float32)))[0]
            return scores

    def _alone(self, recording: Floats, frontend: Frontend) -> Floats:
        """Hear a short recording in silence; the scores of the windows where it says most, shape (labels,)."""
        samples = np.zeros(self.context + len(recording) + round(AFTER_S * SAMPLE_RATE), np.float32)
        samples[self.context : self.context + len(recording)] = recording
        rows = self._engine.rows(frontend(samples)[self.step // self.frontend.hop_samples :])
        smooth = max(1, round(TOGETHER_S * SAMPLE_RATE / self.step))
        return most_telling(rows, self.labels, self.keywords, smooth)

    def window_scorer(self) -> Scorer:
        """Make a scorer that computes whole windows, whatever stream form there is; to compare with."""
        return self._engine.window_scorer()

    def scorer(self, hop_samples: int, *, shared: bool = False) -> Scorer:
        """Make a scorer for one stream, which asks for a score every `hop_samples`.

        A `shared` one has no network of its own: all of them take turns on one, which costs less memory and
        time where there are many. Scores are the same.

        Raises
        ------
        BadInputError
            The hop is no positive multiple of `step`.
        """
        if hop_samples < 1 or hop_samples % self.step:
            possible = ", ".join(f"{n * self.step * 1_000 / SAMPLE_RATE:g}" for n in (1, 2, 3))
            raise BadInputError(
                f"a hop of {hop_samples * 1_000 / SAMPLE_RATE:g} ms is not possible with the model {self.name}; "
                f"give a multiple of {self.step * 1_000 / SAMPLE_RATE:g} ms: {possible} ..."
            )
        return self._engine.scorer(hop_samples // self.frontend.hop_samples, shared=shared)


class _Engine(Protocol):
    """What computes the scores."""

    def rows(self, frames: Floats) -> Floats:
        """Scores of all windows in a recording's frames, one each step, shape (windows, labels)."""

    def window_scorer(self) -> Scorer:
        """Make a scorer that computes whole windows."""

    def scorer(self, hop_frames: int, *, shared: bool) -> Scorer:
        """Make a scorer for one stream of such hops."""


def _engine(folder: Path, manifest: Manifest, backend: Backend, network: str) -> _Engine:
    files = {name: read_file(folder, name, wanted) for name, wanted in manifest.files.items()}
    if manifest.backbone is None:
        return TfliteEngine(folder, manifest, files, backend, network)
    if WINDOW_NETWORK in files:
        return open_pair(folder, manifest, files, backend, network)
    if network != WINDOW_NETWORK:
        raise ModelError(f"{folder} holds own words and no {network}; open it without naming a network")
    return open_words(folder, manifest, files, backend)
