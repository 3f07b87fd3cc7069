"""A compact temporal convolutional network that never pads in time.

One second of frames through a strided convolution and four residual blocks of depthwise-separable
convolutions (the shape of TC-ResNet, Choi et al. 2019, and MatchboxNet, Majumdar and Ginsburg
2020), then a depthwise convolution over the outputs of the last half second: a learned smoothing.
Because nothing pads, the window form and the stream form are the same numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from train.networks import stem


@dataclass(frozen=True, slots=True, kw_only=True)
class Temporal:
    """The network's sizes; all lengths are in frames or in outputs (one each `stride` frames)."""

    width: int = 96
    kernel: int = 5
    stride: int = 2
    dilations: tuple[int, ...] = (1, 1, 2, 2)
    smoothing: int = 25  # outputs
    dropout: float = 0.1  # of whole channels, before the smoothing
    stem: int = 0  # channels of two-dimensional first layers; 0: one convolution over all bins

    @property
    def window_frames(self) -> int:
        """Frames that one output of the convolutions sees."""
        k = self.kernel
        return k + self.stride * (sum(2 * (k - 1) * d for d in self.dilations) + (stem.FRAMES if self.stem else 0))

    @property
    def context_frames(self) -> int:
        """Frames that a score depends on, learned smoothing included."""
        return self.window_frames + self.stride * (self.smoothing - 1)

    @property
    def step_frames(self) -> int:
        """Frames between two outputs."""
        return self.stride

    def build(self, frames: int | None, bins: int, labels: int, *, dropout: float | None = None) -> keras.Model:
        """Frames (batch, frames, bins) to logits (batch, outputs, labels)."""
        dropout = self.dropout if dropout is None else dropout
        x = inputs = layers.Input((frames, bins), name="frames")
        # Log-mel values lie between -14 and 6; this brings them to about -1.5..3.
        x = layers.Rescaling(1 / 4, offset=2.0, name="scale")(x)
        if self.stem:
            x = stem.build(x, self.stem, self.stride, _norm)
            x = layers.Conv1D(self.width, 1, use_bias=False, name="first")(x)
        else:
            x = layers.Conv1D(self.width, self.kernel, strides=self.stride, use_bias=False, name="first")(x)
        x = layers.ReLU(name="first_relu")(_norm("first_norm")(x))
        for at, dilation in enumerate(self.dilations):
            skip = layers.Cropping1D((self.kernel - 1) * dilation, name=f"b{at}_crop")(x)
            for half in "ab":
                x = layers.DepthwiseConv1D(
                    self.kernel, dilation_rate=dilation, use_bias=False, name=f"b{at}{half}_depth"
                )(x)
                x = layers.Conv1D(self.width, 1, use_bias=False, name=f"b{at}{half}_point")(x)
                x = _norm(f"b{at}{half}_norm")(x)
                if half == "a":
                    x = layers.ReLU(name=f"b{at}a_relu")(x)
            x = layers.ReLU(name=f"b{at}_relu")(layers.Add(name=f"b{at}_add")([x, skip]))
        x = layers.SpatialDropout1D(dropout, name="dropout")(x)
        x = layers.DepthwiseConv1D(
            self.smoothing, depthwise_initializer=keras.initializers.Constant(1 / self.smoothing), name="smoothing"
        )(x)
        x = layers.Conv1D(labels, 1, name="logits")(x)
        return keras.Model(inputs, x, name="temporal")

    def inference(self, trained: keras.Model) -> keras.Model:
        """Window form: (1, context, bins) to softmax scores (1, labels)."""
        return inference(self, trained)

    def streaming(self, trained: keras.Model) -> keras.Model:
        """Stream form: new frames and state to scores and new state."""
        return streaming(self, trained)


def _norm(name: str) -> Any:
    return layers.BatchNormalization(momentum=0.98, name=name)


def inference(sizes: Temporal, trained: keras.Model) -> keras.Model:
    """Window form: (1, context, bins) to softmax scores (1, labels); normalisation folded in."""
    frames = layers.Input((sizes.context_frames, trained.input_shape[-1]), batch_size=1, name="frames")
    x = _Parts(sizes, trained).apply(
        frames, lambda _name, value, _keep: value, lambda value, crop: value[:, crop:-crop]
    )
    return keras.Model(frames, layers.Reshape((x.shape[-1],), name="scores")(x), name="window")


