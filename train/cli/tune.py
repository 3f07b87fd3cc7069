"""Choose thresholds and decoder settings for a wanted number of false accepts an hour, and write them into the model.

What is heard: streams with truth files, as `python -m train stream` makes them (--streams), or the same
streams mixed in memory from DATA, --speech and --noise; and recordings of your own room in which no keyword is
said (--negatives). False accepts are counted over all keywords together, in speech without keywords and in
negatives; recall is the mean over the streams with words said on their own, each weighing the same. Thresholds by
keyword are taken only if they do better than one for all on halves of the recordings that they were not chosen from.
The table and the picture show what other targets would give. The manifest is written unless --dry-run is
given; tune.json, tune.md and tune.png go to --out. Without streams of words thresholds are only raised.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotter.errors import BadInputError, ModelError

if TYPE_CHECKING:
    from spotter.model import Model
    from spotter.settings import DecoderConfig
    from train.stream_kinds import Material
    from train.tune import Aim, Curves
    from train.tune_choice import Found
    from train.tune_material import Heard
    from train.tune_tally import Grid, Tally

EXAMPLE = """examples:
  python -m train tune models/mine --target-fa 0.5 --streams runs/streams
  python -m train tune models/mine --target-fa 0.5 --streams runs/streams --negatives my_room.wav
  python -m train tune models/mine --target-recall 0.9 data/words --speech data/speech --noise data/noise --dry-run"""

_STREAMS = Path("runs/streams")
_NOISY_S = 600.0  # of speech in noise: with less, a lower threshold there would seem to cost nothing
_GRIDS = {
    "smooth_ms": (100.0, 150.0, 200.0),
    "noise_share": (0.75, 0.85, 1.0),
    "margin": (0.0, 0.1, 0.3, 0.5),
    "rearm": (0.4, 0.6, 0.8),
    "refractory_ms": (300.0, 500.0, 800.0),
    "gate_dbfs": (),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="model folder")
    parser.add_argument(
        "data", type=Path, nargs="?", metavar="DATA", help="folder with one folder of recordings per word"
    )
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--target-fa", type=float, metavar="N", help="false accepts an hour, all keywords together")
    target.add_argument(
        "--target-recall", type=float, metavar="SHARE", help="found, such as 0.9; the mean of the parts"
    )
    parser.add_argument(
        "--streams", type=Path, nargs="+", default=[], help=f"with truth files (default: {_STREAMS} where it exists)"
    )
    parser.add_argument("--speech", type=Path, help="folder of running speech, with DATA")
    parser.add_argument("--noise", type=Path, nargs="+", default=[], help="folders of noise and music, with DATA")
    parser.add_argument("--per-word", type=int, default=40, help="clips of each keyword and part of DATA (default: 40)")
    parser.add_argument(
        "--negatives", type=Path, nargs="+", default=[], help="recordings, or folders of them, without the keywords"
    )
    parser.add_argument("--weights", nargs="+", default=[], metavar="KIND=NUMBER", help="such as words-0db=0.5")
    parser.add_argument("--count", nargs="+", default=[], metavar="KIND", help="where false accepts are counted")
    for name, values in _GRIDS.items():
        tried = f"the model's and {', '.join(f'{v:g}' for v in values)}" if values else "the model's"
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=float, nargs="+", help=f"values that are tried (default: {tried})")
    parser.add_argument(
        "--by-keyword", choices=("auto", "always", "never"), default="auto", help="thresholds of single keywords"
    )
    parser.add_argument("--hop", type=float, metavar="MS", help="hop in milliseconds (default: the listener's)")
    parser.add_argument("--cache", type=Path, default=Path("runs/scores"), help="of scores (default: runs/scores)")
    parser.add_argument("--jobs", type=int, default=2, help="processes that share the scoring (default: 2)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="of the report (default: runs/tune/NAME, replaced)")
    parser.add_argument("--places", type=int, default=20, help="of the negatives that are printed (default: 20)")
    parser.add_argument("--dry-run", action="store_true", help="leave the manifest as it is")
    parser.add_argument("--seed", type=int, default=0, help="of the streams of DATA and of the halves (default: 0)")
    parser.add_argument("--force", action="store_true", help="replace a report in --out")


def run(args: argparse.Namespace) -> int:
    """Score, count, choose, show, write."""
    import numpy as np

    from spotter.model import Model
    from spotter.pipeline import hop_for
    from train.tune import THRESHOLDS, Aim, curves
    from train.tune_choice import Wanted, find
    from train.tune_material import counted, noisy_seconds, suspicious, weights
    from train.tune_report import places
    from train.tune_tally import tally

    _check(args)
    model = Model.open(args.model)
    if not args.dry_run:
        _try_to_write(model.folder)
    hop = hop_for(model, args.hop)
    heard = _heard(args, model)
    parts = [h.part for h in heard]
    weighing = weights(parts, model.keywords, args.weights)
    counting = counted(parts, model.keywords, args.count)
    if args.target_recall is not None and not weighing:
        raise BadInputError("--target-recall needs words to be found; give streams with keywords, or --target-fa")
    sounding = suspicious(heard, counting, model.labels, model.keywords, 0.5)
    print("\n".join([*places(sounding, args.places), ""]))
    floor = None if weighing else np.array([model.decoder.threshold_of(k) for k in model.keywords])
    aim = Aim(weights=weighing, counted=counting, floor=floor)
    noisy_s = noisy_seconds([p for p in parts if p.name in counting], model.decoder)
    if args.noise_share is None and noisy_s < _NOISY_S:
        args.noise_share = [model.decoder.noise_share]
        print(f"noise_share stays: {noisy_s / 60:.0f} min of what counts are noisy, and it takes {_NOISY_S / 60:.0f}\n")
    grid = _grid(args, model.decoder, only_present=not weighing)
    looked_at = [p for p in parts if p.name in counting or weighing.get(p.name)]
    counts = tally(looked_at, model.labels, model.keywords, grid, THRESHOLDS, hop)
    all_curves = curves(counts, aim)
    wanted = Wanted(false_per_hour=args.target_fa, recall=args.target_recall, by_keyword=args.by_keyword)
    found = find(counts, all_curves, aim, wanted, model.decoder, np.random.default_rng(args.seed))
    return _finish(args, model, heard, hop, counts, all_curves, aim, found, [_plain(p) for p in sounding])


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot be meant, before anything is heard."""
    if args.target_fa is not None and not 0.0 < args.target_fa < float("inf"):
        raise BadInputError(f"--target-fa {args.target_fa:g} is out of range; give false accepts an hour, such as 0.5")
    if args.target_recall is not None and not 0.0 < args.target_recall <= 1.0:
        raise BadInputError(f"--target-recall {args.target_recall:g} is out of range; give a share, such as 0.9")
    if args.data is None and (args.speech or args.noise):
        raise BadInputError("--speech and --noise go with DATA; give a folder of recordings per word before them")
    if not (args.data or args.streams or args.negatives):
        if not _STREAMS.is_dir():
            raise BadInputError(
                "nothing to tune with; give --streams (made by 'python -m train stream'), --negatives, or DATA"
            )
        args.streams = [_STREAMS]
    if args.out is not None and (args.out / "tune.json").exists() and not args.force:
        raise BadInputError(f"{args.out} holds a report; give another folder, or --force to replace it")


