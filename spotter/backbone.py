"""A frozen embedding under own words: so many numbers for every step of audio, computed as a stream.

Google's speech embedding (Lin et al. 2020, arXiv:2002.01322; Apache-2.0) comes with the package `pyopen-wakeword`:
only its `embedding_model.tflite` is read, where it is installed. Everybody feeds it 76 frames for each 8 new ones;
here the same file runs as a stream (`stream_graph`) and gives the same numbers for a fraction of the work.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from spotter import litert
from spotter.arrays import Floats
from spotter.errors import BadInputError, ModelError
from spotter.frontend import Frontend
from spotter.network import Backend, Network, open_network
from spotter.settings import SPEECH_EMBEDDING, FrontendConfig
from spotter.stream_form import ManyHops, Shared, StreamForm
from spotter.stream_graph import stream_graph
from spotter.tflite import read_graph
from spotter.tflite_write import write_graph

GOOGLE: Final = "google-speech-embedding"
STUDENT: Final = "student"  # our own, taught by the other: for systems on which that has no package
INSTALL: Final = "pip install 'spotter-kws[words]'"
_TOGETHER: Final = 10  # embeddings of a call, where audio waits


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A backbone's file and its sizes."""

    package: str
    path: str  # inside the package
    stream: bool  # whether the file is a stream form
    sha256: str
    size: int
    step_frames: int
    context_frames: int  # that one embedding depends on; whole groups of the front-end
    frontend: FrontendConfig


_KNOWN: Final[Mapping[str, _Known]] = {
    GOOGLE: _Known(
        package="pyopen_wakeword",
        path="models/embedding_model.tflite",
        stream=False,
        sha256="c0aea21eb84a4ce90a08c870da41b7a7173b45269e6a3207c71d67c40f3a59d8",
        size=96,
        step_frames=8,
        context_frames=80,  # 76, and the four before them whose loudest limits the first ones' range
        frontend=SPEECH_EMBEDDING,
    ),
    STUDENT: _Known(
        package="spotter",
        path="data/student.tflite",
        stream=True,
        sha256="3a55d1e9736eb06c409ba6803489317da8b3478b1645713927e84e398e4a5c98",
        size=96,
        step_frames=8,
        context_frames=160,  # 153, to whole steps
        frontend=FrontendConfig(),
    ),
}
BACKBONES: Final = tuple(_KNOWN)  # their names


class Backbone:
    """An embedding that was found and checked; `open_backbone` makes one.

    Attributes
    ----------
    name, sha256 : str
        What a model's manifest says of it.
    size : int
        Numbers in an embedding.
    frontend : FrontendConfig
        Its frames.
    step, context : int
        Samples between two embeddings, and that one depends on.
    """

    def __init__(self, name: str, known: _Known, data: bytes, backend: Backend) -> None:
        self.name, self.sha256, self.backend = name, known.sha256, backend
        self.size, self.frontend = known.size, known.frontend
        self.step_frames, self.context_frames = known.step_frames, known.context_frames
        self.step = known.step_frames * known.frontend.hop_samples
        self.context = known.frontend.samples_for(known.context_frames)
        self._data, self._graph = data, None if known.stream else read_graph(data)
        self._many: dict[int, ManyHops] = {}
        self._shared: dict[int, StreamForm] = {}
        self._whole: tuple[Frontend, StreamForm, StreamForm] | None = None

    def network(self, frames: int) -> Network:
        """Open the stream form for so many new frames a call: frames and state to embeddings and state."""
        if self._graph is None:
            return open_network(self._data, self.backend, frames)
        return open_network(write_graph(stream_graph(self._graph, frames)), self.backend)

    def form(self, hop_frames: int) -> StreamForm:
        """Open a stream of calls of so many frames."""
        return StreamForm(self.network(hop_frames), hop_frames)

    def shared_form(self, hop_frames: int) -> StreamForm:
        """Return a form that any number of streams take turns on."""
        if hop_frames not in self._shared:
            self._shared[hop_frames] = StreamForm(Shared(self.network(hop_frames)), hop_frames)
        return self._shared[hop_frames]

    def many(self, hop_frames: int) -> ManyHops:
        """Return what takes several hops in one call, shared by all streams; see `ManyHops`."""
        hops = max(2, _TOGETHER * self.step_frames // hop_frames)
        return self._many.setdefault(hop_frames, ManyHops(self.network, hop_frames, hops))

    def embed(self, samples: Floats) -> Floats:
        """Embed a recording.

        Parameters
        ----------
        samples : float32, shape (samples,)
            At 16 kHz, full scale -1..1.

        Returns
        -------
        float32, shape (n, size)
            Number i depends on the samples from i x step to i x step + context; n is how many lie wholly inside.
        """
        if self._whole is None:
            self._whole = Frontend(self.frontend), self.form(self.step_frames), self.form(_TOGETHER * self.step_frames)
        frontend, one, many = self._whole
        frames = frontend(np.ascontiguousarray(samples, np.float32))
        frames = frames[: len(frames) - len(frames) % self.step_frames]
        rows, state, at = [np.empty((0, self.size), np.float32)], one.silence, 0
        while at < len(frames):
            form = many if len(frames) - at >= many.frames else one
            found, state = form.advance(frames[at : at + form.frames], state)
            rows.append(found)
            at += form.frames
        return np.concatenate(rows)[-(-self.context_frames // self.step_frames) - 1 :]


def open_backbone(name: str = "auto", *, backend: str = "auto") -> Backbone:
    """Find a backbone and check its file.

    Parameters
    ----------
    name : str
        "auto" takes the best one that is installed.
    backend : {"auto", "litert", "numpy"}
        What computes it.

    Raises
    ------
    ModelError
        It is not installed, or a byte of its file is not as it was published.
    BadInputError
        There is no such backbone.
    """
    if name == "auto":
        name = GOOGLE if importlib.util.find_spec(_KNOWN[GOOGLE].package) else STUDENT
    if name not in _KNOWN:
        raise BadInputError(f"there is no backbone called {name!r}; give one of {', '.join(_KNOWN)}")
    known = _KNOWN[name]
    return Backbone(name, known, _read(name, known), litert.choose(backend))


def _read(name: str, known: _Known) -> bytes:
    spec = importlib.util.find_spec(known.package)  # finds it without importing it
    if spec is None or spec.origin is None:
        raise ModelError(f"the backbone {name} needs the package {known.package}, which is missing; {INSTALL}")
    path = Path(spec.origin).parent / known.path
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise ModelError(f"{path} cannot be read ({problem.strerror}); install it again: {INSTALL}") from problem
    if hashlib.sha256(data).hexdigest() != known.sha256:
        raise ModelError(f"{path} is not the file that was published: its SHA-256 differs; install it again: {INSTALL}")
    return data
