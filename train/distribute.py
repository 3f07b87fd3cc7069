"""The loop on several GPUs or several machines: the same batches, the same curve, the same files as `fit`.

TensorFlow's `tf.distribute` carries the sums from device to device. Keras's own `model.fit` fails with
several workers, so the loop is here. Only the chief (worker 0) reads and writes files; it tells the
others what they need to know, so that they need no common disk.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from spotter.errors import BadInputError
from train.batches import Mixer
from train.checkpoints import Checkpoints
from train.cluster import Cluster, all_there, cluster
from train.fit import adamw, allowed_loss
from train.history import Looks
from train.networks import judgements, network
from train.pools import Pools
from train.progress import track
from train.recipe import Recipe
from train.shards import Shards
from train.together import Workers, strategy

_VALIDATION_BATCHES = 16


def fit_distributed(
    recipe: Recipe,
    training: Pools,
    validation: Pools,
    folder: Path,
    *,
    start: Path | None = None,
    how: Any = None,
) -> keras.Model:
    """Train into the chief's `folder` (resuming what is there); return the model with the best weights, to all.

    start : weights to go on from, for a further round; the chief reads them
    how : a `tf.distribute` strategy (default: the one for this machine and `TF_CONFIG`)

    Raises
    ------
    WorkerGoneError
        When another worker has ended. All have to be started again, and go on from the last checkpoint.
    """
    if keras.backend.backend() != "tensorflow":
        raise BadInputError(
            f"training on several devices needs TensorFlow, and Keras runs on {keras.backend.backend()}; "
            "set KERAS_BACKEND=tensorflow, or leave out --distribute"
        )
    if recipe.steps < recipe.check_every:
        raise BadInputError(
            f"{recipe.steps} steps end before the first look; set check_every to {recipe.steps} or less"
        )
    me, saved = cluster(), None
    with all_there(me, lambda: saved):
        run = _Run(recipe, training, folder, me, how or strategy())
        if me.chief:
            run.prepare(validation, start)
        run.begin()
        while not run.over:
            saved = run.step
            run.stretch()
        return run.best_model()


class _Run:
    """Model, optimiser and where the run stands; every worker has one and calls the same methods in step."""

    def __init__(self, recipe: Recipe, training: Pools, folder: Path, me: Cluster, how: Any) -> None:
        self._recipe, self._folder, self._me, self._how = recipe, folder, me, how
        self._workers, self._began = Workers(me, how), time.monotonic()
        sizes = network(recipe.network, recipe.network_options)
        shape = None, recipe.frontend.bins, len(recipe.labels)
        keras.utils.set_random_seed(recipe.seed)
        with how.scope():
            self._model = sizes.build(*shape)
            _synchronise(self._model)
            self._optimizer = _optimizer(recipe)
            self._optimizer.build(self._model.trainable_variables)
        self._plain = sizes.build(*shape)  # what is looked at, kept and returned: it knows nothing of other devices
        self._outputs = judgements(sizes, recipe.outputs)
        self._options = {"context": sizes.context_frames, "stride": sizes.step_frames, "outputs": self._outputs}
        self._mixer = Mixer(training, recipe.labels, recipe.mixing, **self._options)
        self._shards = Shards(self._mixer, recipe.seed, recipe.batch, how.num_replicas_in_sync)
        self._state = [v.value for v in (*self._model.variables, *self._optimizer.variables)]
        self._looks: Looks | None = None
        self.step, self._going = 0, True

    def prepare(self, validation: Pools, start: Path | None) -> None:
        """Take up what is there; make ready to look at the validation speakers. For the chief."""
        recipe = self._recipe
        if start:
            self._model.load_weights(start)
        self._checkpoints = Checkpoints(self._folder, self._state)
        self.step = self._checkpoints.restore()
        check = Mixer(validation, recipe.labels, recipe.mixing, **self._options)
        rng = np.random.default_rng(12_345)  # the same questions in every run
        batches = [check.draw(rng, recipe.batch) for _ in range(_VALIDATION_BATCHES)]
        self._looks = Looks(recipe, self._mixer.codes, batches, self._folder)
        since = json.loads((self._folder / "look.json").read_text("utf-8"))["since"]
        self._going = since < recipe.patience

    def begin(self) -> None:
        """Stand where the chief stands."""
        place = np.array([self.step, self._going], np.float64)
        *values, place = self._workers.told([*(v.numpy() for v in self._state), place])
        for variable, value in zip(self._state, values, strict=True):
            variable.assign(value)
        self.step, self._going = int(place[0]), bool(place[1])
        self._batches = iter(self._how.distribute_datasets_from_function(self._dataset))
        self._learn = self._compiled()

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return not self._going or self.step + self._recipe.check_every > self._recipe.steps

    def stretch(self) -> None:
        """Learn until the next look; look; keep."""
        count = self._recipe.check_every
        steps = range(count)
        loss = tf.zeros(())
        for _ in track(steps, total=count, what=f"steps from {self.step}") if self._me.chief else steps:
            loss += tf.add_n(self._how.experimental_local_results(self._learn(self._batches)))
        self.step += count
        mean = float(self._workers.total(np.array([float(loss)]))[0]) / count
        self._average()
        going = 0.0
        if self._looks:
            going = float(self._looks.look(self._plain, self.step, time.monotonic() - self._began, mean))
            self._checkpoints.save(self.step)
        # The others wait here while the chief looks and writes; it alone decides whether to go on.
        self._going = bool(self._workers.total(np.array([going]))[0])

    def best_model(self) -> keras.Model:
        """Return the plain model with the chief's best weights."""
        if self._me.chief:
            self._plain.load_weights(self._folder / "best.weights.h5")
        self._plain.set_weights(self._workers.told(self._plain.get_weights()))
        return self._plain

    def _average(self) -> None:
        """Put the averaged weights into the plain model."""
        own = [v.numpy() for v in self._model.trainable_variables]
        self._optimizer.finalize_variable_values(self._model.trainable_variables)
        self._plain.set_weights(self._model.get_weights())
        for variable, value in zip(self._model.trainable_variables, own, strict=True):
            variable.assign(value)

    def _compiled(self) -> Any:
        """One step as a graph: loss over the global batch, one sum of all gradients, clipping, update."""
        model, optimizer, how, recipe = self._model, self._optimizer, self._how, self._recipe
        loss_of = allowed_loss(self._mixer.codes)
        outputs = recipe.batch * self._outputs
        variables = model.trainable_variables
        lengths = [int(np.prod(v.shape)) for v in variables]
        seeds = [v for v in model.variables if v.path.endswith("seed_generator_state")]

        def scatter(step: Any) -> None:
            # Dropout: another mask on each replica, at each step, in each layer; the same ones after a restart.
            replica = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.int64)
            for at, variable in enumerate(seeds):
                value = tf.stack([(recipe.seed * 1_000 + replica) * 100 + at, step])
                variable.assign(tf.cast(value, variable.dtype))

        def learn(frames: Any, codes: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(loss_of(codes, model(frames, training=True))) / outputs
                whole = loss + sum(model.losses, 0.0) / how.num_replicas_in_sync
            own = tf.concat([tf.reshape(g, [-1]) for g in tape.gradient(whole, variables)], axis=0)
            summed = tf.split(tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, own), lengths)
            optimizer.apply([tf.reshape(g, v.shape) for g, v in zip(summed, variables, strict=True)], variables)
            return loss

        tf.function(lambda step: how.run(scatter, args=(step,)))(tf.constant(self.step, tf.int64))

        @tf.function  # type: ignore[untyped-decorator]
        def step(batches: Any) -> Any:
            return how.run(learn, args=next(batches))

        return step

    def _dataset(self, context: Any) -> Any:
        """What this worker's replicas learn from, one after the other, from the step where the run stands."""
        here = context.num_replicas_in_sync // context.num_input_pipelines
        first = context.input_pipeline_id * here

        def draw(number: Any) -> tuple[Any, Any]:
            batch = self._shards.draw(int(number) // here, first + int(number) % here)
            return batch.frames, batch.codes.astype(np.int32)

        def shaped(number: Any) -> tuple[Any, Any]:
            frames, codes = tf.numpy_function(draw, [number], [tf.float32, tf.int32])
            frames.set_shape([None, self._mixer.length, self._recipe.frontend.bins])
            codes.set_shape([None, self._outputs])
            return frames, codes

        numbers = tf.data.Dataset.counter(self.step * here)
        return numbers.map(shaped, num_parallel_calls=2, deterministic=True).prefetch(8)


def _synchronise(model: keras.Model) -> None:
    """Let batch normalisation see the whole batch, not the replica's part: all have the same statistics then."""
    for layer in model._flatten_layers():  # noqa: SLF001 (those within other layers too; Keras has no public way)
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


class SummedAdamW(keras.optimizers.AdamW):  # type: ignore[misc]
    """Gets gradients summed over all replicas, so that it clips the sum; Keras's own clips first and sums then."""

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> list[Any]:
        return list(grads_and_vars)


def _optimizer(recipe: Recipe) -> Any:
    return adamw(recipe, SummedAdamW)
