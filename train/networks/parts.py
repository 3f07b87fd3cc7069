"""What the exported forms are made of: layers with normalisation folded in, and the inputs that a stream keeps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers


def norm(name: str) -> Any:
    """Batch normalisation that follows short runs, too."""
    return layers.BatchNormalization(momentum=0.98, name=name)


class Folded:
    """The trained layers with normalisation folded into the convolutions before it."""

    def __init__(self, trained: keras.Model) -> None:
        self._trained = trained

    def conv(self, x: Any, name: str, norm: str | None, *, relu: bool, strides: int = 1) -> Any:
        """Convolution over time."""
        kernel, bias = self._weights(name, norm)
        layer = layers.Conv1D(
            kernel.shape[-1], kernel.shape[0], strides=strides, activation="relu" if relu else None, name=name
        )
        return _with(layer, x, kernel, bias)

    def conv_2d(self, x: Any, name: str, *, relu: bool, strides: tuple[int, int] = (1, 1)) -> Any:
        """Convolution over time and bands; its normalisation is called `NAME_norm`."""
        kernel, bias = self._weights(name, f"{name}_norm")
        layer = layers.Conv2D(
            kernel.shape[-1], kernel.shape[:2], strides=strides, activation="relu" if relu else None, name=name
        )
        return _with(layer, x, kernel, bias)

    def depth(self, x: Any, name: str, *, dilation: int = 1, strides: int = 1) -> Any:
        """Convolution of each channel over time."""
        kernel, *bias = self._trained.get_layer(name).get_weights()
        # Holes as zeros: of a dilated convolution over frames of any number the converter makes a
        # dozen operations, which cost more than these few multiplications.
        wide = np.zeros(((kernel.shape[0] - 1) * dilation + 1, *kernel.shape[1:]), np.float32)
        wide[::dilation] = kernel
        layer = layers.DepthwiseConv1D(len(wide), strides=strides, use_bias=bool(bias), name=name)
        return _with(layer, x, wide, *bias)

    def _weights(self, name: str, norm: str | None) -> tuple[Any, Any]:
        source = self._trained.get_layer(name)
        kernel = source.get_weights()[0].astype("float64")
        if norm is None:
            bias = source.get_weights()[1]
        else:
            gamma, beta, mean, variance = (w.astype("float64") for w in self._trained.get_layer(norm).get_weights())
            scale = gamma / np.sqrt(variance + self._trained.get_layer(norm).epsilon)
            kernel, bias = kernel * scale, beta - mean * scale
        return kernel.astype("float32"), np.asarray(bias, "float32")


class Kept:
    """Inputs that a stream's convolutions still need; all of them lie flat in one vector.

    Parameters
    ----------
    shapes : mapping of str to tuple
        Of each layer: how many frames of its input it keeps, and their shape.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._shapes = shapes
        # A fixed batch keeps the converter from writing shape arithmetic; the runtime sizes the frames.
        self.before = layers.Input((sum(map(math.prod, shapes.values())),), batch_size=1, name="state")
        self._offsets, total = {}, 0
        for name, shape in shapes.items():
            self._offsets[name] = total
            total += math.prod(shape)
        self._after: dict[str, Any] = {}

    def extend(self, name: str, value: Any, keep: int) -> Any:
        """Put the kept inputs of a layer before its new ones, and keep the last."""
        shape, at = self._shapes[name], self._offsets[name]
        assert shape[0] == keep  # noqa: S101 - the sizes above and those of the layers are one thing
        old = layers.Reshape(shape)(self.before[:, at : at + math.prod(shape)])
        value = layers.Concatenate(axis=1)([old, value])
        self._after[name] = layers.Reshape((math.prod(shape),))(value[:, -keep:])
        return value

    def after(self) -> Any:
        """Return the next state."""
        return layers.Concatenate(axis=1, name="new_state")([self._after[name] for name in self._shapes])


def beside(x: Any, extended: Any, keep: int) -> Any:
    """What stands beside two convolutions that each take `keep` frames: as much of their input as of their output.

    x, extended : the input of the first, and the same with what was kept before it (in a window: nothing)
    """
    return x[:, keep:-keep] if extended is x else extended[:, :-keep]


def _with(layer: Any, x: Any, *weights: Any) -> Any:
    y = layer(x)
    layer.set_weights(list(weights))
    return y
