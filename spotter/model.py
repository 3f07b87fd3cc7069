"""Opens a model folder, checks it, and scores: one window, or a stream's windows through a scorer."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from spotter import litert
from spotter.arrays import Floats
from spotter.errors import BadInputError, ModelError
from spotter.frontend import Frontend
from spotter.manifest import STREAM_NETWORK, WINDOW_NETWORK, Manifest, read_file, read_manifest
from spotter.model_folders import find_model
from spotter.network import Backend, Network, open_network
from spotter.scorers import AFTER_S, TOGETHER_S, Scorer, StreamScorer, WindowScorer, most_telling
from spotter.settings import SAMPLE_RATE, DecoderConfig, FrontendConfig
from spotter.stream_form import ManyHops, StreamForm
from spotter.tflite import Shapes, fits, read_shapes

__all__ = ["Model", "Scorer"]

_STREAM_RANKS = {2, 3}
_MANY_HOPS_S = 0.5  # of audio that the stream form takes in one call, where so much waits


class Model:
    """A model that was opened: its settings, and scores for windows of audio.

    Attributes
    ----------
    labels : tuple of str
        What the scores stand for, in their order.
    keywords : tuple of str
        The labels that are reported.
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
        self.backend: Backend = backend
        self.context_frames = self.frontend.frames_in(self.context)
        files = {name: read_file(folder, name, wanted) for name, wanted in manifest.files.items()}
        if network not in files:
            raise ModelError(f"{folder} has no {network} (found: {', '.join(files)}); give one of these")
        self.network = network
        self._window_data = files[network]
        self._stream_data = files.get(STREAM_NETWORK) if network == WINDOW_NETWORK else None
        self._check_window(read_shapes(self._window_data))
        if self._stream_data is not None:
            self._check_stream(read_shapes(self._stream_data))
        self._whole: tuple[Frontend, Network] | None = None
        self._predicting = threading.Lock()  # one interpreter, any number of threads
        self._many_hops: dict[int, ManyHops] = {}  # by the frames of a hop

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
        return cls(folder, read_manifest(folder), _choose(backend), network)

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
            if self._whole is None:
                self._whole = Frontend(self.frontend), open_network(self._window_data, self.backend)
            if len(window) < self.context:
                return self._alone(window, *self._whole)
            frontend, network = self._whole
            scores: Floats = network.run(frontend(window.astype(np.float32))[np.newaxis])[0][0]
            return scores

    def _alone(self, recording: Floats, frontend: Frontend, network: Network) -> Floats:
        """Hear a short recording in silence; the scores of the windows where it says most, shape (labels,)."""
        samples = np.zeros(self.context + len(recording) + round(AFTER_S * SAMPLE_RATE), np.float32)
        samples[self.context : self.context + len(recording)] = recording
        frames = frontend(samples)
        stride = self.step // self.frontend.hop_samples
        rows = [
            network.run(frames[np.newaxis, at : at + self.context_frames])[0][0].copy()
            for at in range(stride, len(frames) - self.context_frames + 1, stride)
        ]
        smooth = max(1, round(TOGETHER_S * SAMPLE_RATE / self.step))
        return most_telling(np.stack(rows), self.labels, self.keywords, smooth)

    def window_scorer(self) -> Scorer:
        """Make a scorer that computes whole windows, whatever stream form there is; to compare with."""
        return WindowScorer(open_network(self._window_data, self.backend))

    def scorer(self, hop_samples: int) -> Scorer:
        """Make a scorer for one stream, which asks for a score every `hop_samples`.

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
        if self._stream_data is None:
            return self.window_scorer()
        hop_frames = hop_samples // self.frontend.hop_samples
        opened = partial(open_network, self._stream_data, self.backend)
        hops = round(_MANY_HOPS_S * SAMPLE_RATE / hop_samples)
        many = self._many_hops.setdefault(hop_frames, ManyHops(opened, hop_frames, hops)) if hops > 1 else None
        return StreamScorer(StreamForm(opened(hop_frames), hop_frames), self.context_frames, many)

    def _check_window(self, shapes: Shapes) -> None:
        wanted = ((1, self.context_frames, self.frontend.bins),), ((1, len(self.labels)),)
        if not _all_fit(shapes.inputs, wanted[0]) or not _all_fit(shapes.outputs, wanted[1]):
            raise self._misfit(self.network, shapes, f"{wanted[0]} to {wanted[1]}")

    def _check_stream(self, shapes: Shapes) -> None:
        inputs, outputs = _by_rank(shapes.inputs), _by_rank(shapes.outputs)
        if (
            set(inputs) != _STREAM_RANKS
            or set(outputs) != _STREAM_RANKS
            or len(shapes.inputs) != len(inputs)
            or len(shapes.outputs) != len(outputs)
            or inputs[3][1] != -1
            or not fits(inputs[3], (1, -1, self.frontend.bins))
            or not fits(outputs[3], (1, -1, len(self.labels)))
            or inputs[2] != outputs[2]
            or inputs[2][0] != 1
            or inputs[2][1] < 0
        ):
            wanted = f"frames (1, -1, {self.frontend.bins}) and state (1, S) to (1, -1, {len(self.labels)}) and (1, S)"
            raise self._misfit(STREAM_NETWORK, shapes, wanted)

    def _misfit(self, file: str, shapes: Shapes, wanted: str) -> ModelError:
        return ModelError(
            f"{self.folder / file} takes {shapes.inputs} to {shapes.outputs}, but the manifest's labels, front-end "
            f"and context ask for {wanted}; export the model again"
        )


def _choose(backend: str) -> Backend:
    if backend == "numpy":
        return "numpy"
    if backend not in ("auto", "litert"):
        raise BadInputError(f"there is no backend {backend!r}; give auto, litert or numpy")
    problem = litert.problem()
    if problem is None:
        return "litert"
    if backend == "auto":
        return "numpy"
    raise ModelError(f"LiteRT cannot be loaded ({problem}); install ai-edge-litert, or use the backend numpy")


def _all_fit(shapes: tuple[tuple[int, ...], ...], wanted: tuple[tuple[int, ...], ...]) -> bool:
    return len(shapes) == len(wanted) and all(fits(a, b) for a, b in zip(shapes, wanted, strict=True))


def _by_rank(shapes: tuple[tuple[int, ...], ...]) -> dict[int, tuple[int, ...]]:
    return {len(shape): shape for shape in shapes}
