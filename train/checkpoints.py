"""The chief's checkpoints of a distributed run, and the history that belongs to the last of them.

TensorFlow's advice is that every worker saves, all but the chief to a temporary place, because some
variables must be summed over workers to be saved. Here all workers hold the same numbers, so the chief
saves alone.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from spotter.errors import BadInputError
from train.written import write_json, write_text


class Checkpoints:
    """Variables and the place of a run in `folder`; a step that was not saved to its end never happened."""

    def __init__(self, folder: Path, variables: Sequence[Any]) -> None:
        self._folder, where = folder, folder / "checkpoints"
        if (folder / "history.csv").exists() and not where.exists():
            raise BadInputError(f"{folder} holds a run without --distribute; go on without it, or give another --work")
        where.mkdir(parents=True, exist_ok=True)
        self._place = tf.Variable([0.0, 1e9, 0.0], dtype=tf.float64)  # step, best validation loss, looks since then
        self._kept = tf.train.Checkpoint(variables=list(variables), place=self._place)
        self._manager = tf.train.CheckpointManager(self._kept, str(where), max_to_keep=2)

    def restore(self) -> int:
        """Take up the last checkpoint, if there is one; return its step.

        Lines of the history that were written after it are forgotten: they will come again.
        """
        history, look = self._folder / "history.csv", self._folder / "look.json"
        latest = self._manager.latest_checkpoint
        if latest:
            try:
                self._kept.restore(latest).assert_consumed()
            except (ValueError, AssertionError, tf.errors.OpError):
                raise BadInputError(
                    f"{latest} is of another network; give the recipe it was made with, or another --work"
                ) from None
        step, best, since = self._place.numpy().tolist()
        if history.exists():
            lines = history.read_text("utf-8").splitlines()
            at = next(csv.reader(lines[:1])).index("steps")
            kept = [line for line, row in zip(lines[1:], csv.reader(lines[1:]), strict=True) if int(row[at]) <= step]
            write_text(history, "\n".join([lines[0], *kept, ""]))
        write_json(look, {"best": best, "since": int(since)})
        return int(step)

    def save(self, step: int) -> None:
        """Keep everything as it is after `step`; the two last are kept."""
        look = json.loads((self._folder / "look.json").read_text("utf-8"))
        self._place.assign([step, look["best"], look["since"]])
        self._manager.save(step)
