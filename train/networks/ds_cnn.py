"""DS-CNN, small: depthwise-separable convolutions over time and frequency.

Source: Zhang, Suda, Lai and Chandra 2017, "Hello Edge: Keyword Spotting on Microcontrollers"
(arXiv:1711.07128), size S; MLPerf Tiny's keyword model is the same but for its front-end. The paper
has 49 x 10 cepstra and a first stride of 2 x 2; of 98 x 40 log-mel values a stride of 4 x 4 leaves the
same 25 steps in time and keeps the cost that the paper is about.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from train.networks.whole import WholeWindow, conv, depthwise, judged, norm, scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class DsCnn(WholeWindow):
    """The sizes of DS-CNN S."""

    width: int = 64
    blocks: int = 4
    first_kernel: tuple[int, int] = (10, 4)  # frames, bands
    first_stride: tuple[int, int] = (4, 4)

    def build(self, frames: int | None, bins: int, labels: int, *, dropout: float = 0.2) -> keras.Model:
        """Frames (batch, 98, bins) to logits (batch, 1, labels)."""
        inputs = layers.Input((frames or self.context_frames, bins), name="frames")
        x = layers.Reshape((*inputs.shape[1:], 1))(scaled(inputs))
        x = conv(x, self.width, self.first_kernel, self.first_stride)
        for _ in range(self.blocks):
            x = layers.ReLU()(norm(depthwise(x, (3, 3))))
            x = conv(x, self.width, 1)
        x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(x))
        return keras.Model(inputs, judged(x, labels), name="ds_cnn")
