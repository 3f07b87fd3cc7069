"""Makes the networks of the tests: `PYTHONPATH=. python tests/data/make_networks.py` (needs TensorFlow, half a minute).

`networks/*.tflite` hold every operator that spotter.numpy_ops computes, and two that it must refuse;
`models/tiny` is a complete model folder with random weights, as a window network and as a stream.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from spotter.frontend import Frontend
from spotter.manifest import write_manifest
from spotter.settings import DecoderConfig, FrontendConfig, as_dict

HERE = Path(__file__).parent
LABELS = ("_silence_", "_unknown_", "yes", "no")


def tflite(model: keras.Model, **settings: Any) -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    for name, value in settings.items():
        setattr(converter, name, value)
    return bytes(converter.convert())


def network(*shapes: tuple[int | None, ...], make: Any) -> keras.Model:
    """Make a model of batch 1 from a function of its inputs, which runs on TensorFlow's tensors."""
    inputs = [keras.Input(batch_shape=(1, *shape)) for shape in shapes]
    return keras.Model(inputs, make(*inputs))


def lambda_(function: Any) -> Any:
    return layers.Lambda(function)


def resized(*size: int, **settings: bool) -> Any:
    return lambda_(lambda x: tf.compat.v1.image.resize_bilinear(x, size, **settings))


def operator_networks() -> dict[str, keras.Model]:
    conv, depthwise = layers.Conv2D, layers.DepthwiseConv2D

    def shaped(x: Any) -> Any:
        a = ops.squeeze(ops.expand_dims(ops.transpose(x, (0, 2, 1)), 3), 0)
        b = lambda_(lambda t: tf.stack([t, 2.0 * t], axis=2))(ops.relu(x))
        return [a, b, ops.concatenate([x, ops.relu(x) * 2.0], axis=2), ops.reshape(x, (1, 3, 20))]

    def sliced(x: Any) -> Any:
        y = ops.relu(x)
        return [
            y[:, 1:-1:2],
            y[:, -3:, :2] * 2.0,
            y[:, -1] * 3.0,
            lambda_(lambda t: tf.slice(t, [0, 2, 1], [1, -1, 3]))(y),
            lambda_(lambda t: tf.raw_ops.StridedSlice(input=t, begin=[0, 5, 0], end=[1, 0, 9], strides=[1, -2, 1]))(y),
        ]

    def dynamic(x: Any) -> Any:
        def rows(t: Any) -> Any:
            size = tf.shape(t)
            return tf.reshape(t, tf.stack([1, size[1] * 2, 3]))

        return [lambda_(rows)(x), layers.Conv1D(5, 3)(x)]

    return {
        "conv_valid": network((12, 10, 3), make=conv(4, (3, 2), strides=(2, 1), activation="relu")),
        "conv_same": network(
            (13, 10, 3), make=keras.Sequential([
                conv(4, 3, strides=2, padding="same", activation="relu6"),
                conv(5, (3, 1), dilation_rate=(2, 1), padding="same"),
                conv(3, 1, use_bias=False),
            ]),
        ),
        "depthwise": network(
            (14, 11, 4), make=keras.Sequential([
                depthwise((3, 2), strides=2, depth_multiplier=2, activation="relu"),
                depthwise(3, padding="same", dilation_rate=2, activation="relu6"),
                depthwise(2, padding="same", use_bias=False),
            ]),
        ),
        "conv1d": network(
            (40, 6), make=keras.Sequential([
                layers.Conv1D(8, 5, strides=2, activation="relu"),
                layers.DepthwiseConv1D(5, dilation_rate=2),
                layers.Conv1D(7, 1),
                layers.Conv1D(4, 3, padding="same", dilation_rate=2),
            ]),
        ),
        "dense": network(
            (9, 8), make=keras.Sequential([
                layers.Dense(6, activation="relu"), layers.Dense(5, activation="sigmoid"),
                layers.Flatten(), layers.Dense(4, activation="softmax"),
            ]),
        ),
        "arithmetic": network(
            (5, 6), (1, 6), make=lambda a, b: [ops.relu(a + b), ops.relu6(a - b), a * b, ops.relu(b * b - 0.5)]
        ),
        "leaky": network((5, 6), make=lambda x: [
            lambda_(lambda t: tf.nn.leaky_relu(t, 0.2))(x), lambda_(lambda t: tf.maximum(t, -0.4))(x)
        ]),
        "mean": network((9, 7, 4), make=lambda x: [
            ops.mean(x, axis=(1, 2)), ops.mean(x, axis=1, keepdims=True), ops.mean(x, axis=-1)
        ]),
        "shapes": network((12, 5), make=shaped),
        "slices": network((9, 4), make=sliced),
        "dynamic": network((None, 6), make=dynamic),
        "pools": network((11, 8, 3), make=lambda x: [
            layers.MaxPooling2D((3, 2), strides=(2, 1))(x), layers.MaxPooling2D(3, strides=2, padding="same")(x),
            layers.AveragePooling2D(2)(x), layers.AveragePooling2D(3, strides=2, padding="same")(x),
            layers.ZeroPadding2D(((1, 2), (0, 3)))(x),
        ]),
        "resize": network((6, 5, 2), make=lambda x: [
            resized(9, 4)(x), resized(4, 10, half_pixel_centers=True)(x), resized(11, 3, align_corners=True)(x)
        ]),
        "cast": network((5, 6), make=lambda x: ops.cast(ops.cast(x * 3.0, "int32"), "float32")),
        "squeeze": network((None, None, 1), make=lambda x: ops.squeeze(x * 2.0, 3)),
        "gather": network((5, 6), make=lambda x: ops.take(x, [0, 3], axis=2)),
    }  # fmt: skip


