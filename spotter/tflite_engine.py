"""What scores frames for a model whose network is a .tflite file: its window form, and its stream form if any."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from spotter.arrays import Floats
from spotter.errors import ModelError
from spotter.manifest import STREAM_NETWORK, WINDOW_NETWORK, Manifest
from spotter.network import Backend, Network, open_network
from spotter.scorers import Scorer, StreamScorer, WindowScorer
from spotter.settings import SAMPLE_RATE
from spotter.stream_form import ManyHops, Shared, StreamForm
from spotter.tflite import Shapes, fits, read_shapes

_STREAM_RANKS: Final = {2, 3}
_MANY_HOPS_S: Final = 0.5  # of audio that the stream form takes in one call, where so much waits


class TfliteEngine:
    """Networks of one model folder.

    Parameters
    ----------
    folder : Path
        Named in messages.
    manifest : Manifest
        What the networks must fit.
    files : mapping of str to bytes
        The folder's files, checked.
    network : str
        The file whose window form is meant; only the usual one has a stream form.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, files: Mapping[str, bytes], backend: Backend, network: str
    ) -> None:
        if network not in files:
            raise ModelError(f"{folder} has no {network} (found: {', '.join(files)}); give one of these")
        self._folder, self._backend = folder, backend
        self._frontend, self._labels = manifest.frontend, len(manifest.labels)
        self._context_frames = manifest.frontend.frames_in(manifest.context)
        self._stride = manifest.step // manifest.frontend.hop_samples
        self._window_data = files[network]
        self._stream_data = files.get(STREAM_NETWORK) if network == WINDOW_NETWORK else None
        self._check_window(network, read_shapes(self._window_data))
        if self._stream_data is not None:
            self._check_stream(read_shapes(self._stream_data))
        self._whole: Network | None = None
        self._many_hops: dict[int, ManyHops] = {}  # by the frames of a hop
        self._shared: dict[int, StreamForm] = {}  # likewise
        self._shared_whole: Network | None = None

    def rows(self, frames: Floats) -> Floats:
        """Scores of all windows in a recording's frames, one each step, each window computed whole.

        Parameters
        ----------
        frames : float32, shape (frames, bins)
            At least those of a window.

        Returns
        -------
        float32, shape (windows, labels)
        """
        if self._whole is None:
            self._whole = open_network(self._window_data, self._backend)
        starts = range(0, len(frames) - self._context_frames + 1, self._stride)
        size = self._context_frames
        return np.stack([self._whole.run(frames[np.newaxis, at : at + size])[0][0].copy() for at in starts])

    def window_scorer(self) -> Scorer:
        """Make a scorer that computes whole windows."""
        return WindowScorer(open_network(self._window_data, self._backend))

    def scorer(self, hop_frames: int, *, shared: bool = False) -> Scorer:
        """Make a scorer for one stream of such hops, on a network of its own or on one that all take turns on."""
        if self._stream_data is None:
            return self._turns() if shared else self.window_scorer()
        opened = partial(open_network, self._stream_data, self._backend)
        hops = round(_MANY_HOPS_S * SAMPLE_RATE / (hop_frames * self._frontend.hop_samples))
        many = self._many_hops.setdefault(hop_frames, ManyHops(opened, hop_frames, hops)) if hops > 1 else None
        if not shared:
            return StreamScorer(StreamForm(opened(hop_frames), hop_frames), self._context_frames, many)
        if hop_frames not in self._shared:
            self._shared[hop_frames] = StreamForm(Shared(opened(hop_frames)), hop_frames)
        return StreamScorer(self._shared[hop_frames], self._context_frames, many)

    def _turns(self) -> Scorer:
        if self._shared_whole is None:
            self._shared_whole = Shared(open_network(self._window_data, self._backend))
        return WindowScorer(self._shared_whole)

    def _check_window(self, network: str, shapes: Shapes) -> None:
        wanted = ((1, self._context_frames, self._frontend.bins),), ((1, self._labels),)
        if not _all_fit(shapes.inputs, wanted[0]) or not _all_fit(shapes.outputs, wanted[1]):
            raise self._misfit(network, shapes, f"{wanted[0]} to {wanted[1]}")

    def _check_stream(self, shapes: Shapes) -> None:
        inputs, outputs = _by_rank(shapes.inputs), _by_rank(shapes.outputs)
        if (
            set(inputs) != _STREAM_RANKS
            or set(outputs) != _STREAM_RANKS
            or len(shapes.inputs) != len(inputs)
            or len(shapes.outputs) != len(outputs)
            or inputs[3][1] != -1
            or not fits(inputs[3], (1, -1, self._frontend.bins))
            or not fits(outputs[3], (1, -1, self._labels))
            or inputs[2] != outputs[2]
            or inputs[2][0] != 1
            or inputs[2][1] < 0
        ):
            wanted = f"frames (1, -1, {self._frontend.bins}) and state (1, S) to (1, -1, {self._labels}) and (1, S)"
            raise self._misfit(STREAM_NETWORK, shapes, wanted)

    def _misfit(self, file: str, shapes: Shapes, wanted: str) -> ModelError:
        return ModelError(
            f"{self._folder / file} takes {shapes.inputs} to {shapes.outputs}, but the manifest's labels, front-end "
            f"and context ask for {wanted}; export the model again"
        )


def _all_fit(shapes: tuple[tuple[int, ...], ...], wanted: tuple[tuple[int, ...], ...]) -> bool:
    return len(shapes) == len(wanted) and all(fits(a, b) for a, b in zip(shapes, wanted, strict=True))


def _by_rank(shapes: tuple[tuple[int, ...], ...]) -> dict[int, tuple[int, ...]]:
    return {len(shape): shape for shape in shapes}
