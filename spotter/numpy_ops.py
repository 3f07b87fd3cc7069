"""The arithmetic of a network's operators, float32, in numpy; images are (batch, height, width, channels).

Each function takes the operator's options, then its inputs as the .tflite schema orders them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import numpy as np

from spotter.arrays import Floats
from spotter.tflite import Array

Options: TypeAlias = Mapping[str, Any]
_VALID: Final = 1  # padding; 0 is SAME
ACTIVATIONS: Final = (0, 1, 3)  # none, RELU, RELU6


def _activate(x: Floats, options: Options) -> Floats:
    """Apply the activation that is fused into an operator, in place."""
    if options["activation"]:
        np.maximum(x, 0, out=x)
    if options["activation"] == 3:  # RELU6
        np.minimum(x, 6, out=x)
    return x


def _same(size: int, taps: int, stride: int) -> tuple[int, int]:
    """Zeros before and after, so that a stride of 1 keeps the size."""
    total = max(0, (-(-size // stride) - 1) * stride + taps - size)
    return total // 2, total - total // 2


def _patches(x: Floats, height: int, width: int, options: Options, fill: float = 0.0) -> Floats:
    """Return what each output sees, a view of shape (batch, out height, out width, height, width, channels)."""
    dilation_h, dilation_w = options.get("dilation_h", 1), options.get("dilation_w", 1)
    stride_h, stride_w = options["stride_h"], options["stride_w"]
    span_h, span_w = (height - 1) * dilation_h + 1, (width - 1) * dilation_w + 1
    if options["padding"] != _VALID:
        pads = ((0, 0), _same(x.shape[1], span_h, stride_h), _same(x.shape[2], span_w, stride_w), (0, 0))
        x = np.pad(x, pads, constant_values=fill)
    batch, rows, columns, channels = x.shape
    if rows < span_h or columns < span_w:
        raise ValueError(f"{rows} x {columns} is smaller than the kernel's {span_h} x {span_w}")
    # sliding_window_view would do, for four times the overhead, which is what small hops are made of.
    of_batch, of_row, of_column, of_channel = x.strides
    return np.lib.stride_tricks.as_strided(
        x,
        (batch, (rows - span_h) // stride_h + 1, (columns - span_w) // stride_w + 1, height, width, channels),
        (of_batch, of_row * stride_h, of_column * stride_w, of_row * dilation_h, of_column * dilation_w, of_channel),
        writeable=False,
    )


def _product(rows: Floats, weights: Floats) -> Floats:
    """Multiply rows, shape (n, inputs), by weights, shape (outputs, inputs).

    Each row by itself: a matrix product may sum in another order for another number of rows, and how many
    frames come at once must not change a score.
    """
    out: Floats = np.matmul(rows[:, np.newaxis], weights.T)[:, 0]
    return out


def conv_2d(options: Options, x: Floats, kernel: Floats, bias: Floats | None = None) -> Floats:
    """Convolution; `kernel` has shape (outputs, height, width, channels)."""
    outputs, height, width, channels = kernel.shape
    if channels != x.shape[3]:
        raise ValueError(f"grouped convolution of {x.shape[3]} channels by {channels}")
    patches = _patches(x, height, width, options)
    out = _product(patches.reshape(-1, height * width * channels), kernel.reshape(outputs, -1))
    if bias is not None:
        out += bias
    return _activate(out, options).reshape(*patches.shape[:3], outputs)


def depthwise_conv_2d(options: Options, x: Floats, kernel: Floats, bias: Floats | None = None) -> Floats:
    """Convolution of each channel alone; `kernel` has shape (1, height, width, outputs)."""
    _, height, width, outputs = kernel.shape
    if outputs != x.shape[3]:
        x = np.repeat(x, outputs // x.shape[3], axis=3)
    out: Floats = np.einsum("nhwijc,ijc->nhwc", _patches(x, height, width, options), kernel[0])
    if bias is not None:
        out += bias
    return _activate(out, options)


def fully_connected(options: Options, x: Floats, weights: Floats, bias: Floats | None = None) -> Floats:
    """Matrix product; `weights` has shape (outputs, inputs)."""
    out = _product(x.reshape(-1, weights.shape[1]), weights)
    if bias is not None:
        out += bias
    _activate(out, options)
    return out.reshape(*x.shape[:-1], len(weights)) if options["keep_dims"] else out


def add(options: Options, a: Floats, b: Floats) -> Floats:
    """Sum."""
    return _activate(a + b, options)


def sub(options: Options, a: Floats, b: Floats) -> Floats:
    """Difference."""
    return _activate(a - b, options)


def mul(options: Options, a: Floats, b: Floats) -> Floats:
    """Product."""
    return _activate(a * b, options)


def relu(_: Options, x: Floats) -> Floats:
    """max(x, 0)."""
    return np.maximum(x, np.float32(0))


def leaky_relu(options: Options, x: Floats) -> Floats:
    """X where it is positive, else alpha x."""
    return np.where(x > 0, x, x * np.float32(options["alpha"]))


def maximum(_: Options, a: Floats, b: Floats) -> Floats:
    """Return the greater of two."""
    return np.maximum(a, b)


def logistic(_: Options, x: Floats) -> Floats:
    """1 / (1 + exp(-x)), written so that nothing overflows."""
    out: Floats = np.tanh(x * np.float32(0.5)) * np.float32(0.5) + np.float32(0.5)
    return out


def softmax(options: Options, x: Floats) -> Floats:
    """exp(beta x) / sum, over the last axis."""
    out: Floats = np.exp((x - x.max(axis=-1, keepdims=True)) * np.float32(options["beta"]))
    out /= out.sum(axis=-1, keepdims=True)
    return out


def mean(options: Options, x: Floats, axes: Array) -> Floats:
    """Mean over some axes."""
    out: Floats = np.mean(x, axis=_ints(axes), keepdims=options["keep_dims"])
    return out


def max_pool_2d(options: Options, x: Floats) -> Floats:
    """Maximum of each patch."""
    patches = _patches(x, options["filter_h"], options["filter_w"], options, -np.inf)
    out: Floats = patches.max(axis=(3, 4))
    return _activate(out, options)


def average_pool_2d(options: Options, x: Floats) -> Floats:
    """Mean of each patch; what lies outside the image does not count."""
    height, width = options["filter_h"], options["filter_w"]
    total = _patches(x, height, width, options).sum(axis=(3, 4))
    counted = _patches(np.ones((1, *x.shape[1:3], 1), np.float32), height, width, options).sum(axis=(3, 4))
    return _activate(total / counted, options)


def resize_bilinear(options: Options, x: Floats, size: Array) -> Floats:
    """Resize height, then width."""
    for axis, to in zip((1, 2), _ints(size), strict=True):
        low, high, share = _between(x.shape[axis], to, options)
        share = share.reshape(-1, *(1,) * (3 - axis))
        x = np.take(x, low, axis) * (1 - share) + np.take(x, high, axis) * share
    return x


def _between(size: int, to: int, options: Options) -> tuple[Array, Array, Floats]:
    """Neighbours of each new point, and the share of the higher one."""
    scale = (size - 1) / (to - 1) if options["align_corners"] and to > 1 else size / to
    at = (np.arange(to) + 0.5) * scale - 0.5 if options["half_pixel_centers"] else np.arange(to) * scale
    at = np.clip(at, 0, size - 1)
    low = np.floor(at).astype(np.intp)
    return low, np.minimum(low + 1, size - 1), (at - low).astype(np.float32)


def reshape(options: Options, x: Array, shape: Array | None = None) -> Array:
    """Give another shape; -1 is worked out."""
    return x.reshape(options["shape"] if shape is None else _ints(shape))


def expand_dims(_: Options, x: Array, axis: Array) -> Array:
    """Add an axis of size 1."""
    return np.expand_dims(x, _ints(axis)[0])


def squeeze(options: Options, x: Array) -> Array:
    """Drop axes of size 1: the named ones, or all."""
    return np.squeeze(x, options["axes"] or None)


def concatenation(options: Options, *parts: Array) -> Array:
    """Join along an axis."""
    return _activate(np.concatenate(parts, axis=options["axis"]), options)


def pack(options: Options, *parts: Array) -> Array:
    """Join along a new axis."""
    return np.stack(parts, axis=options["axis"])


def slice_(_: Options, x: Array, begin: Array, size: Array) -> Array:
    """Cut out so many from a place; a size of -1 goes to the end."""
    return x[tuple(slice(b, None if n < 0 else b + n) for b, n in zip(_ints(begin), _ints(size), strict=True))]


def strided_slice(options: Options, x: Array, begin: Array, end: Array, strides: Array) -> Array:
    """Python's slices; a bit set in a mask leaves out the limit, or takes one and drops the axis."""
    index: list[slice | int] = []
    for axis, (b, e, s) in enumerate(zip(_ints(begin), _ints(end), _ints(strides), strict=True)):
        bit = 1 << axis
        if options["shrink_mask"] & bit:
            index.append(b)
        else:
            index.append(slice(None if options["begin_mask"] & bit else b, None if options["end_mask"] & bit else e, s))
    return np.asarray(x[tuple(index)])