class Depthwise(layers.DepthwiseConv2D):  # type: ignore[misc]  # Keras has no types
    """A depthwise convolution over axis 1 that converts with a dynamic size, whatever its dilation.

    tf.nn.depthwise_conv2d spreads dilation over SPACE_TO_BATCH_ND, whose paddings then hang on the
    size; the converter folds that back into one operator only where the size is known.
    """

    def call(self, inputs: Any) -> Any:
        if inputs.shape[1] is not None:
            return super().call(inputs)
        dilations = [1, self.dilation_rate[0], 1, 1]
        y = tf.raw_ops.DepthwiseConv2dNative(
            input=inputs, filter=self.kernel, strides=[1, 1, 1, 1], padding="VALID", dilations=dilations
        )
        return self.activation(y + self.bias)


class Tiny:
    """A small network in the shape of the real one; its layers are shared by both forms.

    Time is axis 1 of (1, time, 1, channels) throughout and nothing pads in it. A layer that looks
    back so many rows finds them, in the window form, in the window; in the stream form, in the state.
    """

    channels = 16
    dilations = (1, 2, 4, 4)
    smoothing = 10  # outputs

    def __init__(self, bins: int) -> None:
        self.bins = bins
        self.first = layers.Conv2D(self.channels, (5, 1), strides=(2, 1), activation="relu")
        self.blocks = [
            (d, Depthwise((5, 1), dilation_rate=(d, 1)), layers.Conv2D(self.channels, 1)) for d in self.dilations
        ]
        self.dense = layers.Conv2D(len(LABELS), 1)
        self.smooth = Depthwise(
            (self.smoothing, 1), depthwise_initializer=keras.initializers.Constant(1 / self.smoothing)
        )
        self.window_frames = 5 + 2 * 4 * sum(self.dilations)
        self.context_frames = self.window_frames + 2 * (self.smoothing - 1)

    def window(self) -> keras.Model:
        frames = keras.Input(batch_shape=(1, self.context_frames, self.bins), name="frames")
        y = self._logits(frames, lambda x, _: x)
        return keras.Model(frames, ops.softmax(ops.reshape(y, (1, len(LABELS)))))

    def stream(self) -> keras.Model:
        rows = [(3, self.bins), *((4 * d, self.channels) for d in self.dilations), (self.smoothing - 1, len(LABELS))]
        frames = keras.Input(batch_shape=(1, None, self.bins), name="frames")
        state = keras.Input(batch_shape=(1, sum(n * channels for n, channels in rows)), name="state")
        kept: list[Any] = []
        at = 0

        def remember(x: Any, count: int) -> Any:
            nonlocal at
            size = count * x.shape[3]
            past = ops.reshape(state[:, at : at + size], (1, count, 1, x.shape[3]))
            at += size
            x = ops.concatenate([past, x], axis=1)
            kept.append(ops.reshape(x[:, -count:], (1, size)))
            return x

        y = self._logits(frames, remember)
        scores = ops.softmax(ops.reshape(y, (1, -1, len(LABELS))))
        return keras.Model([frames, state], [scores, ops.concatenate(kept, axis=1)])

    def _logits(self, frames: Any, remember: Any) -> Any:
        x = ops.reshape(frames, (1, -1, 1, self.bins))
        if frames.shape[1] is not None:
            x = ops.reshape(frames, (1, frames.shape[1], 1, self.bins))
        x = self.first(remember(x, 3))
        for dilation, depthwise, pointwise in self.blocks:
            x = remember(x, 4 * dilation)
            x = ops.relu(pointwise(depthwise(x)) + x[:, 2 * dilation : -2 * dilation])
        return self.smooth(remember(self.dense(x), self.smoothing - 1))

    def spread(self, frames: Any) -> None:
        """Scale the last layer so that the scores of these frames, shape (n, context, bins), differ."""
        y = self._logits_of(frames)
        kernel, bias = self.dense.get_weights()
        scale = 2.0 / y.std(axis=0)
        self.dense.set_weights([kernel * scale, (bias - y.mean(axis=0)) * scale])

    def _logits_of(self, frames: Any) -> Any:
        x = keras.Input(batch_shape=(1, self.context_frames, self.bins))
        model = keras.Model(x, self._logits(x, lambda y, _: y))
        return np.stack([np.asarray(model(one[None])).ravel() for one in frames])


