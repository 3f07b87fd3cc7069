"""Train a model from folders of recordings, export it, and measure it on the validation speakers.

DATA holds one folder of recordings per word, as Speech Commands has them: WORD/SPEAKER_nohash_N.wav.
Words that are no keywords teach what to leave alone; so do running speech (--speech), noise and
phrases. What is found on the way stays in --work, and the same command goes on from there.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

from spotter.errors import BadInputError
from spotter.settings import DecoderConfig

EXAMPLE = """example:
  python -m train fit data/words --speech data/speech --noise data/noise data/music --out models/mine"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with one folder of recordings per word")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write, such as models/mine")
    parser.add_argument("--recipe", type=Path, default=Path(__file__).parent.parent / "recipes" / "commands.toml")
    parser.add_argument("--keywords", nargs="+", help="words to be heard, in the place of the recipe's")
    parser.add_argument("--speech", type=Path, help="running speech: SPEAKER/NAME files, and a table FOLDER.tsv if any")
    parser.add_argument("--noise", type=Path, nargs="+", default=[], help="folders of noise and music")
    parser.add_argument("--phrases", type=Path, help="PHRASE/NAME files that are no keywords")
    parser.add_argument("--seed", type=int, help="in the place of the recipe's")
    parser.add_argument("--steps", type=int, help="in the place of the recipe's")
    parser.add_argument("--work", type=Path, help="where the run keeps its state (default: runs/NAME of --out)")
    parser.add_argument("--force", action="store_true", help="replace an existing model folder")


def run(args: argparse.Namespace) -> int:
    """Fit, mine, fit on, export, evaluate."""
    if args.out.exists() and not args.force:
        raise BadInputError(f"{args.out} exists; give another name, or --force to replace it")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from train import recipe as recipes
    from train.cli.evaluate import clip_report
    from train.export import export
    from train.fit import fit, write_json
    from train.material import Folders, gather
    from train.mine import mine_round

    recipe = recipes.read(args.recipe)
    changes: dict[str, Any] = {k: v for k in ("seed", "steps") if (v := getattr(args, k)) is not None}
    if args.keywords:
        changes["keywords"] = tuple(args.keywords)
    recipe = dataclasses.replace(recipe, **changes)
    work = args.work or Path("runs") / args.out.name
    work.mkdir(parents=True, exist_ok=True)
    folders = Folders(
        words=args.data,
        cache=work.parent / "features",
        speech=args.speech,
        noise=tuple(args.noise),
        phrases=args.phrases,
    )
    began = time.monotonic()
    material = gather(folders, recipe)
    validation = material.pools(recipe, "validation")
    training = material.pools(recipe, "training")
    model = fit(recipe, training, validation, work / "round0")
    for number in range(1, recipe.rounds + 1):
        hard = mine_round(model, recipe, training, work / f"hard{number}.npz")
        training = dataclasses.replace(training, hard=hard)
        further = dataclasses.replace(
            recipe,
            steps=recipe.round_steps,
            learning_rate=recipe.round_learning_rate,
            seed=recipe.seed + 1_000 * number,
        )
        before = work / f"round{number - 1}" / "best.weights.h5"
        model = fit(further, training, validation, work / f"round{number}", start=before)
    weights = work / f"round{recipe.rounds}" / "best.weights.h5"
    trained = {
        "command": "python -m train fit",
        "recipe": json.loads(json.dumps(dataclasses.asdict(recipe), default=dict)),
        "data": material.summary(),
        "versions": _versions(),
        "minutes": round((time.monotonic() - began) / 60, 1),
    }
    differences = export(recipe, weights, args.out, decoder=DecoderConfig(), training=trained, force=args.force)
    write_json(work / "run.json", {**trained, "differences_to_keras": differences})
    print("exported; greatest differences to Keras: " + ", ".join(f"{k} {v:.1e}" for k, v in differences.items()))
    print(clip_report(args.out, args.data, tuple(args.noise), picture=work / "confusion.png"))
    return 0


def _versions() -> dict[str, str]:
    import keras
    import numpy as np
    import tensorflow as tf

    return {"keras": keras.__version__, "numpy": np.__version__, "tensorflow": tf.__version__}
