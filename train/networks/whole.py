"""What the networks share that see one whole window: its length, the exported form, small parts.

They pad at the edges of the window or look at all of it at once, so each window is computed anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeWindow:
    """Lengths in frames; 98 frames of 10 ms are a second."""

    context_frames: int = 98
    step_frames: int = 2  # a listener may ask for a score every 20 ms

    @property
    def window_frames(self) -> int:
        """The window is all that a score depends on."""
        return self.context_frames

    def inference(self, trained: keras.Model) -> keras.Model:
        """Window form: (1, context, bins) to softmax scores (1, labels)."""
        frames = layers.Input((self.context_frames, trained.input_shape[-1]), batch_size=1, name="frames")
        logits = layers.Reshape((trained.output_shape[-1],), name="logits")(trained(frames))
        return keras.Model(frames, layers.Softmax(name="scores")(logits), name="window")

    def streaming(self, trained: keras.Model) -> None:  # noqa: ARG002 (what others need)
        """Return nothing: there is no stream form."""
        return


def scaled(frames: Any) -> Any:
    """Log-mel values lie between -14 and 6; this brings them to about -1.5 to 3.5."""
    return layers.Rescaling(1 / 4, offset=2.0)(frames)


def norm(x: Any) -> Any:
    """Batch normalisation that follows short runs, too."""
    return layers.BatchNormalization(momentum=0.98)(x)


def conv(x: Any, width: int, kernel: int | tuple[int, int], strides: int | tuple[int, int] = 1, **options: Any) -> Any:
    """Convolution (padded), normalisation, rectifier (`relu=False`: without it)."""
    relu = options.pop("relu", True)
    x = norm(layers.Conv2D(width, kernel, strides=strides, padding="same", use_bias=False, **options)(x))
    return layers.ReLU()(x) if relu else x


def depthwise(x: Any, kernel: tuple[int, int], **options: Any) -> Any:
    """Depthwise convolution (padded), nothing after it."""
    return layers.DepthwiseConv2D(kernel, padding="same", use_bias=False, **options)(x)


def judged(x: Any, labels: int) -> Any:
    """Logits of the one output, (batch, 1, labels), from features (batch, channels)."""
    return layers.Reshape((1, labels), name="judged")(layers.Dense(labels, name="classes")(x))
