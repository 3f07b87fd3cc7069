"""Make a model from folders of recordings, one folder per word, and say what is to be expected of it.

DATA holds WORD/SPEAKER_nohash_N.wav, as `record` and `collect` write it and as Speech Commands has it.

Of few recordings (5 to about 200 of each word) a small head is fitted on a frozen backbone, in a minute
or two; all folders are words then, but for those that begin with "_". Of many a network is trained,
exported, and measured on the validation speakers; words that are no keywords teach what to leave alone,
and so do running speech (--speech), noise and phrases. What is found on the way stays in --work, and the
same command goes on from there.

With KERAS_BACKEND=torch the default network trains in a third of the processor time.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotter.errors import BadInputError, SpotterError
from train.cli.data_arguments import add_data_arguments, background_noise, data_folder
from train.cli.fit_own import add_own_arguments, run_own, wants_head
from train.cli.one_thread import one_blas_thread

if TYPE_CHECKING:
    from train.material import Folders, Material
    from train.pools import Pools
    from train.recipe import Recipe

_RECIPE = Path(__file__).parent.parent / "recipes" / "commands.toml"

EXAMPLE = """examples:
  python -m train fit data/mine --out models/mine
  python -m train fit data/words --speech data/speech --noise data/noise data/music --out models/mine"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    add_data_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="model folder to write, such as models/mine")
    parser.add_argument("--recipe", type=Path, help="how a network is trained (default: as the shipped one was)")
    parser.add_argument("--keywords", nargs="+", help="words to be heard (default: the recipe's, or all folders)")
    add_material_arguments(parser)
    parser.add_argument("--hard", type=Path, nargs="+", default=[], help="tables of places that fooled a model (mine)")
    parser.add_argument("--seed", type=int, help="in the place of the recipe's")
    parser.add_argument("--steps", type=int, help="in the place of the recipe's")
    parser.add_argument("--distribute", action="store_true", help="several GPUs, or machines named in TF_CONFIG")
    parser.add_argument("--work", type=Path, help="where the run keeps its state (default: runs/NAME of --out)")
    parser.add_argument("--force", action="store_true", help="replace an existing model folder")
    add_own_arguments(parser)


