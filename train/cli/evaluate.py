"""Measure a model on one-second clips of the validation speakers.

A clip gets the label that `Model.predict` scores highest: heard alone in silence, at the moment that
says most about it. Printed are accuracy over all labels and among the keywords, the confusion matrix,
calibration, and how the worst tenth of the speakers fares. With --speech also the share of windows of
running speech without keywords in which one is heard. With --out a folder gets report.json, report.md
and pictures, and the clips are heard again in noise and rooms, faint and too loud, over a telephone.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from train.cli.data_arguments import add_data_arguments, background_noise, data_folder

EXAMPLE = """example:
  python -m train evaluate models/commands data/words --noise data/noise --speech data/speech --out runs/measured"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="model folder")
    add_data_arguments(parser)
    parser.add_argument(
        "--noise", type=Path, nargs="+", default=[], help="folders of noise, for the label silence and to lay under"
    )
    parser.add_argument("--speech", type=Path, help="running speech: SPEAKER/NAME files, and a table FOLDER.tsv if any")
    parser.add_argument(
        "--rir", type=Path, nargs="+", default=[], help="folders of room responses, besides the simulated rooms"
    )
    parser.add_argument("--split", choices=("training", "validation", "testing"), default="validation")
    parser.add_argument(
        "--network", default="model.tflite", metavar="FILE", help="file of the model, such as model.int8.tflite"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write report.json, report.md and pictures there")
    parser.add_argument(
        "--per-condition",
        type=int,
        default=600,
        metavar="N",
        help="clips for the conditions, with --out (default: 600; 0: none); give fewer where there is no stream form",
    )
    parser.add_argument("--picture", type=Path, metavar="PNG", help="write the confusion matrix there")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (default: 0)")
    parser.add_argument("--force", action="store_true", help="replace an existing --out")


def run(args: argparse.Namespace) -> int:
    """Measure, print, write."""
    from train.measure import Measured, check_out, measure, write
    from train.report import clip_lines, further_lines

    check_out(args.out, force=args.force)
    args.data = data_folder(args)
    args.noise = background_noise(args, args.data)
    wanted = Measured(
        model=args.model,
        data=args.data,
        noise=tuple(args.noise),
        speech=args.speech,
        rir=tuple(args.rir),
        split=args.split,
        network=args.network,
        per_condition=args.per_condition if args.out else 0,
        seed=args.seed,
    )
    report = measure(wanted)
    if args.out:
        report["command"] = _command(args)
        write(report, args.out)
    print("\n".join([*clip_lines(report), *further_lines(report)]))
    _say(report["unreadable"])
    if args.picture:
        _picture(report, args.picture)
        print(f"\npicture: {args.picture}")
    if args.out:
        print(f"\nreport: {args.out / 'report.md'}")
    return 0


def clip_report(
    folder: Path, data: Path, noise: Sequence[Path] = (), *, split: str = "validation", picture: Path | None = None
) -> str:
    """Accuracy over all labels and among the keywords, and the confusion matrix, as text."""
    from train.measure import Measured, measure
    from train.report import clip_lines

    report = measure(Measured(model=folder, data=data, noise=tuple(noise), split=split))
    _say(report["unreadable"])
    lines = clip_lines(report)
    if picture:
        _picture(report, picture)
        lines.append(f"\npicture: {picture}")
    return "\n".join(lines)


def _picture(report: dict[str, Any], path: Path) -> None:
    import numpy as np

    from train.pictures import confusion_matrix

    confusion = report["clips"]["confusion"]
    confusion_matrix(np.array(confusion["rows_said_columns_given"]), confusion["labels"], path)


def _say(unreadable: Sequence[str]) -> None:
    import sys

    for line in unreadable:
        print(f"train: left out: {line}", file=sys.stderr)


def _command(args: argparse.Namespace) -> str:
    """The command as it can be typed again, without what only says where results go."""
    words = ["python", "-m", "train", "evaluate", str(args.model), str(args.data)]
    for name in ("noise", "rir"):
        if folders := getattr(args, name):
            words += [f"--{name}", *map(str, folders)]
    if args.speech:
        words += ["--speech", str(args.speech)]
    for name, default in (("split", "validation"), ("network", "model.tflite"), ("per_condition", 600), ("seed", 0)):
        if getattr(args, name) != default:
            words += [f"--{name.replace('_', '-')}", str(getattr(args, name))]
    return shlex.join([*words, "--out", str(args.out)])
