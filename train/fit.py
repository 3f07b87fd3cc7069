"""The loop: batches into the network, a look at the validation speakers, the best weights kept."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from train.batches import Mixer
from train.codes import Codes
from train.history import Looks
from train.networks import network
from train.networks.temporal import Temporal
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


def adamw(recipe: Recipe, kind: Any = keras.optimizers.AdamW) -> Any:
    """The optimizer of a recipe: warm-up, half a cosine (`schedule.learning_rate`), averaged weights."""
    schedule = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate / 20,
        max(1, recipe.steps - recipe.warm_up),
        alpha=0.01,
        warmup_target=recipe.learning_rate,
        warmup_steps=recipe.warm_up,
    )
    return kind(schedule, weight_decay=recipe.weight_decay, use_ema=True, ema_momentum=recipe.averaging, clipnorm=1.0)


class _Look(keras.callbacks.Callback):  # type: ignore[misc]
    """After each stretch of steps a look with the averaged weights."""

    def __init__(self, recipe: Recipe, looks: Looks) -> None:
        super().__init__()
        self._recipe, self._looks = recipe, looks
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Look with the averages, then put the own weights back."""
        own = [keras.ops.convert_to_numpy(v).copy() for v in self.model.trainable_variables]
        self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
        steps, loss = (epoch + 1) * self._recipe.check_every, (logs or {}).get("loss", float("nan"))
        if not self._looks.look(self.model, steps, time.monotonic() - self._began, loss):
            self.model.stop_training = True
        for variable, value in zip(self.model.trainable_variables, own, strict=True):
            variable.assign(value)


def fit(recipe: Recipe, training: Pools, validation: Pools, folder: Path, *, start: Path | None = None) -> keras.Model:
    """Train into `folder` (resuming what is there); return the model with the best weights.

    start : weights to go on from, for a further round.
    """
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(recipe.seed)
    sizes = network(recipe.network, recipe.network_options)
    model = sizes.build(None, recipe.frontend.bins, len(recipe.labels))
    if _lines(folder / "history.csv") >= recipe.steps // recipe.check_every:
        model.load_weights(folder / "best.weights.h5")  # finished, maybe by another engine
        return model
    if start:
        model.load_weights(start)
    options = {"context": sizes.context_frames, "stride": sizes.step_frames, "outputs": recipe.outputs}
    mixer = Mixer(training, recipe.labels, recipe.mixing, **options)
    check = Mixer(validation, recipe.labels, recipe.mixing, **options)
    rng = np.random.default_rng(12_345)  # the same questions in every run
    batches = [check.draw(rng, recipe.batch) for _ in range(_VALIDATION_BATCHES)]
    looks = Looks(recipe, mixer.codes, batches, folder)
    if keras.backend.backend() == "torch" and isinstance(sizes, Temporal):
        from train import compiled

        compiled.fit(recipe, sizes, model, mixer, looks, folder)
        model.load_weights(folder / "best.weights.h5")
        return model
    model.compile(adamw(recipe), allowed_loss(mixer.codes))
    backup = keras.callbacks.BackupAndRestore(str(folder / "backup"), delete_checkpoint=False)
    done = _lines(folder / "history.csv")
    model.fit(
        Sequences(mixer, recipe, done),
        epochs=recipe.steps // recipe.check_every,
        callbacks=[backup, _Look(recipe, looks)],
        verbose=1 if sys.stdout.isatty() else 2,  # a bar at a terminal, lines elsewhere
    )
    model.load_weights(folder / "best.weights.h5")
    return model


def _lines(path: Path) -> int:
    return max(0, len(path.read_text().splitlines()) - 1) if path.exists() else 0
