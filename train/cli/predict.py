"""Say what a model hears in sound files: the score of each label at the moment that says most.

A file may have any format, rate and length; it is heard alone in silence, as `Model.predict` and the
listener hear files. A file that cannot be read is said in one line, and the others go on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spotter.errors import BadInputError

if TYPE_CHECKING:
    from train.hearing import Hearing

EXAMPLE = """example:
  python -m train predict models/commands yes.wav --picture yes.png"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="model folder")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="sound files")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line for each file")
    parser.add_argument(
        "--every", type=float, metavar="MS", help="also give the scores over time, one each so many milliseconds"
    )
    parser.add_argument(
        "--picture",
        type=Path,
        metavar="PNG",
        help="draw waveform, spectrogram and scores over time there; of several files NAME-FILE.png each",
    )
    parser.add_argument(
        "--network", default="model.tflite", metavar="FILE", help="file of the model, such as model.int8.tflite"
    )


def run(args: argparse.Namespace) -> int:
    """Hear each file; 2 where one could not be read."""
    from spotter.model import Model
    from train.hearing import Hearing

    if args.every is not None and not args.every > 0:
        raise BadInputError(f"--every {args.every:g} is no time; give milliseconds above 0")
    hearing = Hearing(Model.open(args.model, network=args.network))
    pictures = _pictures(args.picture, args.files)
    code = 0
    for path, picture in zip(args.files, pictures, strict=True):
        try:
            _one(hearing, path, picture, args)
        except BadInputError as error:
            print(f"train: {error}", file=sys.stderr)
            code = error.exit_code
    return code


def _one(hearing: Hearing, path: Path, picture: Path | None, args: argparse.Namespace) -> None:
    from train.prediction import load, predict

    samples = load(path)
    prediction = predict(hearing, str(path), samples)
    if args.json:
        print(json.dumps(prediction.as_dict(args.every), ensure_ascii=False))
    else:
        print("\n".join(prediction.lines(args.every)))
    if picture:
        from spotter.frontend import Frontend
        from train.pictures import heard_picture

        frames = Frontend(hearing.model.frontend)(samples)
        title = f"{path.name}: {prediction.label} {prediction.scores.max():.1%}, at {prediction.time:.2f} s"
        heard_picture(samples, frames, prediction.ends, prediction.over_time, prediction.labels, picture, title)
        if not args.json:
            print(f"  picture: {picture}")


def _pictures(picture: Path | None, files: Sequence[Path]) -> list[Path | None]:
    if not picture:
        return [None] * len(files)
    if not picture.parent.is_dir():
        raise BadInputError(f"{picture.parent} is no folder; make it first, or put the picture elsewhere")
    if len(files) == 1:
        return [picture]
    names = [picture.with_name(f"{picture.stem}-{path.stem}{picture.suffix or '.png'}") for path in files]
    if len(set(names)) < len(names):
        raise BadInputError("two of the files have the same name, so their pictures would; draw them one at a time")
    return list(names)
