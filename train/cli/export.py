"""Write a model folder from the weights of a run, with decoder settings of your choice."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from spotter.errors import BadInputError

EXAMPLE = """example:
  python -m train export runs/commands --out models/commands --threshold 0.8 --card CARD.md --force"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("work", type=Path, metavar="RUN", help="folder of a run, such as runs/commands")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--threshold", type=float, default=0.7)
    parser.add_argument("--thresholds", nargs="+", default=[], metavar="WORD=VALUE", help="of single keywords")
    parser.add_argument("--smooth-ms", type=float, default=100.0)
    parser.add_argument("--margin", type=float, default=0.1)
    parser.add_argument("--card", type=Path, help="model card to put into the folder")
    parser.add_argument("--force", action="store_true", help="replace an existing model folder")


def run(args: argparse.Namespace) -> int:
    """Export and say how well the files agree with Keras."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from spotter.settings import DecoderConfig
    from train import recipe as recipes
    from train.export import export

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
    differences = export(
        recipe,
        args.work / f"round{recipe.rounds}" / "best.weights.h5",
        args.out,
        decoder=decoder,
        training={k: v for k, v in trained.items() if k != "differences_to_keras"},
        card=args.card.read_text("utf-8") if args.card else "",
        force=args.force,
    )
    print("greatest differences to Keras: " + ", ".join(f"{k} {v:.1e}" for k, v in differences.items()))
    return 0


def _pair(text: str) -> tuple[str, float]:
    word, _, value = text.partition("=")
    try:
        return word, float(value)
    except ValueError:
        raise BadInputError(f"{text!r} is no WORD=VALUE; give one such as yes=0.8") from None
