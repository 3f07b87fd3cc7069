"""Looks at the validation speakers while training: history, the best weights, when to stop."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from train.batches import Batch
from train.codes import Codes
from train.recipe import Recipe
from train.written import write_json


class Looks:
    """What is kept of a run in its folder; made again over a folder it goes on from what is there."""

    def __init__(self, recipe: Recipe, codes: Codes, batches: Sequence[Batch], folder: Path) -> None:
        self._recipe, self._codes, self._batches, self._folder = recipe, codes, batches, folder
        self._state = folder / "look.json"
        state = json.loads(self._state.read_text("utf-8")) if self._state.exists() else {"best": 1e9, "since": 0}
        self.best, self._since = float(state["best"]), int(state["since"])

    def look(self, model: keras.Model, steps: int, seconds: float, training_loss: float, *, by: Any = None) -> bool:
        """Measure, keep the weights if they are the best so far, write a line; say whether to go on.

        by : what predicts in the place of `model`
        """
        figures = validate(by or model, self._codes, self._batches)
        self._since += 1
        if figures["loss"] < self.best:
            self.best, self._since = figures["loss"], 0
            model.save_weights(self._folder / "best.weights.h5")
        write_json(self._state, {"best": self.best, "since": self._since})
        row = {
            "steps": steps,
            "seconds": round(seconds),
            "training_loss": round(training_loss, 5),
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
        return self._since < self._recipe.patience


def validate(model: Any, codes: Codes, batches: Sequence[Batch]) -> dict[str, float]:
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
