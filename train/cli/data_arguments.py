"""DATA, or --dataset NAME in its place: what several steps take alike."""

from __future__ import annotations

import argparse
from pathlib import Path

from spotter.errors import BadInputError

_NAMES = ("speech_commands", "mini_speech_commands")


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add DATA, --dataset and --data-dir; `data_folder` reads them."""
    parser.add_argument(
        "data", type=Path, nargs="?", metavar="DATA", help="folder with one folder of recordings per word"
    )
    parser.add_argument(
        "--dataset", choices=_NAMES, help="in the place of DATA: downloaded once (2.4 GB; the mini set 0.2 GB)"
    )
    parser.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="where data sets are kept (default: the user's cache folder)"
    )


def data_folder(args: argparse.Namespace) -> Path:
    """Return the folder that the arguments name, after downloading it if need be."""
    if (args.data is None) == (args.dataset is None):
        both = "both were given" if args.data else "neither was given"
        raise BadInputError(f"give a folder of recordings or --dataset NAME ({both})")
    if args.dataset is None:
        return Path(args.data)
    from train.datasets import KNOWN, fetch

    return fetch(KNOWN[args.dataset], args.data_dir)


def background_noise(args: argparse.Namespace, folder: Path) -> tuple[Path, ...]:
    """Folders given with --noise, or else the noise that comes with a data set."""
    own = folder / "_background_noise_"
    return tuple(args.noise) or ((own,) if args.dataset and own.is_dir() else ())