def pad(_: Options, x: Array, pads: Array) -> Array:
    """Zeros around."""
    return np.pad(x, pads.tolist())


def transpose(_: Options, x: Array, axes: Array) -> Array:
    """Axes in another order."""
    return x.transpose(_ints(axes))


def shape(_: Options, x: Array) -> Array:
    """Shape, int32."""
    return np.asarray(x.shape, np.int32)


def cast(options: Options, x: Array) -> Array:
    """Another type."""
    return x.astype(options["dtype"])


def dequantize(_: Options, x: Array) -> Floats:
    """float16 weights to float32."""
    return x.astype(np.float32)


def _ints(values: Array) -> tuple[int, ...]:
    return tuple(values.reshape(-1).tolist())


OPS: Final[Mapping[str, Callable[..., Array]]] = {
    "ADD": add,
    "AVERAGE_POOL_2D": average_pool_2d,
    "CAST": cast,
    "CONCATENATION": concatenation,
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "DEQUANTIZE": dequantize,
    "EXPAND_DIMS": expand_dims,
    "FULLY_CONNECTED": fully_connected,
    "LEAKY_RELU": leaky_relu,
    "LOGISTIC": logistic,
    "MAXIMUM": maximum,
    "MAX_POOL_2D": max_pool_2d,
    "MEAN": mean,
    "MUL": mul,
    "PACK": pack,
    "PAD": pad,
    "RELU": relu,
    "RESHAPE": reshape,
    "RESIZE_BILINEAR": resize_bilinear,
    "SHAPE": shape,
    "SLICE": slice_,
    "SOFTMAX": softmax,
    "SQUEEZE": squeeze,
    "STRIDED_SLICE": strided_slice,
    "SUB": sub,
    "TRANSPOSE": transpose,
}