def _try_to_write(folder: Path) -> None:
    """Find out before the work whether the manifest can be written after it."""
    from spotter.manifest import FILE_NAME

    part = folder / f"{FILE_NAME}.part"
    try:
        part.touch()
        part.unlink()
    except OSError as problem:
        raise ModelError(
            f"the model folder {folder} cannot be written ({problem.strerror}); copy it to a place of your own, "
            "or give --dry-run to see the figures only"
        ) from problem


def _heard(args: argparse.Namespace, model: Model) -> list[Heard]:
    from train.cached import score_all, scored
    from train.tune_material import from_files, mixed

    kept: dict[str, Any] = {"hop_ms": args.hop, "cache": args.cache}
    heard = from_files(args.streams, args.negatives, lambda paths: score_all(model, paths, jobs=args.jobs, **kept))
    if args.data:
        heard += mixed(_material(args, model.keywords), args.seed, partial(scored, model, **kept))
    return heard


def _material(args: argparse.Namespace, keywords: Sequence[str]) -> Material:
    """Recordings of validation speakers."""
    from train.data import noise_rows, speech_rows, word_rows
    from train.stream_kinds import Material

    words = [r for r in word_rows(args.data) if r.split == "validation"]
    if absent := [k for k in keywords if k not in {r.word for r in words}]:
        raise BadInputError(f"{args.data} has no validation recording of {', '.join(absent)}; add some")
    spoken = speech_rows(args.speech, keywords) if args.speech else []
    return Material(
        keywords=tuple(keywords),
        words=words,
        speech=[r for r in spoken if r.split == "validation"],
        noise=[r for r in noise_rows(args.noise) if r.split == "validation"],
        per_word=args.per_word,
    )


