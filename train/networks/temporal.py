"""A compact temporal convolutional network that never pads in time.

One second of frames through a strided convolution and four residual blocks of depthwise-separable
convolutions (the shape of TC-ResNet, Choi et al. 2019, and MatchboxNet, Majumdar and Ginsburg
2020), then a depthwise convolution over the outputs of the last half second: a learned smoothing.
Because nothing pads, the window form and the stream form are the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from train.networks import stem
from train.networks.parts import Folded, Kept, beside, norm


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
            x = stem.build(x, self.stem, self.stride, norm)
            x = layers.Conv1D(self.width, 1, use_bias=False, name="first")(x)
        else:
            x = layers.Conv1D(self.width, self.kernel, strides=self.stride, use_bias=False, name="first")(x)
        x = layers.ReLU(name="first_relu")(norm("first_norm")(x))
        for at, dilation in enumerate(self.dilations):
            skip = layers.Cropping1D((self.kernel - 1) * dilation, name=f"b{at}_crop")(x)
            for half in "ab":
                x = layers.DepthwiseConv1D(
                    self.kernel, dilation_rate=dilation, use_bias=False, name=f"b{at}{half}_depth"
                )(x)
                x = layers.Conv1D(self.width, 1, use_bias=False, name=f"b{at}{half}_point")(x)
                x = norm(f"b{at}{half}_norm")(x)
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


def inference(sizes: Temporal, trained: keras.Model) -> keras.Model:
    """Window form: (1, context, bins) to softmax scores (1, labels); normalisation folded in."""
    frames = layers.Input((sizes.context_frames, trained.input_shape[-1]), batch_size=1, name="frames")
    x = _applied(sizes, Folded(trained), frames, lambda _name, value, _keep: value)
    return keras.Model(frames, layers.Reshape((x.shape[-1],), name="scores")(x), name="window")


def streaming(sizes: Temporal, trained: keras.Model) -> keras.Model:
    """Stream form: new frames (1, n, bins) and state (1, S) to scores (1, outputs, labels) and new state.

    Each convolution keeps the inputs that its next outputs still need.
    """
    bins = trained.input_shape[-1]
    k, width = sizes.kernel, sizes.width
    first = stem.kept(sizes.stem, bins, sizes.stride) if sizes.stem else {"first": (k - sizes.stride, bins)}
    shapes: dict[str, tuple[int, ...]] = {**first, "smoothing": (sizes.smoothing - 1, width)}
    for at, dilation in enumerate(sizes.dilations):
        for half in "ab":
            shapes[f"b{at}{half}_depth"] = ((k - 1) * dilation, width)
    frames = layers.Input((None, bins), batch_size=1, name="frames")
    kept = Kept(shapes)
    scores = _applied(sizes, Folded(trained), frames, kept.extend)
    return keras.Model([frames, kept.before], [scores, kept.after()], name="stream")


def _applied(sizes: Temporal, folded: Folded, frames: Any, extend: Any) -> Any:
    """Run the layers; `extend` puts kept inputs before new ones."""
    k = sizes.kernel
    x = layers.Rescaling(1 / 4, offset=2.0)(frames)
    if sizes.stem:
        x = stem.apply(x, extend, folded.conv_2d, stride=sizes.stride)
        x = folded.conv(x, "first", "first_norm", relu=True)
    else:
        x = extend("first", x, k - sizes.stride)
        x = folded.conv(x, "first", "first_norm", relu=True, strides=sizes.stride)
    for at, dilation in enumerate(sizes.dilations):
        keep = (k - 1) * dilation
        a = extend(f"b{at}a_depth", x, keep)
        y = folded.depth(a, f"b{at}a_depth", dilation=dilation)
        y = folded.conv(y, f"b{at}a_point", f"b{at}a_norm", relu=True)
        y = folded.depth(extend(f"b{at}b_depth", y, keep), f"b{at}b_depth", dilation=dilation)
        y = folded.conv(y, f"b{at}b_point", f"b{at}b_norm", relu=False)
        x = layers.ReLU()(layers.Add()([y, beside(x, a, keep)]))
    x = folded.depth(extend("smoothing", x, sizes.smoothing - 1), "smoothing")
    x = folded.conv(x, "logits", None, relu=False)
    return layers.Softmax(name="softmax")(x)
