"""Two-dimensional first layers: small patches of time and frequency, the same at every pitch.

A convolution over all mel bands at once must learn each sound anew for every height of voice. Here a
5 x 5 convolution at stride 2 in both directions, one residual pair of 3 x 3 and one 3 x 3 that halves the
bands again come first (the first stages of ResNets for audio; Tang and Lin 2018, arXiv:1710.10361). They
pad in frequency, never in time, so that the stream form gives the window form's numbers.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from train.networks.parts import beside

FRAMES = 6  # outputs of the first layer that the other three take away


def bands(bins: int) -> tuple[int, int]:
    """How many bands are left after the first layer, and after the last."""
    first = (bins - 1) // 2 + 1
    return first, (first - 1) // 2 + 1


def build(x: Any, channels: int, stride: int, norm: Any) -> Any:
    """Frames (batch, frames, bins) to (batch, outputs, bands x channels), as trained."""
    x = layers.Reshape((-1, x.shape[-1], 1), name="stem_image")(x)
    x = layers.ReLU()(_conv(x, "stem_first", channels, 5, (stride, 2), norm))
    skip = layers.Cropping2D(((2, 2), (0, 0)), name="stem_crop")(x)
    y = layers.ReLU()(_conv(x, "stem_a", channels, 3, (1, 1), norm))
    y = _conv(y, "stem_b", channels, 3, (1, 1), norm)
    x = layers.ReLU()(layers.Add(name="stem_add")([y, skip]))
    x = layers.ReLU()(_conv(x, "stem_last", 2 * channels, 3, (1, 2), norm))
    return flat(x)


def _conv(x: Any, name: str, channels: int, kernel: int, strides: tuple[int, int], norm: Any) -> Any:
    x = layers.Conv2D(channels, kernel, strides=strides, use_bias=False, name=name)(padded(x, kernel))
    return norm(f"{name}_norm")(x)


def padded(x: Any, kernel: int) -> Any:
    """Zeros above and below the bands."""
    return layers.ZeroPadding2D(((0, 0), (kernel // 2, kernel // 2)))(x)


def flat(x: keras.KerasTensor) -> Any:
    """Bands and channels in one axis."""
    return layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)


def kept(channels: int, bins: int, stride: int) -> dict[str, tuple[int, ...]]:
    """What each layer keeps of its inputs from call to call: length and shape of a frame."""
    first, _ = bands(bins)
    return {
        "stem_first": (5 - stride, bins, 1),
        **dict.fromkeys(("stem_a", "stem_b", "stem_last"), (2, first, channels)),
    }


def apply(x: Any, extend: Any, conv: Any, *, stride: int) -> Any:
    """The exported form, with kept inputs (`extend`) and normalisation folded in (`conv`)."""
    x = layers.Reshape((-1, x.shape[-1], 1))(x)
    x = conv(padded(extend("stem_first", x, 5 - stride), 5), "stem_first", relu=True, strides=(stride, 2))
    a = extend("stem_a", x, 2)
    y = conv(padded(a, 3), "stem_a", relu=True)
    y = conv(padded(extend("stem_b", y, 2), 3), "stem_b", relu=False)
    x = layers.ReLU()(layers.Add()([y, beside(x, a, 2)]))
    return flat(conv(padded(extend("stem_last", x, 2), 3), "stem_last", relu=True, strides=(1, 2)))
