"""The loop: batches into the network, a look at the validation speakers, the best weights kept."""

from __future__ import annotations

import csv
import json
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from train.batches import Batch, Mixer
from train.codes import Codes
from train.networks import network
from train.pools import Pools
from train.recipe import Recipe

_VALIDATION_BATCHES = 16


class Sequences(keras.utils.PyDataset):  # type: ignore[misc]
    """Batch number i is drawn from the seed and i alone, so that a resumed run goes on with the same."""

    def __init__(self, mixer: Mixer, recipe: Recipe, epoch: int) -> None:
        super().__init__(workers=2, max_queue_size=8)
        self._mixer, self._recipe, self.epoch = mixer, recipe, epoch

    def __len__(self) -> int:
        return self._recipe.check_every

    def __getitem__(self, at: int) -> tuple[Any, Any]:
        number = self.epoch * self._recipe.check_every + at
        batch = self._mixer.draw(np.random.default_rng([self._recipe.seed, number]), self._recipe.batch)
        return batch.frames, batch.codes

    def on_epoch_end(self) -> None:
        """Go on with the next stretch of batches."""
        self.epoch += 1


def allowed_loss(codes: Codes) -> Any:
    """Minus the logarithm of the probability given to the labels that are allowed."""
    table = ops.convert_to_tensor(codes.table)

    def loss(code: Any, logits: Any) -> Any:
        may = ops.take(table, ops.cast(code, "int32"), axis=0)
        return ops.logsumexp(logits, axis=-1) - ops.logsumexp(logits + ops.log(may + 1e-9), axis=-1)

    return loss


class _Look(keras.callbacks.Callback):  # type: ignore[misc]
    """After each stretch of steps: validation with the averaged weights; keeps the best; may stop."""

    def __init__(self, recipe: Recipe, codes: Codes, batches: list[Batch], folder: Path) -> None:
        super().__init__()
        self._recipe, self._codes, self._batches, self._folder = recipe, codes, batches, folder
        self._state = folder / "look.json"
        state = json.loads(self._state.read_text()) if self._state.exists() else {"best": 1e9, "since": 0}
        self.best, self._since = float(state["best"]), int(state["since"])
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Look, keep, write down."""
        own = [v.numpy() if hasattr(v, "numpy") else np.array(v) for v in self.model.trainable_variables]
        self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
        figures = validate(self.model, self._codes, self._batches)
        if figures["loss"] < self.best:
            self.best, self._since = figures["loss"], 0
            self.model.save_weights(self._folder / "best.weights.h5")
        else:
            self._since += 1
            if self._since >= self._recipe.patience:
                self.model.stop_training = True
        for variable, value in zip(self.model.trainable_variables, own, strict=True):
            variable.assign(value)
        self._state.write_text(json.dumps({"best": self.best, "since": self._since}))
        row = {
            "steps": (epoch + 1) * self._recipe.check_every,
            "seconds": round(time.monotonic() - self._began),
            "training_loss": round((logs or {}).get("loss", float("nan")), 5),
            **{f"validation_{k}": round(v, 5) for k, v in figures.items()},
        }
        path = self._folder / "history.csv"
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        print("  ".join(f"{k} {v}" for k, v in row.items()), flush=True)


def validate(model: keras.Model, codes: Codes, batches: list[Batch]) -> dict[str, float]:
    """Loss; share of keyword outputs given rightly; share of outputs without one that score one above 0.9."""
    losses, right, wrong = [], [], []
    keywords = [i for i in range(len(codes.table[0])) if i not in (codes.unknown, codes.silence)]
    for batch in batches:
        logits = np.asarray(model.predict_on_batch(batch.frames), np.float64)
        p = np.exp(logits - logits.max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
        losses.append(-np.log((p * codes.table[batch.codes]).sum(axis=-1) + 1e-12).mean())
        at = np.isin(batch.codes, keywords)
        right.append(p.argmax(axis=-1)[at] == batch.codes[at])
        none = (batch.codes == codes.nothing) | (batch.codes == codes.unknown) | (batch.codes == codes.silence)
        wrong.append(p[none][:, keywords].max(axis=-1) > 0.9)
    return {
        "loss": float(np.mean(losses)),
        "keywords": float(np.mean(np.concatenate(right))),
        "false": float(np.mean(np.concatenate(wrong))),
    }


def fit(recipe: Recipe, training: Pools, validation: Pools, folder: Path, *, start: Path | None = None) -> keras.Model:
    """Train into `folder` (resuming what is there); return the model with the best weights.

    start : weights to go on from, for a further round.
    """
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(recipe.seed)
    sizes = network(recipe.network, recipe.network_options)
    model = sizes.build(None, recipe.frontend.bins, len(recipe.labels))
    if start:
        model.load_weights(start)
    options = {"context": sizes.context_frames, "stride": sizes.step_frames, "outputs": recipe.outputs}
    mixer = Mixer(training, recipe.labels, recipe.mixing, **options)
    check = Mixer(validation, recipe.labels, recipe.mixing, **options)
    rng = np.random.default_rng(12_345)  # the same questions in every run
    batches = [check.draw(rng, recipe.batch) for _ in range(_VALIDATION_BATCHES)]
    schedule = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate / 20,
        max(1, recipe.steps - recipe.warm_up),
        alpha=0.01,
        warmup_target=recipe.learning_rate,
        warmup_steps=recipe.warm_up,
    )
    optimizer = keras.optimizers.AdamW(
        schedule,
        weight_decay=recipe.weight_decay,
        use_ema=True,
        ema_momentum=recipe.averaging,
        clipnorm=1.0,
    )
    model.compile(optimizer, allowed_loss(mixer.codes))
    look = _Look(recipe, mixer.codes, batches, folder)
    backup = keras.callbacks.BackupAndRestore(str(folder / "backup"), delete_checkpoint=False)
    done = _lines(folder / "history.csv")
    model.fit(
        Sequences(mixer, recipe, done),
        epochs=recipe.steps // recipe.check_every,
        callbacks=[backup, look],
        verbose=1 if sys.stdout.isatty() else 2,  # a bar at a terminal, lines elsewhere
    )
    model.load_weights(folder / "best.weights.h5")
    return model


def _lines(path: Path) -> int:
    return max(0, len(path.read_text().splitlines()) - 1) if path.exists() else 0


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write what a run did, all at once or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(values, indent=2) + "\n", "utf-8")
    part.replace(path)
