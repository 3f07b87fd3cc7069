"""The devices that train together: TensorFlow's strategy for them, and what workers tell each other."""

from __future__ import annotations

import functools
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from train.cluster import Cluster, all_there, cluster

T = TypeVar("T")


@functools.cache
def strategy() -> Any:
    """Return `tf.distribute`'s way for what is here: several machines, several GPUs, or one device.

    Made once in a process, before TensorFlow computes anything; with several machines it waits for them.
    """
    me = cluster()
    if me.addresses:
        print(f"worker {me.rank} of {len(me.addresses)}; waiting until all are there", file=sys.stderr, flush=True)
        with _ctrl_c_at_once():
            return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


class Workers:
    """All workers of a cluster, seen from this one; each calls the same methods in the same order."""

    def __init__(self, me: Cluster, how: Any) -> None:
        self._me, self._how = me, how

    def total(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Sum what each worker gives, shape (n,); they wait here for each other."""
        if not self._me.several:
            return values
        own = self._me.rank * (self._how.num_replicas_in_sync // len(self._me.addresses))  # speaks for its worker

        def given(context: Any) -> Any:
            return tf.constant(values if context.replica_id_in_sync_group == own else np.zeros_like(values))

        with _ctrl_c_at_once():
            each = self._how.experimental_distribute_values_from_function(given)
            return np.asarray(self._how.reduce(tf.distribute.ReduceOp.SUM, each, axis=None))

    def told(self, arrays: Sequence[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """Return the chief's arrays to everybody; float64 holds numbers of all their kinds exactly."""
        flat = np.concatenate([np.ravel(a).astype(np.float64) for a in arrays])
        flat = self.total(flat if self._me.chief else np.zeros_like(flat))
        pieces = np.split(flat, np.cumsum([a.size for a in arrays])[:-1])
        return [p.reshape(a.shape).astype(a.dtype) for p, a in zip(pieces, arrays, strict=True)]


def chief_first(work: Callable[[], T]) -> T:
    """Let the chief do some work, then the others, who find on a common disk what it has left there."""
    me = cluster()
    with all_there(me, lambda: None):
        workers = Workers(me, strategy())
        if me.chief:
            done = work()
        workers.total(np.zeros(1))
        return done if me.chief else work()


@contextmanager
def _ctrl_c_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process outright: Python does not hear it while TensorFlow waits, and nothing is lost then."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what signals do
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
