"""The student's step as compiled PyTorch, over the Keras model's own weights; see `compiled`."""

from __future__ import annotations

from typing import Any

import keras
import torch

from spotter.arrays import Floats
from train.compiled_ops import Ops
from train.distill import Lessons
from train.networks.student import Student

_MOMENTUM = 0.98  # of the moving statistics, as the Keras layers have it


class CompiledStep:
    """Forward, error and backward as compiled code."""

    def __init__(self, sizes: Student, model: keras.Model, lessons: Lessons, *, compiled: bool = True) -> None:
        self._sizes = sizes
        self._weights = {f"{layer.name}.{v.name}": v.value for layer in model.layers for v in layer.weights}
        self._trainable = [v.value for v in model.trainable_variables]
        wide, narrow = ([p for p in self._trainable if (p.ndim > 1) is big] for big in (True, False))
        self._optimizer = torch.optim.AdamW(
            [{"params": wide, "weight_decay": lessons.weight_decay}, {"params": narrow, "weight_decay": 0.0}],
            fused=True,
        )
        self._run = torch.compile(self._loss) if compiled else self._loss

    def learn(self, frames: Floats, targets: Floats, right: Floats, rate: float) -> float:
        """Return the error before the step."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad()
        loss, statistics = self._run(*(torch.from_numpy(v) for v in (frames, targets, right)))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._trainable, 1.0)
        self._optimizer.step()
        with torch.no_grad():
            for name, (mean, variance) in statistics.items():
                self._weights[f"{name}.moving_mean"].lerp_(mean, 1.0 - _MOMENTUM)
                self._weights[f"{name}.moving_variance"].lerp_(variance, 1.0 - _MOMENTUM)
        return float(loss.detach())

    def error(self, frames: Floats, targets: Floats, right: Floats) -> float:
        """Return the error, nothing learned."""
        with torch.no_grad():
            found = forward(self._sizes, self._weights, torch.from_numpy(frames), None)
            return float(_error(found, torch.from_numpy(targets), torch.from_numpy(right)))

    def _loss(
        self, frames: torch.Tensor, targets: torch.Tensor, right: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        statistics: dict[str, Any] = {}
        return _error(forward(self._sizes, self._weights, frames, statistics), targets, right), statistics


def _error(found: torch.Tensor, targets: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    # As Keras weighs samples: the mean over all, those that do not count included as nothing.
    return (((found - targets) ** 2).mean(-1) * right).mean()


def forward(
    sizes: Student, weights: dict[str, torch.Tensor], frames: torch.Tensor, statistics: dict[str, Any] | None
) -> torch.Tensor:
    """Frames (batch, frames, bins) to embeddings (batch, n, size), as `Student.build` makes them."""
    ops = Ops(weights, statistics)
    x = ops.stem((frames * 0.25 + 2.0).to(ops.fast), 2)
    x = ops.relu_norm("first_norm", ops.dense("first", x))
    for at, (kernel, halves) in enumerate(sizes.blocks):
        y = ops.dense(f"b{at}a_point", ops.taps(f"b{at}a_depth", x, stride=2 if halves else 1))
        y = ops.taps(f"b{at}b_depth", ops.relu_norm(f"b{at}a_norm", y))
        y = ops.norm(f"b{at}b_norm", ops.dense(f"b{at}b_point", y))
        x = (y if halves else y + x[:, kernel - 1 : 1 - kernel]).relu().to(ops.fast)
    return ops.dense("embedding", x).float() + ops.bias("embedding")
