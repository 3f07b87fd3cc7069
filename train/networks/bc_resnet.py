"""BC-ResNet-1: two-dimensional features, with most of the work on their mean over frequency.

Source: Kim, Chang, Lee and Sung 2021, "Broadcasted Residual Learning for Efficient Keyword Spotting"
(arXiv:2106.04140), after the authors' code (github.com/Qualcomm-AI-research/bcresnet); sub-spectral
normalisation: Chang et al. 2021 (arXiv:2103.13620). Images are (batch, frames, bands, channels).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from train.networks.whole import WholeWindow, conv, depthwise, judged, norm, scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class BcResnet(WholeWindow):
    """The sizes of BC-ResNet-1; `width` 8 times tau gives the larger ones."""

    width: int = 8
    blocks: tuple[int, ...] = (2, 2, 4, 4)
    bands: int = 5  # of sub-spectral normalisation

    def build(self, frames: int | None, bins: int, labels: int, *, dropout: float = 0.1) -> keras.Model:
        """Frames (batch, 98, bins) to logits (batch, 1, labels)."""
        inputs = layers.Input((frames or self.context_frames, bins), name="frames")
        x = layers.Reshape((*inputs.shape[1:], 1))(scaled(inputs))
        x = conv(x, 2 * self.width, 5, (1, 2))
        for stage, (blocks, share) in enumerate(zip(self.blocks, (1.0, 1.5, 2.0, 2.5), strict=True)):
            for block in range(blocks):
                halve = stage in (1, 2) and block == 0
                x = self._block(x, int(share * self.width), 2**stage, dropout, first=block == 0, halve=halve)
        x = layers.ZeroPadding2D((2, 0))(x)
        x = layers.DepthwiseConv2D((5, x.shape[2]), use_bias=False)(x)  # over all bands that are left
        x = layers.GlobalAveragePooling2D()(conv(x, 4 * self.width, 1))
        return keras.Model(inputs, judged(x, labels), name="bc_resnet")

    def _block(self, x: Any, width: int, dilation: int, dropout: float, *, first: bool, halve: bool) -> Any:
        """Over frequency, then over time on the mean of the bands, which is added to each of them."""
        skip = x
        if first:
            x = conv(x, width, 1)
        x = depthwise(x, (1, 3))
        if halve:  # TensorFlow has no depthwise convolution with a stride in one direction
            x = x[:, :, ::2]
        x = spread = SubSpectralNorm(self.bands)(x)
        x = layers.AveragePooling2D((1, x.shape[2]))(x)
        x = norm(depthwise(x, (3, 1), dilation_rate=(dilation, 1)))
        x = layers.Conv2D(width, 1, use_bias=False)(layers.Activation("silu")(x))
        x = layers.Add()([layers.SpatialDropout2D(dropout)(x), spread])
        return layers.ReLU()(x if first else layers.Add()([x, skip]))


class SubSpectralNorm(layers.Layer):  # type: ignore[misc]
    """Batch normalisation with statistics of its own for each group of neighbouring bands."""

    def __init__(self, groups: int, momentum: float = 0.98, epsilon: float = 1e-3, **options: Any) -> None:
        super().__init__(**options)
        self._groups, self._momentum, self._epsilon = groups, momentum, epsilon

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make scale, offset and statistics, shape (groups, 1, channels)."""
        each = (self._groups, 1, shape[-1])
        self.gamma = self.add_weight(shape=each, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=each, initializer="zeros", name="beta")
        self.mean = self.add_weight(shape=each, initializer="zeros", trainable=False, name="moving_mean")
        self.variance = self.add_weight(shape=each, initializer="ones", trainable=False, name="moving_variance")

    def call(self, x: Any, *, training: bool = False) -> Any:
        """Normalise (batch, frames, bands, channels)."""
        bands = x.shape[2]
        mean, variance = self.mean, self.variance
        if training:
            grouped = ops.reshape(x, (-1, x.shape[1], self._groups, bands // self._groups, x.shape[3]))
            mean, variance = ops.moments(grouped, axes=(0, 1, 3), keepdims=True)
            mean, variance = mean[0, 0], variance[0, 0]
            for kept, new in ((self.mean, mean), (self.variance, variance)):
                kept.assign(kept * self._momentum + ops.stop_gradient(new) * (1.0 - self._momentum))
        scale = self.gamma * ops.rsqrt(variance + self._epsilon)
        offset = self.beta - mean * scale
        # One factor for each band, so that inference is a product and a sum of images.
        scale, offset = (ops.repeat(v, bands // self._groups, axis=1) for v in (scale, offset))
        each = (1, 1, bands, x.shape[3])
        return x * ops.reshape(scale, each) + ops.reshape(offset, each)
