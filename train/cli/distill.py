"""Teach a small network of our own the embeddings of a backbone, from recordings without labels.

What both front-ends make of the recordings is computed once and stays in --work; so do the weights,
and the same command goes on from there. With KERAS_BACKEND=torch it learns in a third of the
processor time; the file is written where TensorFlow is installed.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotter.errors import BadInputError

if TYPE_CHECKING:
    from train.data import Row
    from train.distill_material import Tracks

EXAMPLE = """example:
  python -m train distill --speech data/speech --words data/words --noise data/noise data/music \\
      --without alexa computer --out runs/models/student"""


_RATE_GOING_ON = 7e-4  # what was learned is not thrown about


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("--out", type=Path, required=True, help="folder to write the student into")
    parser.add_argument("--speech", type=Path, help="running speech: SPEAKER/NAME files, and a table FOLDER.tsv if any")
    parser.add_argument("--words", type=Path, nargs="+", default=[], help="folders of words: WORD/NAME files")
    parser.add_argument("--noise", type=Path, nargs="+", default=[], help="folders of noise and music")
    parser.add_argument("--without", nargs="+", default=[], metavar="WORD", help="words that it must not have heard")
    parser.add_argument("--teacher", default="google-speech-embedding", help="backbone (default: %(default)s)")
    parser.add_argument("--steps", type=int, help="of learning (default: 12000)")
    parser.add_argument("--batch", type=int, help="sequences of a step (default: 48)")
    parser.add_argument("--start", type=Path, help="weights of a student to go on from (NAME.weights.h5)")
    parser.add_argument("--rate", type=float, help="highest learning rate (default: 0.002; with --start 0.0007)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="where the run keeps its state (default: runs/NAME of --out)")
    parser.add_argument("--force", action="store_true", help="replace an existing student")


def run(args: argparse.Namespace) -> int:
    """Hear, teach, write."""
    if args.out.exists() and not args.force:
        raise BadInputError(f"{args.out} exists; give another name, or --force to replace it")
    if args.start and not args.start.is_file():
        raise BadInputError(f"there are no weights {args.start}; give a .weights.h5 of an earlier run")
    if not (args.speech or args.words):
        raise BadInputError("nothing to learn from; give --speech or --words")
    from train.distill import teach
    from train.networks.student import Student
    from train.written import typed, write_json

    work = args.work or Path("runs") / args.out.name
    work.mkdir(parents=True, exist_ok=True)
    lessons = _lessons(args)
    rows, noise = _rows(args)
    training, validation, sounds = (
        _material(work, name, some, args)
        for name, some in (
            ("training", [r for r in rows if r.split == "training"]),
            ("validation", [r for r in rows if r.split != "training"]),
            ("noise", [r for r in noise if r.split == "training"]),
        )
    )
    student = Student()
    _, reached = teach(student, training, sounds, validation, lessons, work, start=args.start)
    about: dict[str, Any] = {
        "command": typed(),
        "teacher": args.teacher,
        "lessons": dataclasses.asdict(lessons),
        "hours": {name: round(_hours(t), 2) for name, t in (("training", training), ("validation", validation))},
        "without": args.without,
        "start": _sha256(args.start) if args.start else "",
        "reached": reached,
    }
    write_json(work / "student.json", about)
    if importlib.util.find_spec("tensorflow") is None:
        print(f"taught: {reached['explained']:.1%} of the variance; run the same command where TensorFlow is installed")
        return 0
    return _export(args, work, student, training, about)


def _lessons(args: argparse.Namespace) -> Any:
    from train.distill import Lessons

    rate = args.rate or (_RATE_GOING_ON if args.start else None)
    given = {"steps": args.steps, "batch": args.batch, "learning_rate": rate}
    return Lessons(seed=args.seed, **{name: value for name, value in given.items() if value})


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _rows(args: argparse.Namespace) -> tuple[list[Row], list[Row]]:
    from train.data import noise_rows, speech_rows, word_rows

    rows = speech_rows(args.speech, args.without) if args.speech else []
    for folder in args.words:
        rows += [row for row in word_rows(folder) if not set(row.word.split("_")) & set(args.without)]
    return rows, noise_rows(args.noise)


def _material(work: Path, name: str, rows: Sequence[Row], args: argparse.Namespace) -> Tracks:
    import numpy as np

    from spotter.settings import FrontendConfig
    from train.distill_material import Tracks, material

    key = hashlib.sha256(
        repr([args.teacher, [(str(r.path), r.path.stat().st_size) for r in rows]]).encode()
    ).hexdigest()
    path = work / f"{name}-{key[:16]}.npz"
    if path.exists():
        with np.load(path) as file:
            return Tracks(**{f.name: file[f.name] for f in dataclasses.fields(Tracks)})
    order = np.random.default_rng(args.seed).permutation(len(rows))
    found = material([[rows[n].path for n in order]], FrontendConfig(), args.teacher, args.seed, f"hearing for {name}")
    part = path.with_suffix(".part.npz")
    np.savez(part, **{f.name: getattr(found, f.name) for f in dataclasses.fields(Tracks)})
    part.replace(path)
    return found


def _hours(tracks: Tracks) -> float:
    return len(tracks) * 0.08 / 3_600


def _export(args: argparse.Namespace, work: Path, student: Any, training: Tracks, about: dict[str, Any]) -> int:
    from train.export import convert
    from train.written import write_json

    model = student.build(None, training.frames.shape[1], training.embeddings.shape[1])
    model.load_weights(work / "best.weights.h5")
    data = convert(student.streaming(model))
    args.out.mkdir(parents=True, exist_ok=True)
    part = args.out / "student.tflite.part"
    part.write_bytes(data)
    part.replace(args.out / "student.tflite")
    sizes = {
        "size": model.output_shape[-1],
        "context_frames": student.context_frames,
        "step_frames": student.step_frames,
    }
    write_json(args.out / "student.json", {**about, **sizes, "sha256": hashlib.sha256(data).hexdigest()})
    print(
        f"{args.out / 'student.tflite'}: {len(data) / 1e6:.2f} MB, {about['reached']['explained']:.1%} of the variance"
    )
    return 0
