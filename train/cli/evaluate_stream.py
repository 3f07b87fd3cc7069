"""Measure a model on recordings with known words: found, false accepts per hour, duplicates, delay, DET curve.

STREAM is a recording with a truth file beside it (`python -m train stream` makes some), or a folder of such.
Network scores are kept, so other settings of the decoder take a moment. The totals leave out TensorFlow's and
MLPerf's streams, which are counted by their own rules as well.

With a folder of word folders in the place of STREAM, and --speech and --noise, streams of the validation speakers
are mixed in memory, and printed as one line per threshold.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotter.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spotter.model import Model
    from spotter.settings import DecoderConfig
    from train.stream_figures import Heard
    from train.truth import Truth

EXAMPLE = """examples:
  python -m train evaluate-stream models/commands runs/streams --out runs/report
  python -m train evaluate-stream models/commands data/words --speech data/speech --noise data/noise"""

_DECODER = ("threshold", "smooth_ms", "margin", "rearm", "refractory_ms")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="model folder")
    parser.add_argument("streams", type=Path, nargs="+", metavar="STREAM", help="recordings or folders; or DATA")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write report.md, report.json and det.png there")
    parser.add_argument("--force", action="store_true", help="replace an existing report")
    parser.add_argument(
        "--negatives", type=Path, nargs="+", default=[], metavar="RECORDING", help="hold no keyword, need no truth file"
    )
    parser.add_argument("--hop", type=float, metavar="MS", help="hop in milliseconds (default: the listener's)")
    parser.add_argument("--network", default="model.tflite", metavar="FILE", help="file of the model to use")
    parser.add_argument("--cache", type=Path, default=Path("runs/scores"), help="of scores (default: runs/scores)")
    parser.add_argument("--jobs", type=int, default=2, help="processes that share the scoring (default: 2)")
    settings = parser.add_argument_group("decoder settings, in the place of the manifest's")
    settings.add_argument("--threshold", type=float, help="for every keyword")
    settings.add_argument("--smooth-ms", type=float, metavar="MS")
    settings.add_argument("--margin", type=float)
    settings.add_argument("--rearm", type=float)
    settings.add_argument("--refractory-ms", type=float, metavar="MS")
    mixed = parser.add_argument_group("only where streams are mixed in memory")
    mixed.add_argument("--speech", type=Path, help="running speech")
    mixed.add_argument("--noise", type=Path, nargs="+", default=[], help="folders of noise and music")
    mixed.add_argument("--per-word", type=int, default=40, help="clips of each keyword and condition (default: 40)")
    mixed.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> int:
    """Score what was not scored before, decode, count, print."""
    from spotter.model import Model

    if args.jobs < 1:
        raise BadInputError(f"--jobs {args.jobs} leaves nobody to work; give 1 or more")
    model = Model.open(args.model, network=args.network)
    config = _settings(model.decoder, args)
    if args.speech is not None or args.noise or _holds_words(args.streams):
        from train.cli.evaluate_mixed import run_mixed

        if len(args.streams) != 1 or args.out or args.negatives:
            raise BadInputError("streams are mixed from one DATA folder and printed; leave out other folders and --out")
        return run_mixed(args, model, config, args.streams[0])
    _evaluate(args, model, config)
    return 0


def _evaluate(args: argparse.Namespace, model: Model, config: DecoderConfig) -> None:
    from spotter.pipeline import hop_for
    from train.cached import score_all
    from train.measure import check_out
    from train.stream_figures import hear
    from train.stream_report import text
    from train.truth import look, recordings

    check_out(args.out, force=args.force)
    hop = hop_for(model, args.hop)
    known = [look(p) for p in recordings(args.streams)]
    known += [look(p, negatives=True) for p in recordings(args.negatives)]
    _check_lengths(known, model)
    scores = score_all(model, [t.path for t in known], hop_ms=args.hop, cache=args.cache, jobs=args.jobs)
    heard = [hear(model, t, s, config, hop) for t, s in zip(known, scores, strict=True)]
    report = _report(args, model, config, hop, heard)
    print(text(report))
    if args.out:
        _write(args.out, report)
        print(f"\nwritten: {args.out}/report.md, report.json" + (", det.png" if report["det"] else ""))


def _report(
    args: argparse.Namespace, model: Model, config: DecoderConfig, hop: int, heard: Sequence[Heard]
) -> dict[str, Any]:
    import numpy as np

    from spotter import __version__
    from spotter.settings import SAMPLE_RATE, as_dict
    from train.stream_figures import figures
    from train.written import typed

    return {
        "format": 1,
        "command": typed(),
        "model": {"name": model.name, "network": model.network, "files": dict(model.manifest["files"])},
        "settings": as_dict(config),
        "hop_ms": hop * 1_000 / SAMPLE_RATE,
        "streams": [
            {"file": s.truth.path.name, "kind": s.truth.kind, "seconds": s.truth.seconds, "sha256": s.truth.sha256}
            for s in heard
        ],
        "versions": {"spotter": __version__, "numpy": np.__version__},
        "figures": figures(heard, model.keywords),
        "det": _det(model, config, hop, heard) if args.out else None,
    }


def _det(model: Model, config: DecoderConfig, hop: int, heard: Sequence[Heard]) -> dict[str, Any] | None:
    """None where there is nothing to find, or nothing that could be false."""
    from train.det import curves
    from train.metrics import together
    from train.stream_figures import FOREIGN, by_kind, is_silent, without_keywords

    kinds = by_kind(heard)
    silent = without_keywords(kinds, model.keywords)
    said = {k: v for k, v in kinds.items() if k not in FOREIGN and not is_silent(v, model.keywords)}
    if not silent or not said:
        return None
    free = [s for v in silent.values() for s in v]
    hours = sum(s.scored.seconds for s in free) / 3_600
    false = sum(len(s.matched.false) for s in free)
    missed = {}
    for kind, streams in said.items():
        m = together(s.matched for s in streams)
        missed[kind] = len(m.missed) / (len(m.found) + len(m.missed))
    points = curves(
        model,
        {k: [(s.words, s.scored) for s in v] for k, v in said.items()},
        [(s.words, s.scored) for s in free],
        config,
        hop,
    )
    now = {"false": false, "false_per_hour": false / hours, "missed": missed}
    return {"hours": hours, "kinds_without": list(silent), "points": points, "now": now}


def _write(out: Path, report: dict[str, Any]) -> None:
    from train.stream_report import markdown
    from train.written import write_json, write_text

    out.mkdir(parents=True, exist_ok=True)
    if det := report["det"]:
        from train.det import picture

        picture(det["points"], det["now"], det["hours"], ", ".join(det["kinds_without"]), out / "det.png")
    write_text(out / "report.md", markdown(report))
    write_json(out / "report.json", report)


def _settings(decoder: DecoderConfig, args: argparse.Namespace) -> DecoderConfig:
    given = {name: value for name in _DECODER if (value := getattr(args, name)) is not None}
    if "threshold" in given:
        given["thresholds"] = {}
    return dataclasses.replace(decoder, **given)


def _holds_words(streams: Sequence[Path]) -> bool:
    """Whether a folder holds folders, and no recordings of its own."""
    from train.data import AUDIO

    def holds(folder: Path) -> bool:
        inside = list(folder.iterdir())
        return any(p.is_dir() for p in inside) and not any(p.suffix.lower() in AUDIO for p in inside)

    return any(p.is_dir() and holds(p) for p in streams)


def _check_lengths(known: Sequence[Truth], model: Model) -> None:
    """Refuse too short recordings before any is scored."""
    from train.cached import check_length

    for truth in known:
        check_length(str(truth.path), truth.seconds, model)
