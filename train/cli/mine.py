"""Run a model over hours of speech without its keywords; keep the places where it hears one all the same.

SPEECH is a folder of SPEAKER/NAME files. A table FOLDER.tsv beside it, or --keywords-table, says
which recordings hold keywords (columns path and keywords); those are left out. Speakers of the training side
only, so that what is measured on the others stays honest. The table that is written goes to `fit --hard`;
places per hour, by keyword and by copy, go to a JSON file beside it. A run that was stopped goes on where it
was; with more speech, the same command hears what is new.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotter.errors import BadInputError

if TYPE_CHECKING:
    from spotter.arrays import Floats
    from spotter.model import Model
    from train.data import Row
    from train.mine_recordings import Diary

EXAMPLE = """example:
  python -m train mine models/commands data/speech --copies 2 --noise data/noise --out runs/hard.tsv"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="model folder")
    parser.add_argument("speech", type=Path, nargs="+", metavar="SPEECH", help="folders of running speech")
    parser.add_argument("--out", type=Path, required=True, help="table to write, such as runs/hard.tsv")
    parser.add_argument("--least", type=float, default=0.2, help="the score that counts as fooled (default: 0.2)")
    parser.add_argument("--copies", type=int, default=0, help="augmented copies of each recording (default: none)")
    parser.add_argument("--noise", type=Path, nargs="+", default=[], help="folders of noise, laid under the copies")
    parser.add_argument("--split", choices=("training", "validation", "all"), default="training", help="which speakers")
    parser.add_argument(
        "--keywords-table", type=Path, metavar="TSV", help="recordings and the keywords in them, besides FOLDER.tsv"
    )
    parser.add_argument("--hop", type=float, metavar="MS", help="between two scores (default: the model's shortest)")
    parser.add_argument("--seed", type=int, default=0, help="of the copies (default: 0)")
    parser.add_argument("--force", action="store_true", help="begin anew, and replace an existing table")


def run(args: argparse.Namespace) -> int:
    """Hear, keep, count."""
    from spotter.model import Model
    from spotter.settings import SAMPLE_RATE
    from train.hard import key_of, table
    from train.mine_recordings import Diary, summary
    from train.written import write_json, write_text

    if not 0.0 < args.least < 1.0:
        raise BadInputError(f"--least {args.least:g} is out of range; give a score between 0 and 1, such as 0.2")
    if args.copies < 0:
        raise BadInputError(f"--copies {args.copies} is out of range; give 0 or more")
    diary_path = args.out.with_name(f"{args.out.name}.heard.jsonl")
    if args.force:
        diary_path.unlink(missing_ok=True)
    elif args.out.exists() and not diary_path.exists():
        raise BadInputError(f"{args.out} exists; give another name, or --force to replace it")
    model = Model.open(args.model)
    rows = speech_without(args.speech, model.keywords, args.split, args.keywords_table)
    hop_ms = args.hop or model.step * 1_000 / SAMPLE_RATE
    settings = {
        "model": {name: entry["sha256"] for name, entry in model.manifest["files"].items()},
        "least": args.least,
        "copies": args.copies,
        "noise": [str(folder) for folder in args.noise],
        "hop_ms": hop_ms,
        "seed": args.seed,
    }
    diary = Diary(diary_path, settings)
    hear_all(model, rows, diary, args, hop_ms)
    heard = [diary.heard[key_of(row.path)] for row in rows]
    passed_over = {h.path: h.problem for h in heard if h.problem}
    for path, problem in list(passed_over.items())[:10]:
        print(f"train: passed over {path}: it {problem}", file=sys.stderr)
    places = [place for h in heard for place in h.places]
    figures = summary(heard, model.keywords)
    names = "".join(f"{key_of(r.path)}:{r.path.stat().st_size}\n" for r in rows)
    report = {
        "command": "python -m train mine",
        **settings,
        "model": model.name,
        "model_files": settings["model"],
        "split": args.split,
        "speech": {
            "folders": [str(f) for f in args.speech],
            "keywords_table": str(args.keywords_table) if args.keywords_table else None,
            "recordings": len(rows),
            "sha256": hashlib.sha256(names.encode()).hexdigest(),
        },
        "versions": _versions(),
        "passed_over": passed_over,
        "places": len(places),
        "by_copy": figures,
    }
    write_text(args.out, table(places))
    write_json(args.out.with_suffix(".json"), report)
    print(_shown(figures, model.keywords))
    print(f"{len(places)} places in {args.out}")
    return 0


