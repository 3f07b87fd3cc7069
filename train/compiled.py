"""The same loop in a third of the processor time: one compiled PyTorch step over the Keras model's own weights.

With `KERAS_BACKEND=torch` a Keras model's variables are PyTorch tensors. A step through Keras calls
hundreds of small operations; here forward, loss and backward are compiled as two, in bfloat16 where
sums do not suffer. What is saved are the Keras model's weights, so that mining, export and everything
after do not know the difference; a test holds that both forwards give the same numbers.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from train.batches import Mixer
from train.codes import Codes
from train.compiled_ops import Ops
from train.history import Looks
from train.networks.temporal import Temporal
from train.recipe import Recipe
from train.schedule import learning_rate

_MOMENTUM = 0.98  # of the moving statistics, as the Keras layers have it


class _Numbered(Dataset):  # type: ignore[misc]
    """Batch number i is drawn from the seed and i alone, so that a resumed run goes on with the same."""

    def __init__(self, mixer: Mixer, recipe: Recipe) -> None:
        self._mixer, self._recipe = mixer, recipe

    def __len__(self) -> int:
        return self._recipe.steps

    def __getitem__(self, number: int) -> tuple[Any, Any]:
        batch = self._mixer.draw(np.random.default_rng([self._recipe.seed, number]), self._recipe.batch)
        return batch.frames, batch.codes


class Step:
    """Forward, loss and backward as compiled code; `moving` statistics are brought along by hand."""

    def __init__(self, sizes: Temporal, model: keras.Model, codes: Codes, *, compiled: bool = True) -> None:
        self.sizes, self.model = sizes, model
        self.weights = {
            f"{layer.name}.{v.name}": v.value for layer in model.layers for v in layer.weights if "seed" not in v.name
        }
        self.trainable = [v.value for v in model.trainable_variables]
        self._allowed = torch.log(torch.tensor(codes.table) + 1e-9)
        self._run = torch.compile(self._loss) if compiled else self._loss

    def __call__(self, frames: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch, with gradients to come; moving statistics are updated."""
        loss, statistics = self._run(frames, codes)
        with torch.no_grad():
            for name, (mean, variance) in statistics.items():
                self.weights[f"{name}.moving_mean"].lerp_(mean, 1.0 - _MOMENTUM)
                self.weights[f"{name}.moving_variance"].lerp_(variance, 1.0 - _MOMENTUM)
        return loss

    def predict_on_batch(self, frames: Any) -> Any:
        """Logits of numpy frames, as Keras models have it."""
        with torch.no_grad():
            return forward(self.sizes, self.weights, torch.from_numpy(frames), None).numpy()

    def _loss(self, frames: torch.Tensor, codes: torch.Tensor) -> tuple[torch.Tensor, dict[str, Any]]:
        statistics: dict[str, Any] = {}
        logits = forward(self.sizes, self.weights, frames, statistics)
        allowed = self._allowed[codes]
        loss = torch.logsumexp(logits, -1) - torch.logsumexp(logits + allowed, -1)
        return loss.mean(), statistics


def forward(
    sizes: Temporal, weights: dict[str, torch.Tensor], frames: torch.Tensor, statistics: dict[str, Any] | None
) -> torch.Tensor:
    """Frames (batch, frames, bins) to logits (batch, outputs, labels), as `Temporal.build` makes them.

    statistics : filled with mean and variance of each normalisation while training; None for inference.
    """
    ops, k = Ops(weights, statistics), sizes.kernel
    x = (frames * 0.25 + 2.0).to(ops.fast)
    if sizes.stem:
        x = ops.stem(x, sizes.stride)
    else:
        length = (x.shape[1] - k) // sizes.stride + 1
        x = torch.cat([x[:, at : at + sizes.stride * (length - 1) + 1 : sizes.stride] for at in range(k)], dim=-1)
    x = ops.relu_norm("first_norm", ops.dense("first", x))
    for block, dilation in enumerate(sizes.dilations):
        crop = (k - 1) * dilation
        y = ops.dense(f"b{block}a_point", ops.taps(f"b{block}a_depth", x, dilation=dilation))
        y = ops.taps(f"b{block}b_depth", ops.relu_norm(f"b{block}a_norm", y), dilation=dilation)
        y = ops.norm(f"b{block}b_norm", ops.dense(f"b{block}b_point", y))
        x = (y + x[:, crop:-crop]).relu().to(ops.fast)
    if statistics is not None and sizes.dropout:
        keep = 1.0 - sizes.dropout
        x = x * (torch.rand(x.shape[0], 1, x.shape[2]) < keep).to(ops.fast) / keep
    x = ops.taps("smoothing", x) + ops.bias("smoothing").to(ops.fast)
    return ops.dense("logits", x).float() + ops.bias("logits")


def fit(recipe: Recipe, sizes: Temporal, model: keras.Model, mixer: Mixer, looks: Looks, folder: Path) -> None:
    """Train `model` in place; best weights, history and checkpoint go into `folder`."""
    torch.manual_seed(recipe.seed)
    step = Step(sizes, model, mixer.codes)
    wide = [p for p in step.trainable if p.ndim > 1]
    narrow = [p for p in step.trainable if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": wide, "weight_decay": recipe.weight_decay}, {"params": narrow, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
        fused=True,
    )
    average = [p.detach().clone() for p in step.trainable]
    at = _resume(folder, step, optimizer, average)
    batches = DataLoader(
        _Numbered(mixer, recipe), batch_size=None, sampler=range(at, recipe.steps), num_workers=1, prefetch_factor=6
    )
    show = sys.stdout.isatty()
    began, losses = time.monotonic(), []
    for number, (frames, codes) in enumerate(batches, at + 1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, number)
        optimizer.zero_grad()
        loss = step(frames, codes)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(step.trainable, 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(average, step.trainable, 1.0 - min(recipe.averaging, number / (number + 10.0)))
        losses.append(loss.detach())
        if show and number % 100 == 0:
            print(f"step {number} of {recipe.steps}", end="\r", flush=True)
        if number % recipe.check_every == 0:
            own = [p.detach().clone() for p in step.trainable]
            _assign(step.trainable, average)
            loss_so_far = float(torch.stack(losses).mean())
            go_on = looks.look(model, number, time.monotonic() - began, loss_so_far, by=step)
            _assign(step.trainable, own)
            losses = []
            _save(folder, number, step, optimizer, average)
            if not go_on:
                break


def _assign(to: list[torch.Tensor], values: list[torch.Tensor]) -> None:
    with torch.no_grad():
        for variable, value in zip(to, values, strict=True):
            variable.copy_(value)


def _save(folder: Path, number: int, step: Step, optimizer: Any, average: list[torch.Tensor]) -> None:
    part = folder / "checkpoint.part"
    torch.save({"step": number, "weights": step.weights, "optimizer": optimizer.state_dict(), "average": average}, part)
    part.replace(folder / "checkpoint.pt")


def _resume(folder: Path, step: Step, optimizer: Any, average: list[torch.Tensor]) -> int:
    path = folder / "checkpoint.pt"
    if not path.exists():
        return 0
    kept = torch.load(path, weights_only=True)
    with torch.no_grad():
        for name, value in kept["weights"].items():
            step.weights[name].copy_(value)
    _assign(average, kept["average"])
    optimizer.load_state_dict(kept["optimizer"])
    print(f"going on from step {kept['step']}", flush=True)
    return int(kept["step"])
