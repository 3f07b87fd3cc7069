"""A student of the speech embedding: the same numbers for every 80 ms, at a fraction of the work.

Two-dimensional first layers (`stem`), then blocks of depthwise-separable convolutions over time that halve the rate
twice: 20, 40, 80 ms. Nothing pads in time, so that it runs as a stream. It hears the frames of the shipped model, which
the two may share.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from train.networks import stem
from train.networks.parts import Folded, Kept, norm

_STRIDE = 2  # of the first layer, and of each block that halves the rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """Sizes; a block is its kernel, and whether it halves the rate."""

    width: int = 128
    stem: int = 16
    blocks: tuple[tuple[int, bool], ...] = ((5, False), (5, True), (3, False), (5, True), (3, False))

    @property
    def step_frames(self) -> int:
        """Frames between two embeddings."""
        return int(_STRIDE * 2 ** sum(halves for _, halves in self.blocks))

    @property
    def context_frames(self) -> int:
        """Frames that an embedding depends on."""
        frames, rate = 5 + _STRIDE * stem.FRAMES, _STRIDE
        for kernel, halves in self.blocks:
            frames += (kernel - 1) * rate
            rate *= 2 if halves else 1
            frames += (kernel - 1) * rate
        return frames

    def build(self, frames: int | None, bins: int, size: int) -> keras.Model:
        """Frames (batch, frames, bins) to embeddings (batch, n, size), standardised."""
        x = inputs = layers.Input((frames, bins), name="frames")
        x = stem.build(layers.Rescaling(1 / 4, offset=2.0, name="scale")(x), self.stem, _STRIDE, norm)
        x = layers.ReLU()(norm("first_norm")(layers.Conv1D(self.width, 1, use_bias=False, name="first")(x)))
        for at, (kernel, halves) in enumerate(self.blocks):
            y = layers.DepthwiseConv1D(kernel, strides=2 if halves else 1, use_bias=False, name=f"b{at}a_depth")(x)
            y = layers.Conv1D(self.width, 1, use_bias=False, name=f"b{at}a_point")(y)
            y = layers.ReLU()(norm(f"b{at}a_norm")(y))
            y = layers.DepthwiseConv1D(kernel, use_bias=False, name=f"b{at}b_depth")(y)
            y = norm(f"b{at}b_norm")(layers.Conv1D(self.width, 1, use_bias=False, name=f"b{at}b_point")(y))
            if not halves:
                y = layers.Add()([y, layers.Cropping1D(kernel - 1, name=f"b{at}_crop")(x)])
            x = layers.ReLU()(y)
        x = layers.Conv1D(size, 1, name="embedding")(x)
        return keras.Model(inputs, x, name="student")

    def streaming(self, trained: keras.Model) -> keras.Model:
        """Stream form: new frames (1, n, bins) and state (1, S) to embeddings (1, m, size) and new state."""
        bins = trained.input_shape[-1]
        shapes: dict[str, tuple[int, ...]] = dict(stem.kept(self.stem, bins, _STRIDE))
        for at, (kernel, halves) in enumerate(self.blocks):
            shapes[f"b{at}a_depth"] = (kernel - (2 if halves else 1), self.width)
            shapes[f"b{at}b_depth"] = (kernel - 1, self.width)
        frames = layers.Input((None, bins), batch_size=1, name="frames")
        folded, kept = Folded(trained), Kept(shapes)
        x = stem.apply(layers.Rescaling(1 / 4, offset=2.0)(frames), kept.extend, folded.conv_2d, stride=_STRIDE)
        x = folded.conv(x, "first", "first_norm", relu=True)
        for at, (kernel, halves) in enumerate(self.blocks):
            a = kept.extend(f"b{at}a_depth", x, shapes[f"b{at}a_depth"][0])
            y = folded.depth(a, f"b{at}a_depth", strides=2 if halves else 1)
            y = folded.conv(y, f"b{at}a_point", f"b{at}a_norm", relu=True)
            y = folded.depth(kept.extend(f"b{at}b_depth", y, kernel - 1), f"b{at}b_depth")
            y = folded.conv(y, f"b{at}b_point", f"b{at}b_norm", relu=False)
            if not halves:
                y = layers.Add()([y, a[:, : -(kernel - 1)]])
            x = layers.ReLU()(y)
        x = folded.conv(x, "embedding", None, relu=False)
        return keras.Model([frames, kept.before], [x, kept.after()], name="stream")
