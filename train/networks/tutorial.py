"""The CNN of TensorFlow's tutorial "Simple audio recognition: Recognizing keywords": the baseline.

Source: tensorflow.org/tutorials/audio/simple_audio. Its spectrogram (`spotter.settings.TUTORIAL`,
124 x 129 magnitudes) is shrunk to 32 x 32, normalised by the mean and variance of the training
material, then two convolutions and two dense layers. `train/plain.py` trains it as the tutorial does.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from train.networks.whole import WholeWindow, judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Tutorial(WholeWindow):
    """The tutorial's sizes; its frames are 8 ms apart."""

    context_frames: int = 124
    side: int = 32  # rows and columns of the shrunk spectrogram
    widths: tuple[int, int] = (32, 64)
    dense: int = 128

    def build(self, frames: int | None, bins: int, labels: int, *, dropout: float = 0.5) -> keras.Model:
        """Frames (batch, 124, bins) to logits (batch, 1, labels); `normalise` is to be adapted before training."""
        inputs = layers.Input((frames or self.context_frames, bins), name="frames")
        x = layers.Reshape((*inputs.shape[1:], 1))(inputs)
        x = layers.Resizing(self.side, self.side)(x)
        x = layers.Normalization(name="normalise")(x)
        for width in self.widths:
            x = layers.Conv2D(width, 3, activation="relu")(x)
        x = layers.Dropout(dropout / 2)(layers.MaxPooling2D()(x))
        x = layers.Dense(self.dense, activation="relu")(layers.Flatten()(x))
        return keras.Model(inputs, judged(layers.Dropout(dropout)(x), labels), name="tutorial")
