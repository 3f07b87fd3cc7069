"""Train networks on the same recordings for the same time, and write the table that compares them.

Each network and seed is a run of its own in OUT/NETWORK/seedN; one that is finished is not trained
again, so the same command goes on after Ctrl-C, and another one adds networks or seeds to the table.
The tutorial's CNN is trained as the tutorial does, whatever the time. OUT/compare.md is the table,
OUT/compare.json all figures. Costs are measured anew each time, all networks in one go.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path

from spotter.errors import BadInputError
from train.cli.fit import add_material_arguments, folders_of
from train.networks import NETWORKS

EXAMPLE = f"""example:
  python -m train compare data/words --speech data/speech --noise data/noise --out runs/compare --seeds 1
  python -m train compare data/words --speech data/speech --noise data/noise --out runs/compare \\
      --networks tutorial temporal --seeds 3

networks: {", ".join(NETWORKS)}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with one folder of recordings per word")
    parser.add_argument("--out", type=Path, required=True, help="folder of the comparison, such as runs/compare")
    parser.add_argument("--recipe", type=Path, default=Path(__file__).parent.parent / "recipes" / "commands.toml")
    add_material_arguments(parser)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), metavar="NAME", help="(default: all)")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each network, from --seed on (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="the first (default: 0)")
    parser.add_argument("--minutes", type=float, default=10.0, help="of training, each run (default: 10)")
    parser.add_argument("--steps", type=int, help="of training, in the place of minutes")
    parser.add_argument("--features", type=Path, help="where features are kept (default: features beside --out)")
    parser.add_argument("--force", action="store_true", help="train again what was trained with other settings")


def run(args: argparse.Namespace) -> int:
    """Train what is not finished, judge, measure, write the table."""
    for name in args.networks:
        if name not in NETWORKS:
            raise BadInputError(f"no network called {name!r}; there are: {', '.join(NETWORKS)}")
    if args.seeds < 1 or args.minutes <= 0 or (args.steps is not None and args.steps < 1):
        raise BadInputError("--seeds, --minutes and --steps take numbers above zero; give some")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from benchmarks import floor
    from spotter.model import Model
    from train import recipe as recipes
    from train.compare import Runs
    from train.compare_plan import Comparison
    from train.compare_table import results, table
    from train.costs import costs
    from train.written import typed, write_json, write_text

    comparison = Comparison(
        folders=folders_of(args, args.features or args.out.parent / "features"),
        recipe=recipes.read(args.recipe),
        out=args.out,
        minutes=args.minutes,
        steps=args.steps,
        force=args.force,
        command=typed(),
    )
    args.out.mkdir(parents=True, exist_ok=True)
    runs = Runs(comparison)
    for name in args.networks:
        for seed in range(args.seed, args.seed + args.seeds):
            runs.pair(name, seed)
    found = results(args.out)
    peak, kernel = floor.peak()
    models = {r["network"]: args.out / r["network"] / f"seed{r['seed']}" / "model" for r in found}
    measured = {name: costs(Model.open(folder)) for name, folder in models.items()}
    text = table(found, measured, peak)
    write_json(
        args.out / "compare.json",
        {
            "pairs": found,
            "costs": {name: dataclasses.asdict(c) for name, c in measured.items()},
            "peak_multiply_adds_per_second": peak,
            "peak_kernel": kernel,
        },
    )
    write_text(args.out / "compare.md", text)
    print(text)
    return 0