def streaming(sizes: Temporal, trained: keras.Model) -> keras.Model:
    """Stream form: new frames (1, n, bins) and state (1, S) to scores (1, outputs, labels) and new state.

    Each convolution keeps the inputs that its next outputs still need; all of them lie flat in one vector.
    """
    bins = trained.input_shape[-1]
    k, width = sizes.kernel, sizes.width
    first = stem.kept(sizes.stem, bins, sizes.stride) if sizes.stem else {"first": (k - sizes.stride, bins)}
    kept: dict[str, tuple[int, ...]] = {**first, "smoothing": (sizes.smoothing - 1, width)}
    for at, dilation in enumerate(sizes.dilations):
        for half in "ab":
            kept[f"b{at}{half}_depth"] = ((k - 1) * dilation, width)
    offsets, total = {}, 0
    for name, shape in kept.items():
        offsets[name] = total
        total += math.prod(shape)
    # A fixed batch keeps the converter from writing shape arithmetic; the runtime sizes the frames.
    frames = layers.Input((None, bins), batch_size=1, name="frames")
    state = layers.Input((total,), batch_size=1, name="state")
    after: dict[str, Any] = {}

    def extend(name: str, value: Any, keep: int) -> Any:
        shape = kept[name]
        size = math.prod(shape)
        assert shape[0] == keep  # noqa: S101 - the sizes above and those of the layers are one thing
        old = layers.Reshape(shape)(state[:, offsets[name] : offsets[name] + size])
        value = layers.Concatenate(axis=1)([old, value])
        after[name] = layers.Reshape((size,))(value[:, -keep:])
        return value

    scores = _Parts(sizes, trained).apply(frames, extend, lambda value, crop: value[:, : -2 * crop])
    new = layers.Concatenate(axis=1, name="new_state")([after[name] for name in kept])
    return keras.Model([frames, state], [scores, new], name="stream")


class _Parts:
    """The trained layers with normalisation folded into the convolutions before it."""

    def __init__(self, sizes: Temporal, trained: keras.Model) -> None:
        self._sizes, self._trained = sizes, trained

    def apply(self, frames: Any, extend: Any, crop: Any) -> Any:
        """Run the layers; `extend` puts kept inputs before new ones, `crop` aligns a skip connection."""
        sizes = self._sizes
        k = sizes.kernel
        x = layers.Rescaling(1 / 4, offset=2.0)(frames)
        if sizes.stem:
            x = stem.apply(x, extend, crop, self._conv_2d, stride=sizes.stride)
            x = self._conv(x, "first", "first_norm", relu=True)
        else:
            x = extend("first", x, k - sizes.stride)
            x = self._conv(x, "first", "first_norm", relu=True, strides=sizes.stride)
        for at, dilation in enumerate(sizes.dilations):
            keep = (k - 1) * dilation
            a = extend(f"b{at}a_depth", x, keep)
            y = self._depth(a, f"b{at}a_depth", dilation)
            y = self._conv(y, f"b{at}a_point", f"b{at}a_norm", relu=True)
            y = extend(f"b{at}b_depth", y, keep)
            y = self._depth(y, f"b{at}b_depth", dilation)
            y = self._conv(y, f"b{at}b_point", f"b{at}b_norm", relu=False)
            skip = crop(a, keep) if a is x else a[:, :-keep]
            x = layers.ReLU()(layers.Add()([y, skip]))
        x = extend("smoothing", x, sizes.smoothing - 1)
        x = self._depth(x, "smoothing", 1)
        x = self._conv(x, "logits", None, relu=False)
        return layers.Softmax(name="softmax")(x)

    def _conv(self, x: Any, name: str, norm: str | None, *, relu: bool, strides: int = 1) -> Any:
        kernel, bias = self._folded(name, norm)
        layer = layers.Conv1D(
            kernel.shape[-1], kernel.shape[0], strides=strides, activation="relu" if relu else None, name=name
        )
        return _with_weights(layer, x, kernel, bias)

    def _conv_2d(self, x: Any, name: str, *, relu: bool, strides: tuple[int, int] = (1, 1)) -> Any:
        kernel, bias = self._folded(name, f"{name}_norm")
        layer = layers.Conv2D(
            kernel.shape[-1], kernel.shape[:2], strides=strides, activation="relu" if relu else None, name=name
        )
        return _with_weights(layer, x, kernel, bias)

    def _folded(self, name: str, norm: str | None) -> tuple[Any, Any]:
        """Kernel and bias of a convolution with the normalisation after it."""
        source = self._trained.get_layer(name)
        kernel = source.get_weights()[0].astype("float64")
        if norm is None:
            bias = source.get_weights()[1]
        else:
            gamma, beta, mean, variance = (w.astype("float64") for w in self._trained.get_layer(norm).get_weights())
            scale = gamma / np.sqrt(variance + self._trained.get_layer(norm).epsilon)
            kernel, bias = kernel * scale, beta - mean * scale
        return kernel.astype("float32"), np.asarray(bias, "float32")

    def _depth(self, x: Any, name: str, dilation: int) -> Any:
        kernel, *bias = self._trained.get_layer(name).get_weights()
        # Holes as zeros: of a dilated convolution over frames of any number the converter makes a
        # dozen operations, which cost more than these few multiplications.
        wide = np.zeros(((kernel.shape[0] - 1) * dilation + 1, *kernel.shape[1:]), np.float32)
        wide[::dilation] = kernel
        return _with_weights(layers.DepthwiseConv1D(len(wide), use_bias=bool(bias), name=name), x, wide, *bias)


def _with_weights(layer: Any, x: Any, *weights: Any) -> Any:
    y = layer(x)
    layer.set_weights(list(weights))
    return y
