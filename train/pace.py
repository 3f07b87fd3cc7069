"""How long a step of training takes here: a few dozen are run and timed, drawing of the batches included."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import keras

from train.batches import Mixer
from train.fit import Sequences, allowed_loss
from train.networks import network
from train.pools import Pools
from train.recipe import Recipe

_FIRST, _COUNTED = 12, 40  # steps: until the graph is made and the queue of batches is as it stays, and timed


class _Clock(keras.callbacks.Callback):  # type: ignore[misc]
    """The moments at which steps ended."""

    def __init__(self) -> None:
        super().__init__()
        self.moments: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002 (Keras's)
        """Look at the clock."""
        self.moments.append(time.monotonic())


def seconds_per_step(recipe: Recipe, training: Pools) -> float:
    """Mean time of forty steps of a network that is thrown away; other work on the machine lengthens it."""
    sizes = network(recipe.network, recipe.network_options)
    model = sizes.build(None, recipe.frontend.bins, len(recipe.labels))
    options = {"context": sizes.context_frames, "stride": sizes.step_frames, "outputs": recipe.outputs}
    mixer = Mixer(training, recipe.labels, recipe.mixing, **options)
    model.compile(keras.optimizers.AdamW(recipe.learning_rate, use_ema=True, clipnorm=1.0), allowed_loss(mixer.codes))
    clock = _Clock()
    some = dataclasses.replace(recipe, check_every=_FIRST + _COUNTED)
    model.fit(Sequences(mixer, some, 0), epochs=1, callbacks=[clock], verbose=0)
    return (clock.moments[-1] - clock.moments[_FIRST - 1]) / _COUNTED
