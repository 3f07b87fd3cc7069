"""TC-ResNet8: residual blocks of convolutions over time alone, bands as channels.

Source: Choi et al. 2019, "Temporal Convolution for Real-time Keyword Spotting on Mobile Devices"
(arXiv:1904.03814; github.com/hyperconnect/TC-ResNet, Apache-2.0), width multiplier 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from train.networks.whole import WholeWindow, conv, judged, scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class TcResnet(WholeWindow):
    """The sizes of TC-ResNet8: each block halves the time."""

    first: int = 16
    widths: tuple[int, ...] = (24, 32, 48)
    kernel: int = 9  # frames, and of a block's own input steps later on

    def build(self, frames: int | None, bins: int, labels: int, *, dropout: float = 0.5) -> keras.Model:
        """Frames (batch, 98, bins) to logits (batch, 1, labels)."""
        inputs = layers.Input((frames or self.context_frames, bins), name="frames")
        x = layers.Reshape((inputs.shape[1], 1, bins))(scaled(inputs))
        x = conv(x, self.first, (3, 1))
        for width in self.widths:
            skip = conv(x, width, 1, 2)
            x = conv(x, width, (self.kernel, 1), 2)
            x = conv(x, width, (self.kernel, 1), relu=False)
            x = layers.ReLU()(layers.Add()([x, skip]))
        x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(x))
        return keras.Model(inputs, judged(x, labels), name="tc_resnet")
