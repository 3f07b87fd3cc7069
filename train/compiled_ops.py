"""The layers of our networks in PyTorch, written so that they compile to few passes over memory.

They work on a Keras model's own weights, by the names of its layers. In bfloat16 while training, where sums do not
suffer; a test holds that they give the Keras model's numbers.
"""

from __future__ import annotations

from typing import Any

import torch


class Ops:
    """Layers by name.

    Parameters
    ----------
    weights : dict of str to tensor
        `LAYER.VARIABLE` of the Keras model.
    statistics : dict, optional
        Filled with mean and variance of each normalisation while training; None for inference.
    """

    def __init__(self, weights: dict[str, torch.Tensor], statistics: dict[str, Any] | None) -> None:
        self._weights, self._statistics = weights, statistics
        self.fast = torch.float32 if statistics is None else torch.bfloat16

    def norm(self, name: str, x: torch.Tensor, channel: int = -1) -> torch.Tensor:
        """Batch normalisation, float32."""
        x = x.float()
        wide = [1] * x.ndim
        wide[channel] = x.shape[channel]
        if self._statistics is None:
            mean, variance = self._weights[f"{name}.moving_mean"], self._weights[f"{name}.moving_variance"]
        else:
            over = [n for n in range(x.ndim) if n != channel % x.ndim]
            mean = x.mean(over)
            variance = (x * x).mean(over) - mean * mean  # one pass over memory; `var` takes the time of four
            self._statistics[name] = mean.detach(), variance.detach()
        scale = self._weights[f"{name}.gamma"] * torch.rsqrt(variance + 1e-3)
        return (x - mean.view(wide)) * scale.view(wide) + self._weights[f"{name}.beta"].view(wide)

    def relu_norm(self, name: str, x: torch.Tensor, channel: int = -1) -> torch.Tensor:
        """Batch normalisation and rectifier."""
        return self.norm(name, x, channel).relu().to(self.fast)

    def taps(self, name: str, x: torch.Tensor, *, dilation: int = 1, stride: int = 1) -> torch.Tensor:
        """Convolution of each channel over time; the libraries' own takes several passes."""
        kernel = self._weights[f"{name}.kernel"][:, :, 0].to(self.fast)
        length = (x.shape[1] - (len(kernel) - 1) * dilation - 1) // stride + 1
        last = (length - 1) * stride + 1
        y = x[:, :last:stride] * kernel[0]
        for at in range(1, len(kernel)):
            y = y + x[:, at * dilation : at * dilation + last : stride] * kernel[at]
        return y

    def dense(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """Matrix product over the last axis."""
        kernel = self._weights[f"{name}.kernel"].to(self.fast)
        return x @ kernel.reshape(-1, kernel.shape[-1])

    def bias(self, name: str) -> torch.Tensor:
        """Bias of a layer, float32."""
        return self._weights[f"{name}.bias"]

    def image(self, name: str, x: torch.Tensor, strides: tuple[int, int]) -> torch.Tensor:
        """Convolution over time and bands, padded in bands, and normalisation; (batch, channels, time, bands).

        The axes stay in this order, channels last in memory: permuting between layers costs as much as they do.
        """
        kernel = self._weights[f"{name}.kernel"].permute(3, 2, 0, 1).to(self.fast)
        kernel = kernel.contiguous(memory_format=torch.channels_last)
        y = torch.nn.functional.conv2d(x, kernel, stride=strides, padding=(0, kernel.shape[3] // 2))
        return self.norm(f"{name}_norm", y, channel=1)

    def stem(self, x: torch.Tensor, stride: int) -> torch.Tensor:
        """Two-dimensional first layers, as `train.networks.stem` builds them."""
        x = self.image("stem_first", x[:, None], (stride, 2)).relu().to(self.fast)
        y = self.image("stem_b", self.image("stem_a", x, (1, 1)).relu().to(self.fast), (1, 1))
        x = (y + x[:, :, 2:-2]).relu().to(self.fast)
        return self.image("stem_last", x, (1, 2)).relu().to(self.fast).permute(0, 2, 3, 1).flatten(2)