def sounds(samples: int, count: int) -> Any:
    """Tones of changing pitch and loudness in noise, shape (count, samples)."""
    rng = np.random.default_rng(7)
    t = np.arange(samples) / 16_000
    hz, bend, level = rng.uniform(100, 3_000, count), rng.uniform(-2_000, 2_000, count), 10 ** rng.uniform(-3, 0, count)
    tones = np.sin(2 * np.pi * (hz[:, None] + bend[:, None] * t / 2) * t) * level[:, None]
    return (tones + rng.standard_normal((count, samples)) * 10 ** rng.uniform(-4, -1, (count, 1))).astype(np.float32)


def make_tiny(folder: Path) -> None:
    config = FrontendConfig()
    tiny = Tiny(config.bins)
    context = config.samples_for(tiny.context_frames)
    window = tiny.window()
    tiny.spread(np.stack([Frontend(config)(one) for one in sounds(context, 64)]))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.tflite").write_bytes(tflite(window))
    (folder / "model.stream.tflite").write_bytes(tflite(tiny.stream()))
    manifest = {
        "name": "tiny",
        "labels": list(LABELS),
        "keywords": ["yes", "no"],
        "sample_rate": config.sample_rate,
        "window": config.samples_for(tiny.window_frames),
        "context": context,
        "step": 2 * config.hop_samples,
        "frontend": as_dict(config),
        "decoder": as_dict(DecoderConfig(thresholds={"yes": 0.6})),
        "training": {"command": "python tests/data/make_networks.py", "weights": "random"},
        "licence": "Apache-2.0",
    }
    write_manifest(folder, manifest, ["model.tflite", "model.stream.tflite"])


def main() -> None:
    keras.utils.set_random_seed(10)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    models = operator_networks()
    for name, model in models.items():
        (HERE / "networks" / f"{name}.tflite").write_bytes(tflite(model))
    optimized = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    spec = tf.lite.TargetSpec(supported_types=[tf.float16])
    (HERE / "networks/float16.tflite").write_bytes(tflite(models["conv1d"], target_spec=spec, **optimized))
    large = network((4, 64), make=layers.Dense(32))
    (HERE / "networks/quantized.tflite").write_bytes(tflite(large, **optimized))
    make_tiny(HERE / "models/tiny")


if __name__ == "__main__":
    main()
