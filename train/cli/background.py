"""Make a bank of background for own words: embeddings of other speech, words, noise and music, in one small file.

A head for own words is fitted against it, and its threshold is set on it. Where a table FOLDER.tsv beside a folder of
speech has a column transcript, the bank knows which words are said where, and `fit` leaves these places out for
them; other speech must not hold the words that are to be heard later. Of --words only the training speakers are
taken, and of --speech too, so that the others can judge; --all takes them as well.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from spotter.errors import BadInputError

EXAMPLE = """example:
  python -m train background --speech data/speech --words data/words --noise data/noise --music data/music \\
    --out background.npz"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    folders = {"type": Path, "nargs": "+", "default": [], "metavar": "DIR"}
    parser.add_argument("--speech", **folders, help="folders of speech, SPEAKER/NAME")  # type: ignore[arg-type]
    parser.add_argument("--words", **folders, help="folders of other words, WORD/NAME")  # type: ignore[arg-type]
    parser.add_argument("--noise", **folders, help="folders of noise without speech")  # type: ignore[arg-type]
    parser.add_argument("--music", **folders, help="folders of music")  # type: ignore[arg-type]
    parser.add_argument("--out", type=Path, required=True, help="file to write, NAME.npz; NAME.json beside it")
    parser.add_argument("--backbone", default="auto", help="whose embeddings (default: the best one installed)")
    parser.add_argument("--speech-hours", type=float, default=4.2, help="of speech at most, speakers drawn (4.2)")
    parser.add_argument("--per-word", type=int, default=50, help="recordings of each word at most, drawn (50)")
    parser.add_argument("--components", type=int, help="numbers kept of an embedding (80; of the student 64)")
    parser.add_argument("--rounding", type=float, help="step between two values of a number (10; of the student 0.8)")
    parser.add_argument("--all", action="store_true", help="validation and testing speakers too")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (default: 0)")
    parser.add_argument("--force", action="store_true", help="replace an existing file")


def run(args: argparse.Namespace) -> int:
    """Make the bank."""
    from spotter.backbone import STUDENT, open_backbone
    from train.data import noise_rows, speech_rows, vocabulary, word_rows
    from train.own.bank import KINDS, Packing, read_bank, write_bank
    from train.own.make_bank import BankPlan, make_bank
    from train.written import typed, write_json

    if args.out.suffix != ".npz":
        raise BadInputError(f"{args.out} does not end with .npz; give such a name")
    if args.out.exists() and not args.force:
        raise BadInputError(f"{args.out} exists; give another name, or --force to replace it")
    backbone = open_backbone(args.backbone)
    usual = Packing(components=64, step=0.8) if backbone.name == STUDENT else Packing()  # its numbers are smaller
    packing = Packing(
        components=usual.components if args.components is None else args.components,
        step=usual.step if args.rounding is None else args.rounding,
    )
    if packing.components < 1 or args.per_word < 1 or not packing.step > 0 or not args.speech_hours > 0:
        raise BadInputError("--components, --per-word, --rounding and --speech-hours must be more than 0")
    rows = {
        "speech": [row for folder in args.speech for row in speech_rows(folder, ())],
        "words": [row for folder in args.words for row in word_rows(folder)],
        "noise": noise_rows(args.noise),
        "music": noise_rows(args.music),
    }
    if not args.all:
        rows = {kind: [r for r in mine if r.split == "training"] for kind, mine in rows.items()}
    plan = BankPlan(most_per_word=args.per_word, speech_hours=args.speech_hours, seed=args.seed)
    said = {path: words for folder in args.speech for path, words in vocabulary(folder).items()}
    bank = make_bank(rows, backbone, plan, {"speakers": "all" if args.all else "training", "seed": args.seed}, said)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_bank(args.out, bank, packing)
    read = read_bank(args.out, backbone=backbone.name, sha256=backbone.sha256)
    size = args.out.stat().st_size
    error = float((read.embeddings - bank.embeddings).var(axis=0).sum() / bank.embeddings.var(axis=0).sum())
    write_json(
        args.out.with_suffix(".json"),
        {
            "command": typed(),
            "backbone": {"name": backbone.name, "sha256": backbone.sha256},
            "recordings": {kind: len(mine) for kind, mine in rows.items()},
            "about": dict(bank.about),
            "bytes": size,
            "variance_lost": error,
        },
    )
    hours = ", ".join(f"{bank.hours(kind):.2f} h of {kind}" for kind in KINDS)
    print(f"{hours}; {size / 1e6:.2f} MB, {100 * error:.1f}% of the variance lost: {args.out}")
    return 0
