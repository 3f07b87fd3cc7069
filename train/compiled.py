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
    k, fast = sizes.kernel, torch.bfloat16 if statistics is not None else torch.float32

    def norm(name: str, x: torch.Tensor, channel: int = -1) -> torch.Tensor:
        x = x.float()
        wide = [1] * x.ndim
        wide[channel] = x.shape[channel]
        if statistics is None:
            mean, variance = weights[f"{name}.moving_mean"], weights[f"{name}.moving_variance"]
        else:
            over = [n for n, size in enumerate(wide) if size == 1]
            mean = x.mean(over)
            variance = (x * x).mean(over) - mean * mean  # one pass over memory; `var` takes the time of four
            statistics[name] = mean.detach(), variance.detach()
        scale = weights[f"{name}.gamma"] * torch.rsqrt(variance + 1e-3)
        return (x - mean.view(wide)) * scale.view(wide) + weights[f"{name}.beta"].view(wide)

    def taps(name: str, x: torch.Tensor, count: int, dilation: int) -> torch.Tensor:
        # One pass over memory once compiled; the libraries' depthwise convolutions take several.
        kernel = weights[f"{name}.kernel"][:, :, 0].to(fast)
        length = x.shape[1] - (count - 1) * dilation
        y = x[:, :length] * kernel[0]
        for at in range(1, count):
            y = y + x[:, at * dilation : at * dilation + length] * kernel[at]
        return y

    def dense(name: str, x: torch.Tensor) -> torch.Tensor:
        kernel = weights[f"{name}.kernel"].to(fast)
        return x @ kernel.reshape(-1, kernel.shape[-1])

    def image(name: str, x: torch.Tensor, strides: tuple[int, int]) -> torch.Tensor:
        kernel = weights[f"{name}.kernel"].permute(3, 2, 0, 1).to(fast).contiguous(memory_format=torch.channels_last)
        y = torch.nn.functional.conv2d(x, kernel, stride=strides, padding=(0, kernel.shape[3] // 2))
        return norm(f"{name}_norm", y, channel=1)

    x = (frames * 0.25 + 2.0).to(fast)
    if sizes.stem:
        x = image("stem_first", x[:, None], (sizes.stride, 2)).relu().to(fast)
        y = image("stem_b", image("stem_a", x, (1, 1)).relu().to(fast), (1, 1))
        x = (y + x[:, :, 2:-2]).relu().to(fast)
        x = image("stem_last", x, (1, 2)).relu().to(fast).permute(0, 2, 3, 1).flatten(2)
    else:
        length = (x.shape[1] - k) // sizes.stride + 1
        x = torch.cat([x[:, at : at + sizes.stride * (length - 1) + 1 : sizes.stride] for at in range(k)], dim=-1)
    x = norm("first_norm", dense("first", x)).relu().to(fast)
    for block, dilation in enumerate(sizes.dilations):
        crop = (k - 1) * dilation
        y = dense(f"b{block}a_point", taps(f"b{block}a_depth", x, k, dilation))
        y = norm(f"b{block}a_norm", y).relu().to(fast)
        y = norm(f"b{block}b_norm", dense(f"b{block}b_point", taps(f"b{block}b_depth", y, k, dilation)))
        x = (y + x[:, crop:-crop]).relu().to(fast)
    if statistics is not None and sizes.dropout:
        keep = 1.0 - sizes.dropout
        x = x * (torch.rand(x.shape[0], 1, x.shape[2]) < keep).to(fast) / keep
    x = taps("smoothing", x, sizes.smoothing, 1) + weights["smoothing.bias"].to(fast)
    return dense("logits", x).float() + weights["logits.bias"]


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