def _grid(args: argparse.Namespace, present: DecoderConfig, *, only_present: bool) -> Grid:
    """Values that are tried: those given, or the model's own and a few others; gate and the rest stay."""
    from train.tune_tally import Grid

    def values(name: str) -> tuple[float, ...]:
        own = float(getattr(present, name))
        given = getattr(args, name)
        tried = given if given is not None else [own] if only_present else [own, *_GRIDS[name]]
        return tuple(sorted(set(tried)))

    grid = Grid(base=present, **{name: values(name) for name in _GRIDS})
    grid.configs()  # refuses what is out of range
    return grid


def _finish(
    args: argparse.Namespace,
    model: Model,
    heard: Sequence[Heard],
    hop: int,
    counts: Tally,
    curves: Curves,
    aim: Aim,
    found: Found,
    sounding: list[dict[str, Any]],
) -> int:
    """Measure with the listener's decoder, show, write."""
    from train import tune_report as report
    from train.tune import config_of
    from train.tune_choice import ladder
    from train.tune_write import write_report, write_tuned

    parts = [h.part for h in heard]
    rows: list[dict[str, Any]] = []
    chosen = 0
    heads = report.figures(model, parts, model.decoder, hop)
    present = report.row("present", model.decoder, heads, aim.counted, None)
    for per_hour, choice in ladder(counts, curves, aim, model.decoder, found):
        if choice is None:
            print(f"{per_hour:g} false accepts an hour: no setting that was tried keeps them")
            continue
        config = config_of(counts, choice, aim.floor)
        if choice is found.choice:
            chosen = len(rows)
        measured = report.figures(model, parts, config, hop)
        rows.append(
            report.row(f"{round(per_hour, 2):g}", config, measured, aim.counted, choice.expected / curves.hours)
        )
    lines = [f"recall: {_weighed(aim)}; false accepts are counted in {', '.join(aim.counted)}", ""]
    lines += [*report.table([present, *rows], model.keywords, chosen + 1), "", f"{found.reason}."]
    lines += report.proof(found.per_hour, rows[chosen]["counted"])
    if apart := report.alike(rows, curves.hours):
        lines.append(apart)
    if rows[chosen]["counted"]["false"] != found.choice.false:
        lines.append(
            f"The search counted {found.choice.false:.0f} false accepts where the listener's decoder counts "
            f"{rows[chosen]['counted']['false']}; the table holds the decoder's."
        )
    print("\n".join(lines))
    config = config_of(counts, found.choice, aim.floor)
    record = {
        "target": {"false_per_hour": args.target_fa, "recall": args.target_recall},
        "hop_ms": hop / 16,
        "seed": args.seed,
        "weights": dict(aim.weights),
        "counted": list(aim.counted),
        "streams": [h.about for h in heard],
        "thresholds": found.reason,
    }
    out = args.out or Path("runs/tune") / model.name
    write_report(out, model, record, present, rows, chosen, lines, sounding)
    report.picture(curves, counts, found.choice.setting, rows, chosen, out / "tune.png")
    print(f"\nreport: {out / 'tune.md'}, picture: {out / 'tune.png'}")
    if args.dry_run:
        print(f"{model.folder / 'manifest.json'} stays as it is (--dry-run)")
    else:
        write_tuned(model, config, {**record, "figures": rows[chosen]})
        print(f"written: {model.folder / 'manifest.json'}")
    return 0


def _weighed(aim: Aim) -> str:
    if not aim.weights:
        return "not measured, no words were given"
    return "mean of " + ", ".join(f"{name} (weight {w:g})" for name, w in aim.weights.items() if w)


def _plain(place: Any) -> dict[str, Any]:
    return {
        "recording": place.recording,
        "time": round(place.time, 3),
        "keyword": place.keyword,
        "score": round(place.score, 4),
    }
