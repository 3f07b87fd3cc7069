"""Write a model folder from the weights of a run, with decoder settings of your choice.

With --data there is also model.int8.tflite, whole numbers inside, which is smaller, and quicker on Arm and
on processors that multiply bytes: training recordings set its ranges, and all forms are compared with
Keras on windows of validation speakers. Its input and output are float32.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotter.errors import BadInputError

if TYPE_CHECKING:
    from spotter.arrays import Floats
    from train.recipe import Recipe

EXAMPLE = """example:
  python -m train export runs/commands --out models/commands --threshold 0.8 --card CARD.md --force
  python -m train export runs/commands --out models/commands --data data/words --noise data/noise --force"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("work", type=Path, metavar="RUN", help="folder of a run, such as runs/commands")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--threshold", type=float, default=0.7)
    parser.add_argument("--thresholds", nargs="+", default=[], metavar="WORD=VALUE", help="of single keywords")
    parser.add_argument("--smooth-ms", type=float, default=100.0)
    parser.add_argument("--margin", type=float, default=0.1)
    parser.add_argument("--data", type=Path, metavar="DATA", help="recordings per word, for the whole-number form")
    parser.add_argument("--speech", type=Path, help="running speech, with --data")
    parser.add_argument("--noise", type=Path, nargs="+", default=[], help="folders of noise, with --data")
    parser.add_argument("--windows", type=int, default=200, help="how many windows are drawn from it (default: 200)")
    parser.add_argument("--seed", type=int, default=0, help="of the windows that are drawn (default: 0)")
    parser.add_argument("--card", type=Path, help="model card to put into the folder")
    parser.add_argument("--force", action="store_true", help="replace an existing model folder")


def run(args: argparse.Namespace) -> int:
    """Export and say how well the files agree with Keras."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from spotter.settings import DecoderConfig
    from train import parity
    from train import recipe as recipes
    from train.export import export, parity_of

    if args.out.exists() and not args.force:
        raise BadInputError(f"{args.out} exists; give another name, or --force to replace it")
    try:
        trained = json.loads((args.work / "run.json").read_text("utf-8"))
    except FileNotFoundError:
        raise BadInputError(f"{args.work} holds no run.json; give the folder of a finished run") from None
    recipe = recipes.from_dict(trained["recipe"])
    decoder = DecoderConfig(
        threshold=args.threshold,
        thresholds=dict(_pair(text) for text in args.thresholds),
        smooth_ms=args.smooth_ms,
        margin=args.margin,
    )
    training = {k: v for k, v in trained.items() if k not in ("differences_to_keras", "parity")}
    representative, validation = _windows(args, recipe) if args.data else (None, None)
    differences = export(
        recipe,
        args.work / f"round{recipe.rounds}" / "best.weights.h5",
        args.out,
        decoder=decoder,
        training=training,
        card=args.card.read_text("utf-8") if args.card else "",
        force=args.force,
        representative=representative,
        validation=validation,
    )
    found = parity_of(args.out)
    _note(args.work / "run.json", {**training, "differences_to_keras": differences, "parity": found})
    print("greatest differences to Keras: " + ", ".join(f"{k} {v:.1e}" for k, v in differences.items()))
    print("".join(f"{line}\n" for line in parity.lines(found)), end="")
    return 0


def _note(path: Path, values: dict[str, Any]) -> None:
    """Add to the run's own record; a run that may only be read stays as it is."""
    from train.written import write_json

    with contextlib.suppress(PermissionError):
        write_json(path, values)


def _windows(args: argparse.Namespace, recipe: Recipe) -> tuple[Floats, Floats | None]:
    """Windows of training speakers, and of validation speakers where there are any."""
    import numpy as np

    from train.data import noise_rows, speech_rows, word_rows
    from train.facts import LONGEST_S, LONGEST_WORD_S
    from train.networks import network
    from train.representative import usable, windows

    if args.windows < 1:
        raise BadInputError(f"--windows {args.windows} are none; give some hundreds")
    words, noise = word_rows(args.data), noise_rows(args.noise)
    speech = speech_rows(args.speech, recipe.keywords) if args.speech else []
    context = network(recipe.network, recipe.network_options).context_frames
    drawn: list[Floats] = []
    for number, side in enumerate(("training", "validation")):
        rng = np.random.default_rng([args.seed, number])
        sounds = usable([r for r in words if r.split == side], LONGEST_WORD_S, rng, 2 * args.windows)
        sounds += usable([r for r in speech if r.split == side], LONGEST_S, rng, args.windows // 2)
        under = usable([r for r in noise if r.split == side], LONGEST_S, rng, args.windows)
        if sounds or not drawn:
            drawn.append(windows(sounds, under, recipe.frontend, context, rng, args.windows))
    return drawn[0], drawn[1] if len(drawn) > 1 else None


def _pair(text: str) -> tuple[str, float]:
    word, _, value = text.partition("=")
    try:
        return word, float(value)
    except ValueError:
        raise BadInputError(f"{text!r} is no WORD=VALUE; give one such as yes=0.8") from None
