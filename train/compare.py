"""Networks trained on the same material for the same time, and a table of what each can do and costs.

Each network and seed is a pair with a folder of its own; a pair that is finished is not trained again,
so that a comparison can be stopped, gone on with, and widened by further networks and seeds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from spotter.errors import BadInputError
from spotter.model import Model
from spotter.settings import UNKNOWN, DecoderConfig
from train import plain
from train.answers import accuracy
from train.bank import read
from train.compare_plan import Comparison, recipe_for, steps_in
from train.costs import parameters
from train.data import Row, noise_rows, word_rows
from train.evaluate import ask, clips, silences
from train.export import export
from train.fit import fit
from train.hearing import Hearing
from train.material import Material, gather
from train.pace import seconds_per_step
from train.pools import Pools
from train.problems import tell, usable
from train.written import write_json


class Runs:
    """Trains and judges pairs; what all of them share is read once, when the first needs it."""

    def __init__(self, comparison: Comparison) -> None:
        if keras.backend.backend() != "tensorflow":
            raise BadInputError(
                f"networks are compared with one engine and exported by TensorFlow, and Keras runs on "
                f"{keras.backend.backend()}; set KERAS_BACKEND=tensorflow"
            )
        self.comparison = comparison
        folders = comparison.folders
        words, wrong = usable(word_rows(folders.words), folders.cache, what="words")
        noise, more = usable(noise_rows(folders.noise), folders.cache, longest_s=math.inf, what="noise")
        tell(wrong + more)
        names = "".join(f"{r.path.parent.name}/{r.path.name}:{r.path.stat().st_size}" for r in words + noise)
        self._recordings = hashlib.sha256(names.encode()).hexdigest()
        self._words = words
        self._noise = [r for r in noise if r.split == "validation"]
        self._material: tuple[Material, Pools, Pools] | None = None
        self._clips: dict[str, plain.Clips] = {}

    def pair(self, name: str, seed: int) -> dict[str, Any]:
        """Train and judge one network with one seed, or read what an earlier run found."""
        comparison = self.comparison
        folder = comparison.out / name / f"seed{seed}"
        settings = self._settings(name)
        if comparison.force:
            shutil.rmtree(folder, ignore_errors=True)
            (folder.parent / "plan.json").unlink(missing_ok=True)
        for path in (folder / "result.json", folder / "settings.json"):
            if path.exists() and json.loads(path.read_text("utf-8"))["settings"] != settings:
                raise BadInputError(
                    f"{folder} was trained with other settings or recordings; "
                    "give another --out, or --force to train it again"
                )
        if (folder / "result.json").exists():
            found: dict[str, Any] = json.loads((folder / "result.json").read_text("utf-8"))
            return found
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "settings.json", {"settings": settings})
        print(f"{name}, seed {seed}", flush=True)
        result = (self._tutorial if name == "tutorial" else self._sequences)(name, seed, folder)
        versions = {m.__name__: m.__version__ for m in (keras, np, tf)}
        result = {"network": name, "seed": seed, "settings": settings, "versions": versions, **result}
        result = {**result, "clips": self._judge(folder / "model")}
        write_json(folder / "result.json", result)
        return result

    def _settings(self, name: str) -> dict[str, Any]:
        """What must be the same in all seeds of a network, as plain data."""
        comparison = self.comparison
        values: dict[str, Any] = {"recordings": self._recordings}
        if name == "tutorial":
            values["plain"] = dataclasses.asdict(plain.Plain(keywords=comparison.recipe.keywords))
        else:
            values["recipe"] = dataclasses.asdict(recipe_for(comparison.recipe, name, steps=comparison.steps))
            values["minutes"] = None if comparison.steps else comparison.minutes
        plain_data: dict[str, Any] = json.loads(json.dumps(values, default=dict))
        return plain_data

    def _sequences(self, name: str, seed: int, folder: Path) -> dict[str, Any]:
        """Train on augmented sequences, as `fit` does."""
        if self._material is None:
            comparison = self.comparison
            material = gather(comparison.folders, comparison.recipe)
            sides = (material.pools(comparison.recipe, "training"), material.pools(comparison.recipe, "validation"))
            self._material = material, *sides
        material, training, validation = self._material
        recipe = recipe_for(self.comparison.recipe, name, seed=seed, steps=self._steps(name, training))
        with _timed(folder) as minutes:
            model = fit(recipe, training, validation, folder)
        about = {"command": self.comparison.command, "seed": seed, "steps": recipe.steps, "data": material.summary()}
        export(
            recipe, folder / "best.weights.h5", folder / "model", decoder=DecoderConfig(), training=about, force=True
        )
        return {**about, "minutes": minutes(), "parameters": parameters(model)}

    def _tutorial(self, name: str, seed: int, folder: Path) -> dict[str, Any]:
        """Train as the tutorial does."""
        settings = plain.Plain(keywords=self.comparison.recipe.keywords, seed=seed)
        if not self._clips:
            self._clips = {side: plain.load(self._words, settings, side) for side in ("training", "validation")}
        with _timed(folder) as minutes:
            model = plain.fit(settings, self._clips["training"], self._clips["validation"], folder)
        about: dict[str, Any] = {"command": self.comparison.command, "seed": seed, "network": name}
        about["data"] = {side: len(some.labels) for side, some in self._clips.items()}
        plain.export(settings, model, folder / "model", about)
        return {**about, "minutes": minutes(), "parameters": parameters(model)}

    def _steps(self, name: str, training: Pools) -> int:
        """Steps that fit into the minutes, measured once for all seeds of a network."""
        comparison = self.comparison
        if comparison.steps:
            return comparison.steps
        path = comparison.out / name / "plan.json"
        if path.exists():
            plan = json.loads(path.read_text("utf-8"))
            if plan["minutes"] == comparison.minutes:
                return int(plan["steps"])
        step_s = seconds_per_step(recipe_for(comparison.recipe, name), training)
        steps = steps_in(comparison.minutes, step_s, comparison.recipe.check_every)
        write_json(path, {"minutes": comparison.minutes, "seconds_per_step": round(step_s, 4), "steps": steps})
        print(f"{name}: {step_s:.3f} s a step, {steps} steps in {comparison.minutes:g} minutes", flush=True)
        return steps

    def _judge(self, folder: Path) -> dict[str, Any]:
        """Judge the model on the validation clips, as `evaluate` does."""
        return judge(Model.open(folder), [r for r in self._words if r.split == "validation"], self._noise)


@contextlib.contextmanager
def _timed(folder: Path) -> Iterator[Callable[[], float]]:
    """Count the minutes of a run, those before it was stopped included."""
    path = folder / "minutes.json"
    earlier = float(json.loads(path.read_text("utf-8"))["minutes"]) if path.exists() else 0.0
    began = time.monotonic()
    total = [earlier]
    try:
        yield lambda: round(total[0], 2)
    finally:
        total[0] = earlier + (time.monotonic() - began) / 60
        write_json(path, {"minutes": total[0]})


def judge(model: Model, rows: Sequence[Row], noise: Sequence[Row]) -> dict[str, Any]:
    """Judge a model on clips as `evaluate` does: of all labels, of the keywords, others taken for a keyword.

    A model without a label for other words is judged as its makers do: the clip is its window. What it
    makes of a clip as the listener would hear it is told beside that.
    """
    rng = np.random.default_rng(0)  # the same clips for every network
    chosen = clips(rows, model.keywords, rng)
    pieces = silences(noise, sum(r.word == UNKNOWN for r in chosen), rng) if noise else []
    heard = ask(Hearing(model), chosen, pieces)
    if UNKNOWN in model.labels:
        return {**accuracy(heard), "confusion": heard.table().tolist()}
    sounds = [read(r.path) for r in chosen] + pieces
    scores = np.stack([model.predict(plain.whole_second(s, model.context)) for s in sounds])
    alone = dataclasses.replace(heard, scores=scores)
    return {**accuracy(alone), "as_a_listener": accuracy(heard), "confusion": alone.table().tolist()}