def add_material_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which recordings there may be besides the words."""
    parser.add_argument("--speech", type=Path, help="running speech: SPEAKER/NAME files, and a table FOLDER.tsv if any")
    parser.add_argument("--noise", type=Path, nargs="+", default=[], help="folders of noise and music")
    parser.add_argument("--rir", type=Path, nargs="+", default=[], help="folders of recorded room responses")
    parser.add_argument("--phrases", type=Path, help="PHRASE/NAME files that are no keywords")
    parser.add_argument("--synthetic", type=Path, help="words by synthetic voices (words say), laid out as DATA")
    parser.add_argument("--aligned", type=Path, help="table of words in the speech (words align)")


def folders_of(args: argparse.Namespace, cache: Path) -> Folders:
    """The folders that were named."""
    from train.material import Folders

    return Folders(
        words=args.data,
        cache=cache,
        speech=args.speech,
        noise=tuple(args.noise),
        phrases=args.phrases,
        synthetic=args.synthetic,
        aligned=args.aligned,
        rirs=tuple(args.rir),
    )


def run(args: argparse.Namespace) -> int:
    """Fit, mine, fit on, export, evaluate."""
    if args.out.exists() and not (args.force or args.update):
        raise BadInputError(f"{args.out} exists; give another name, or --force to replace it")
    one_blas_thread()
    if args.data is not None and wants_head(args):
        return run_own(args)
    args.data = data_folder(args)
    args.recipe = args.recipe or _RECIPE
    args.noise = background_noise(args, args.data)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from train import recipe as recipes
    from train.material import gather
    from train.written import typed, write_json

    recipe = recipes.read(args.recipe)
    changes: dict[str, Any] = {k: v for k in ("seed", "steps") if (v := getattr(args, k)) is not None}
    if args.keywords:
        changes["keywords"] = tuple(args.keywords)
    recipe = dataclasses.replace(recipe, **changes)
    work = args.work or Path("runs") / args.out.name
    work.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    material = gather(folders_of(args, work.parent / "features"), recipe)
    trained: dict[str, Any] = {
        "command": typed(),
        "recipe": json.loads(json.dumps(dataclasses.asdict(recipe), default=dict)),
        "data": material.summary(),
        "versions": _versions(),
    }
    # What took part in an earlier, stopped part of the run counts too.
    record = work / "run.json"
    earlier = json.loads(record.read_text("utf-8")).get("minutes", 0.0) if record.exists() else 0.0

    def note() -> None:
        if not _is_chief(args):
            return
        write_json(record, {**trained, "minutes": round(earlier + (time.monotonic() - began) / 60, 1)})

    note()
    try:
        _rounds(recipe, material, work, args)
    finally:
        note()
    return int(_chief_first(args, lambda: _export(args, work) if _is_chief(args) else 0))


def _rounds(recipe: Recipe, material: Material, work: Path, args: argparse.Namespace) -> None:
    """Learn; mine with what was learned; learn on with what was found."""
    from train.mine import mine_round
    from train.recipe import in_rounds

    fit = _fit(args)
    validation = material.pools(recipe, "validation")
    training = with_hard(recipe, material, material.pools(recipe, "training"), args.hard)
    model = fit(recipe, training, validation, work / "round0")
    for number in range(1, recipe.rounds + 1):
        found = _chief_first(
            args,
            lambda model=model, training=training, path=work / f"hard{number}.npz": mine_round(  # type: ignore[misc]
                model, recipe, training, path, copies=recipe.mined_copies
            ),
        )
        training = dataclasses.replace(training, hard=_joined(training.hard, found))
        further = in_rounds(recipe, number)
        before = work / f"round{number - 1}" / "best.weights.h5"
        model = fit(further, training, validation, work / f"round{number}", start=before)


def _is_chief(args: argparse.Namespace) -> bool:
    """Whether this process writes: all do but the helpers of a distributed run."""
    if not args.distribute:
        return True
    from train.cluster import cluster

    return cluster().chief


def _chief_first(args: argparse.Namespace, work: Callable[[], Any]) -> Any:
    """Do something that writes; the helpers of a distributed run wait for it, then find it done."""
    if not args.distribute:
        return work()
    from train.together import chief_first

    return chief_first(work)


def _fit(args: argparse.Namespace) -> Callable[..., Any]:
    if args.distribute:
        from train.distribute import fit_distributed

        return fit_distributed
    from train.fit import fit

    return fit


def with_hard(recipe: Recipe, material: Material, training: Pools, tables: Sequence[Path]) -> Pools:
    """Add the places of tables that `mine` wrote."""
    from train.hard import hard_frames, read_hard
    from train.networks import judgements, network

    sizes = network(recipe.network, recipe.network_options)
    length = sizes.context_frames + sizes.step_frames * (judgements(sizes, recipe.outputs) - 1)
    for table in tables:
        part = material.speech
        found = hard_frames(
            read_hard(table),
            part.rows,
            part.bank,
            recipe.frontend,
            offset=material.offset(part),
            context=sizes.context_frames,
            length=length,
        )
        training = dataclasses.replace(training, hard=_joined(training.hard, found))
    return training


def _joined(one: Any, other: Any) -> Any:
    import numpy as np

    return np.unique(np.concatenate([one, other]))


def _export(args: argparse.Namespace, work: Path) -> int:
    """Export with the settings that a listener starts with, and measure; needs TensorFlow, whatever trained."""
    step = ["export", str(work), "--out", str(args.out), "--data", str(args.data)]
    step += ["--speech", str(args.speech)] if args.speech else []
    step += ["--noise", *map(str, args.noise)] if args.noise else []
    step += ["--force"] if args.force else []
    if importlib.util.find_spec("tensorflow") is None:
        print(f"trained; where TensorFlow is installed, go on with: {shlex.join(['python', '-m', 'train', *step])}")
        return 0
    import keras

    if keras.backend.backend() == "tensorflow":
        from train.cli import main

        code = main(step)
    else:
        environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
        code = subprocess.run([sys.executable, "-m", "train", *step], env=environment, check=False).returncode  # noqa: S603 - our own step
    if code:
        raise SpotterError(f"trained, but not exported; {work} holds the weights, see the line above")
    from train.cli.evaluate import clip_report

    print(clip_report(args.out, args.data, tuple(args.noise), picture=work / "confusion.png"))
    from train.looks import looks_of
    from train.pictures import learning_curve

    learning_curve(looks_of(work), work / "history.png")
    print(f"learning: {work / 'history.png'}")
    return 0


def _versions() -> dict[str, str]:
    import keras
    import numpy as np

    backend = keras.backend.backend()
    module = sys.modules[{"tensorflow": "tensorflow", "torch": "torch", "jax": "jax"}[backend]]
    return {"keras": keras.__version__, "numpy": np.__version__, backend: module.__version__}
