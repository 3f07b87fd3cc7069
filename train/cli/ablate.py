"""Train the recipe as it is and once without each augmentation, in short runs, and write the table that compares them.

Each run has a folder of its own in OUT; one that is finished is not repeated, so the same command goes on after
Ctrl-C, and --only runs some of them. Measured on the validation speakers: clips; streams at one threshold, and at
the threshold of each model that gives equal false accepts; the loss under the unchanged recipe.
OUT/ablation.md is the table, OUT/ablation.json all figures. With KERAS_BACKEND=torch runs are trained only, in a
third of the time; the same command without it then measures them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotter.errors import BadInputError
from train.cli.fit import add_material_arguments, folders_of

if TYPE_CHECKING:
    from train.ablate import Asked
    from train.material import Folders, Material
    from train.recipe import Recipe

EXAMPLE = """example:
  python -m train ablate data/words --speech data/speech --noise data/noise data/music --out runs/ablation

--only takes: as-it-is, another-seed, shift, level, noise, voices, speed, microphone, band, masks, warp, second,
bare, rooms, mixup"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with one folder of recordings per word")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs and the table: runs/ablation")
    parser.add_argument("--recipe", type=Path, default=Path(__file__).parent.parent / "recipes" / "commands.toml")
    add_material_arguments(parser)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="what to switch (default: all, in turn)")
    parser.add_argument("--steps", type=int, default=1_500, help="of each run (default: 1500)")
    parser.add_argument("--seed", type=int, help="in the place of the recipe's")
    parser.add_argument("--threshold", type=float, default=0.8, help="of the first comparison (default: 0.8)")
    parser.add_argument("--false-per-hour", type=float, default=10.0, help="of the second (default: 10)")
    parser.add_argument("--per-word", type=int, default=40, help="clips of each keyword and stream (default: 40)")
    parser.add_argument("--features", type=Path, help="where features are kept (default: features beside --out)")
    parser.add_argument("--force", action="store_true", help="begin anew, whatever is in --out")


def run(args: argparse.Namespace) -> int:
    """Train what is not finished, measure, write the table after each."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from train import recipe as recipes
    from train.ablate import Asked, chosen, run_entries, table
    from train.compare_plan import recipe_for
    from train.written import typed, write_json, write_text

    if args.speech is None:
        raise BadInputError("false accepts are counted in running speech; give --speech a folder of it")
    entries = chosen(args.only)
    if args.steps < 1 or args.per_word < 1 or not 0.0 < args.threshold < 1.0 or args.false_per_hour <= 0.0:
        raise BadInputError("--steps, --per-word and --false-per-hour take numbers above 0, --threshold one below 1")
    recipe = recipes.read(args.recipe)
    recipe = recipe_for(recipe, recipe.network, seed=recipe.seed if args.seed is None else args.seed, steps=args.steps)
    asked = Asked(threshold=args.threshold, false_per_hour=args.false_per_hour, per_word=args.per_word)
    folders = folders_of(args, args.features or args.out.parent / "features")
    data = json.loads(json.dumps({**dataclasses.asdict(folders), "cache": ""}, default=str))
    if args.force:
        for entry in entries:
            shutil.rmtree(args.out / entry.name, ignore_errors=True)
    args.out.mkdir(parents=True, exist_ok=True)
    about = {
        "command": typed(),
        "recipe": json.loads(json.dumps(dataclasses.asdict(recipe), default=dict)),
        "asked": dataclasses.asdict(asked),
        "folders": data,
        "versions": _versions(),
    }

    def keep(found: list[dict[str, Any]]) -> None:
        write_json(args.out / "ablation.json", {**about, "entries": found})
        write_text(args.out / "ablation.md", table(found, asked, recipe.steps))

    one = _Runs(recipe, folders, asked)
    found = run_entries(entries, recipe, args.out, asked, one, data=data, keep=keep)
    print(table(found, asked, recipe.steps))
    print(f"table: {args.out / 'ablation.md'}")
    return 0


class _Runs:
    """Trains and measures one recipe after the other; recordings are read again only where features differ."""

    def __init__(self, base: Recipe, folders: Folders, asked: Asked) -> None:
        self._base, self._folders, self._asked = base, folders, asked
        self._kept: tuple[object, Material] | None = None

    def __call__(self, recipe: Recipe, folder: Path) -> dict[str, Any] | None:
        """Train into `folder`, export to its `model`, measure; only train where TensorFlow does not run Keras."""
        import keras

        from spotter.settings import DecoderConfig
        from train.export import export
        from train.fit import fit
        from train.written import typed

        keras.utils.clear_session()
        material = self._material(recipe)
        validation = material.pools(self._base, "validation")
        began = time.monotonic()
        trained = fit(recipe, material.pools(recipe, "training"), validation, folder)
        minutes = (time.monotonic() - began) / 60
        if keras.backend.backend() != "tensorflow":
            print("trained; the same command with KERAS_BACKEND=tensorflow measures it", flush=True)
            return None
        loss = self._loss(trained, validation)
        about = {
            "command": typed(),
            "data": material.summary(),
            "seed": recipe.seed,
        }
        model_folder = folder / "model"
        export(recipe, folder / "best.weights.h5", model_folder, decoder=DecoderConfig(), training=about, force=True)
        return {
            **about,
            "labels": len(recipe.labels),
            "minutes": round(minutes, 2),
            "validation_loss": loss,
            **self._measured(model_folder),
        }

    def _material(self, recipe: Recipe) -> Material:
        from train.material import gather

        key = getattr(recipe, "rooms", None)
        if self._kept is None or self._kept[0] != key:
            self._kept = None  # two at once may be too much
            self._kept = key, gather(self._folders, recipe)
        return self._kept[1]

    def _loss(self, trained: Any, validation: Any) -> float:
        """The loss on validation speakers as the unchanged recipe mixes them: the same questions for all."""
        import numpy as np

        from train.batches import Mixer
        from train.history import validate
        from train.networks import network

        base = self._base
        sizes = network(base.network, base.network_options)
        mixer = Mixer(
            validation,
            base.labels,
            base.mixing,
            context=sizes.context_frames,
            stride=sizes.step_frames,
            outputs=base.outputs,
        )
        rng = np.random.default_rng(12_345)
        batches = [mixer.draw(rng, base.batch) for _ in range(16)]
        return float(validate(trained, mixer.codes, batches)["loss"])

    def _measured(self, folder: Path) -> dict[str, Any]:
        from spotter.model import Model
        from train.ablate import stream_figures
        from train.compare import judge
        from train.data import noise_rows, speech_rows, word_rows
        from train.facts import LONGEST_S
        from train.problems import usable

        model, folders = Model.open(folder), self._folders
        sources: tuple[tuple[list[Any], float], ...] = (
            (word_rows(folders.words), 10.0),
            (noise_rows(folders.noise), LONGEST_S),
            (speech_rows(folders.speech, model.keywords) if folders.speech else [], LONGEST_S),
        )
        words, noise, spoken = (
            usable([r for r in rows if r.split == "validation"], folders.cache, longest_s=longest)[0]
            for rows, longest in sources
        )
        return {
            "clips": judge(model, words, noise),
            "streams": stream_figures(model, words, noise, spoken, self._asked),
        }


def _versions() -> dict[str, str]:
    import keras
    import numpy as np

    return {"keras": keras.__version__, "keras_backend": keras.backend.backend(), "numpy": np.__version__}
