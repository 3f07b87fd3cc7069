"""MatchboxNet-3x1x64: separable convolutions over time, long kernels, residual blocks.

Source: Majumdar and Ginsburg 2020, "MatchboxNet: 1D Time-Channel Separable Convolutional Neural
Network Architecture for Speech Commands Recognition" (arXiv:2004.08531; NVIDIA NeMo, Apache-2.0).
The paper has 64 cepstra per frame, padded to 128 frames; here are 40 bands and 98 frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from train.networks.whole import WholeWindow, conv, depthwise, judged, scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchboxNet(WholeWindow):
    """B x R x C of the paper: blocks (one for each kernel), repeats, width."""

    kernels: tuple[int, ...] = (13, 15, 17)  # frames
    repeats: int = 1
    width: int = 64
    outer: int = 128  # width of the layers before and after the blocks

    def build(self, frames: int | None, bins: int, labels: int, *, dropout: float = 0.1) -> keras.Model:
        """Frames (batch, 98, bins) to logits (batch, 1, labels)."""
        inputs = layers.Input((frames or self.context_frames, bins), name="frames")
        x = layers.Reshape((inputs.shape[1], 1, bins))(scaled(inputs))
        x = layers.SpatialDropout2D(dropout)(_separable(x, self.outer, 11))
        for kernel in self.kernels:
            skip = conv(x, self.width, 1, relu=False)
            for repeat in range(self.repeats):
                last = repeat == self.repeats - 1
                x = _separable(x, self.width, kernel, relu=not last)
            x = layers.SpatialDropout2D(dropout)(layers.ReLU()(layers.Add()([x, skip])))
        x = _separable(x, self.outer, 29, dilation=2)
        x = layers.GlobalAveragePooling2D()(conv(x, self.outer, 1))
        return keras.Model(inputs, judged(x, labels), name="matchboxnet")


def _separable(x: Any, width: int, kernel: int, *, dilation: int = 1, relu: bool = True) -> Any:
    return conv(depthwise(x, (kernel, 1), dilation_rate=(dilation, 1)), width, 1, relu=relu)
