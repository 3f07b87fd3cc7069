"""Make recordings to measure a model with, each with a truth file that says which word is said when.

Words with pauses between them, in a quiet room and in noise; hours of speech without keywords; noise and
music; keywords inside running speech and right after one another; and the streams of two public tests. The
same command gives the same bytes. What is lacking is passed over: without --noise there are no words in noise.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotter.errors import BadInputError
from train.stream_names import KINDS

if TYPE_CHECKING:
    from train.stream_kinds import Material

EXAMPLE = """example:
  python -m train stream data/words --speech data/speech --noise data/noise data/music --out runs/streams
  python -m train evaluate-stream models/commands runs/streams"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with one folder of recordings per word")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="such as runs/streams")
    parser.add_argument("--speech", type=Path, help="folder of running speech, with a folder per speaker")
    parser.add_argument("--noise", type=Path, nargs="+", default=[], help="folders of noise and music")
    parser.add_argument("--rir", type=Path, nargs="+", default=[], help="folders of room responses, for --room")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, metavar="KIND", help=f"of {', '.join(KINDS)}")
    parser.add_argument("--keywords", nargs="+", metavar="WORD", help="default: the eight command words")
    parser.add_argument(
        "--snr", type=float, nargs="+", default=[10.0, 0.0], metavar="DB", help="of words in noise (default: 10 0)"
    )
    parser.add_argument("--room", action="store_true", help="words are heard in small rooms, or those of --rir")
    parser.add_argument("--per-word", type=int, default=40, help="clips of each keyword and stream (default: 40)")
    parser.add_argument("--split", choices=("validation", "training"), default="validation", help="whose voices")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--force", action="store_true", help="replace streams of the same names")


def run(args: argparse.Namespace) -> int:
    """Mix and write, stream by stream."""
    from train.progress import track
    from train.stream_kinds import lacking, make
    from train.truth import write

    if args.per_word < 1:
        raise BadInputError(f"--per-word {args.per_word} leaves no words; give 1 or more")
    material = _material(args)
    kinds = list(args.kinds or [])
    for kind in KINDS if not kinds else ():
        if option := lacking(kind, material):
            print(f"no {kind}: it needs {option}")
        else:
            kinds.append(kind)
    for kind in kinds:
        if option := lacking(kind, material):
            raise BadInputError(f"{kind} cannot be made without recordings; give {option}, or leave the kind out")
    _make_room(args.out, kinds, material, force=args.force)
    settings = _settings(args, material)
    for kind in track(kinds, total=len(kinds), what="kinds of streams"):
        for name, counted_as, stream in make(kind, material, args.seed):
            about = {"kind": counted_as, "seed": args.seed, "recipe": settings}
            write(args.out / f"{name}.flac", stream, about=about)
            print(f"{args.out / name}.flac: {stream.seconds / 60:.1f} min, {len(stream.words)} words")
    return 0


def _material(args: argparse.Namespace) -> Material:
    from train.augment.room import measured_room
    from train.bank import read
    from train.data import noise_rows, speech_rows, word_rows
    from train.recipe import Recipe
    from train.stream_kinds import Material

    keywords = tuple(args.keywords or Recipe().keywords)
    words = [r for r in word_rows(args.data) if r.split == args.split]
    known = {r.word for r in words}
    if absent := [k for k in keywords if k not in known]:
        raise BadInputError(
            f"{args.data} has no {args.split} recording of {', '.join(absent)}; give the words with --keywords"
        )
    spoken = speech_rows(args.speech, keywords) if args.speech else []
    if args.rir and not args.room:
        raise BadInputError("--rir does nothing without --room; give both, or neither")
    return Material(
        keywords=keywords,
        words=words,
        speech=[r for r in spoken if r.split == args.split],
        noise=[r for r in noise_rows(args.noise) if r.split == args.split],
        responses=[measured_room(read(r.path)) for r in noise_rows(args.rir)],
        snrs_db=tuple(args.snr),
        per_word=args.per_word,
        rooms=args.room,
    )


def _make_room(out: Path, kinds: Sequence[str], material: Material, *, force: bool) -> None:
    """Refuse streams of these kinds that are there, or take them away."""
    from train.stream_kinds import is_of

    there = [p for p in sorted(out.glob("*.flac")) if any(is_of(p.stem, kind, material) for kind in kinds)]
    if there and not force:
        raise BadInputError(f"{there[0]} exists; give another folder, or --force to make the streams anew")
    for path in there:
        path.unlink()
        path.with_suffix(".json").unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)


def _settings(args: argparse.Namespace, material: Material) -> dict[str, Any]:
    """What the streams depend on, for each truth file."""
    import numpy as np
    import soundfile

    from spotter import __version__
    from train.data import noise_rows
    from train.stream_kinds import listed

    return {
        "keywords": list(material.keywords),
        "split": args.split,
        "snrs_db": list(args.snr),
        "per_word": args.per_word,
        "rooms": args.room,
        "recordings": {
            "words": listed(material.words),
            "speech": listed(material.speech),
            "noise": listed(material.noise),
            "rir": listed(noise_rows(args.rir)),
        },
        "versions": {"spotter": __version__, "numpy": np.__version__, "soundfile": soundfile.__version__},
    }
