"""The candidates, one file each with its source; the registry names them for recipes.

A network is a frozen dataclass of sizes. Its `build` makes the Keras model that is trained, on frames
(batch, frames, bins) to logits (batch, outputs, labels); `inference` and `streaming` make of a trained
one the forms that are exported.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from spotter.errors import BadInputError

if TYPE_CHECKING:
    import keras

# Name in recipes: the class, in the module of that name, and what it is.
NETWORKS: dict[str, tuple[str, str]] = {
    "temporal": ("Temporal", "temporal convolutions that never pad, learned smoothing; streams (ours)"),
    "tutorial": ("Tutorial", "the CNN of TensorFlow's audio tutorial, on its own spectrogram"),
    "ds_cnn": ("DsCnn", "DS-CNN, Zhang et al. 2017"),
    "tc_resnet": ("TcResnet", "TC-ResNet8, Choi et al. 2019"),
    "matchboxnet": ("MatchboxNet", "MatchboxNet-3x1x64, Majumdar and Ginsburg 2020"),
    "bc_resnet": ("BcResnet", "BC-ResNet-1, Kim et al. 2021"),
}


class Network(Protocol):
    """What every network offers; lengths in frames of the front-end."""

    @property
    def window_frames(self) -> int:
        """Frames that one look at a word takes."""

    @property
    def context_frames(self) -> int:
        """Frames before its end that a score depends on."""

    @property
    def step_frames(self) -> int:
        """Frames between two scores; hops are multiples of it."""

    def build(self, frames: int | None, bins: int, labels: int, *, dropout: float = ...) -> keras.Model:
        """Make the model to train: frames (batch, frames, bins) to logits (batch, outputs, labels).

        frames : None leaves their number open where the network can, else it is `context_frames`.
        """

    def inference(self, trained: keras.Model) -> keras.Model:
        """Make the window form: frames (1, context, bins) to softmax scores (1, labels)."""

    def streaming(self, trained: keras.Model) -> keras.Model | None:
        """Make the stream form, new frames and state in, scores and state out; None where there is none."""


def network(name: str, options: Mapping[str, Any]) -> Network:
    """Return the sizes of a network; lists, as TOML has them, are taken as tuples."""
    if name not in NETWORKS:
        raise BadInputError(f"no network called {name!r}; there are: {', '.join(NETWORKS)}")
    cls = getattr(importlib.import_module(f"train.networks.{name}"), NETWORKS[name][0])
    known = [f.name for f in dataclasses.fields(cls)]
    for option in options:
        if option not in known:
            raise BadInputError(f"network {name!r} has no option {option!r}; known are {', '.join(known)}")
    return cast("Network", cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}))


def judgements(sizes: Network, wanted: int) -> int:
    """How many outputs a training sequence has: one for a network that sees one whole window, else as wanted."""
    from train.networks.whole import WholeWindow

    return 1 if isinstance(sizes, WholeWindow) else wanted
