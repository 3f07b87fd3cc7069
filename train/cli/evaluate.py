"""Measure a model on one-second clips of the validation speakers: accuracy, confusion matrix.

A clip gets the label that `Model.predict` scores highest: heard alone in silence, at the moment that
says most about it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

EXAMPLE = """example:
  python -m train evaluate models/commands data/words --noise data/noise --picture confusion.png"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="model folder")
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with one folder of recordings per word")
    parser.add_argument("--noise", type=Path, nargs="+", default=[], help="folders of noise, for the label silence")
    parser.add_argument("--split", choices=("training", "validation", "testing"), default="validation")
    parser.add_argument("--picture", type=Path, help="write the confusion matrix there, as PNG")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    print(clip_report(args.model, args.data, tuple(args.noise), split=args.split, picture=args.picture))
    return 0


def clip_report(
    folder: Path, data: Path, noise: Sequence[Path] = (), *, split: str = "validation", picture: Path | None = None
) -> str:
    """Accuracy over all labels and among the keywords, and the confusion matrix, as text."""
    import numpy as np

    from spotter.model import Model
    from spotter.settings import SILENCE, UNKNOWN
    from train import metrics
    from train.data import noise_rows, word_rows
    from train.evaluate import clip_label, clips, label_clips, silences

    model = Model.open(folder)
    rng = np.random.default_rng(0)
    rows = clips([r for r in word_rows(data) if r.split == split], model.keywords, rng)
    true = [r.word for r in rows]
    given = label_clips(model, rows)
    quiet = [r for r in noise_rows(noise) if r.split == ("training" if split == "training" else "validation")]
    if quiet:
        pieces = silences(quiet, sum(t == UNKNOWN for t in true), rng)
        true += [SILENCE] * len(pieces)
        given += [clip_label(model, p) for p in pieces]
    table = metrics.confusion(true, given, model.labels)
    hits, total = int(np.trace(table)), int(table.sum())
    mine = [model.labels.index(k) for k in model.keywords]
    among, of = int(np.diag(table)[mine].sum()), int(table[mine].sum())
    lines = [
        f"{split} speakers, {total} clips, {len(model.labels)} labels: {_share(hits, total)}",
        f"the {len(mine)} keywords: {_share(among, of)}",
        "",
        _table(table, model.labels),
    ]
    if picture:
        from train.pictures import confusion_matrix

        confusion_matrix(table, model.labels, picture)
        lines.append(f"\npicture: {picture}")
    return "\n".join(lines)


def _share(hits: int, of: int) -> str:
    from train.metrics import share_limits

    low, high = share_limits(hits, of)
    return f"{hits / max(1, of):.1%} right (95% limits {low:.1%} to {high:.1%})"


def _table(table: object, labels: Sequence[str]) -> str:
    import numpy as np

    from train.metrics import precision_recall_f1

    counts = np.asarray(table)
    figures = precision_recall_f1(counts)
    wide = max(len(w) for w in labels) + 1
    out = [f"{'said':<{wide}}" + "".join(f"{w[:7]:>8}" for w in labels) + "  precision  recall      F1"]
    for label, row, (precision, recall, f1) in zip(labels, counts, figures, strict=True):
        out.append(
            f"{label:<{wide}}" + "".join(f"{n:>8}" for n in row) + f"     {precision:6.1%}  {recall:6.1%}  {f1:6.1%}"
        )
    return "\n".join(out)