def hear_all(model: Model, rows: Sequence[Row], diary: Diary, args: argparse.Namespace, hop_ms: float) -> None:
    """Hear the recordings that are not in the diary yet."""
    from train.data import noise_rows
    from train.evaluate import score
    from train.hard import key_of
    from train.mine_recordings import hear
    from train.progress import track

    new = [row for row in rows if key_of(row.path) not in diary.heard]
    if len(new) < len(rows):
        print(f"{len(rows) - len(new)} of {len(rows)} recordings were heard before", file=sys.stderr)
    if not new:
        return
    side = ("training", "validation") if args.split == "all" else (args.split,)
    noise = read_noise([r for r in noise_rows(args.noise) if r.split in side]) if args.copies else {}
    keywords = {k: model.labels.index(k) for k in model.keywords}
    for row in track(new, total=len(new), what="recordings"):
        diary.add(
            hear(
                row,
                partial(score, model, hop_ms=hop_ms),
                keywords,
                noise,
                least=args.least,
                copies=args.copies,
                seed=args.seed,
            )
        )


def speech_without(folders: Sequence[Path], keywords: Sequence[str], split: str, listed: Path | None) -> list[Row]:
    """Rows of speech in which none of the keywords is known to be said, of one side of the split or of both."""
    from train.data import speech_rows
    from train.hard import key_of

    names = [folder.absolute().name for folder in folders]
    if twice := {name for name in names if names.count(name) > 1}:
        raise BadInputError(f"two folders are called {min(twice)!r}, and the table could not tell them; rename one")
    holding = _holding(listed, keywords) if listed else frozenset()
    rows = [
        row
        for folder in folders
        for row in speech_rows(folder, keywords)
        if split in ("all", row.split) and key_of(row.path) not in holding
    ]
    if not rows:
        raise BadInputError(
            f"no {'' if split == 'all' else split + ' '}recordings without the keywords in "
            f"{', '.join(map(str, folders))}; give folders of SPEAKER/NAME files, or another --split"
        )
    return rows


def _holding(listed: Path, keywords: Sequence[str]) -> frozenset[str]:
    """Which recordings hold one of the keywords, or nobody knows, by a table with columns path and keywords."""
    import csv

    try:
        with listed.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            lines = list(reader)
    except FileNotFoundError:
        raise BadInputError(f"no table at {listed}; give one with columns path and keywords") from None
    if not {"path", "keywords"} <= set(reader.fieldnames or ()):
        raise BadInputError(f"{listed} lacks a column path or keywords; give a tab-separated table that has both")
    wanted = frozenset(keywords)
    out = set()
    for line in lines:
        words = frozenset((line["keywords"] or "").replace(",", " ").split())
        if words & wanted or (words == {"?"} and line.get("language") in ("en", "", None)):
            out.add("/".join(Path(line["path"]).parts[-3:]))
    return frozenset(out)


def read_noise(rows: Sequence[Row]) -> dict[str, Floats]:
    """Samples by name, FOLDER/FILE; what cannot be read is passed over."""
    import soundfile

    from train.bank import read

    out = {}
    for row in rows:
        try:
            samples = read(row.path)
        except soundfile.LibsndfileError:
            continue
        if len(samples) and samples.any():
            out[f"{row.path.parent.name}/{row.path.name}"] = samples
    return out


def _shown(figures: Sequence[dict[str, Any]], keywords: Sequence[str]) -> str:
    head = f"{'per hour':<18}{'hours':>7}{'all':>8}" + "".join(f"{k[:7]:>8}" for k in keywords)
    return "\n".join(
        [
            head,
            *(
                f"{f['copy']:<18}{f['hours']:>7.2f}{f['per_hour']:>8.1f}"
                + "".join(f"{f['per_hour_by_keyword'][k]:>8.1f}" for k in keywords)
                for f in figures
            ),
        ]
    )


def _versions() -> dict[str, str]:
    import numpy as np

    import spotter

    return {"spotter": spotter.__version__, "numpy": np.__version__}
