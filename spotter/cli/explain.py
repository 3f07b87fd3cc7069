"""`spotter listen --explain`, `--at`, `--explain-picture`: the options, and what they may not ask for."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import Final

from spotter.errors import BadInputError

_LONGEST_PICTURE_S: Final = 60.0
_BEFORE_S, _AFTER_S = 4.0, 2.0  # of a moment, in the picture of it
_LATEST_S: Final = 1e9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which options there are."""
    why = parser.add_argument_group("why it decides as it does")
    why.add_argument(
        "--explain",
        action="store_true",
        help="after each event, and after each keyword that came above half its threshold without one: the rule, "
        "the numbers it looked at, and the scores of the last two seconds",
    )
    why.add_argument(
        "--at", metavar="S|FROM-TO", help="with --input FILE: explain every keyword at a moment, or what happens there"
    )
    why.add_argument(
        "--explain-picture",
        metavar="FILE.png",
        help="with --input FILE: draw waveform, spectrogram, scores, events and what was held back, of --at or "
        f"of the first 30 s in which something happens; at most {_LONGEST_PICTURE_S:g} s",
    )
    why.add_argument(
        "--force", action="store_true", help="replace a picture, or a recording of --record, that is there"
    )


class Wanted:
    """What the options ask for, checked before anything is opened.

    Raises
    ------
    BadInputError
        A moment that is none, a picture that cannot be, or one of a microphone.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.at = _read_at(options.at)
        self.text = options.explain or self.at is not None
        self.picture: Path | None = None
        file = options.input is not None and options.input != "-"
        if self.at is not None and not file:
            raise BadInputError(f"--at {options.at} is a moment of a recording; give --input FILE as well")
        if options.explain_picture is not None:
            if not file:
                raise BadInputError("--explain-picture draws a recording; give --input FILE as well")
            if Path(options.input).exists() and not Path(options.input).is_file():
                raise BadInputError(f"{options.input!r} cannot be read twice, as a picture needs; give a file")
            self.picture = _place(Path(options.explain_picture), force=options.force)
            if self.at is not None and self.at[1] - self.at[0] > _LONGEST_PICTURE_S:
                raise BadInputError(
                    f"a picture of {self.at[1] - self.at[0]:g} s would show nothing; "
                    f"give {_LONGEST_PICTURE_S:g} s at most to --at"
                )
        elif options.force and options.record is None:
            raise BadInputError(
                "--force replaces a picture or a recording; give --explain-picture FILE.png or --record FILE.wav "
                "as well, or leave it out"
            )

    def __bool__(self) -> bool:
        return self.text or self.picture is not None

    @property
    def shown(self) -> tuple[float, float] | None:
        """What the picture is to show, in seconds, where that was said."""
        if self.at is None or self.at[0] < self.at[1]:
            return self.at
        return max(0.0, self.at[0] - _BEFORE_S), self.at[0] + _AFTER_S


def _read_at(text: str | None) -> tuple[float, float] | None:
    """Read `12.4`, or `10-20`."""
    if text is None:
        return None
    first, dash, last = text.partition("-")
    try:
        at = float(first), float(last if dash else first)
    except ValueError:
        at = -1.0, -1.0
    if not 0.0 <= at[0] <= at[1] < _LATEST_S or (dash and at[0] == at[1]):
        raise BadInputError(f"--at {text!r} is no moment; give seconds, such as 12.4, or a part, such as 10-20")
    return at


def _place(path: Path, *, force: bool) -> Path:
    """Check that a picture can be drawn and put there."""
    if path.suffix.lower() != ".png":
        raise BadInputError(f"--explain-picture {str(path)!r} is no PNG; give a name that ends in .png")
    if not path.parent.is_dir():
        raise BadInputError(f"there is no folder {str(path.parent)!r} for the picture; make it, or give another name")
    if path.is_dir():
        raise BadInputError(f"{str(path)!r} is a folder; give a name for the picture")
    if path.exists() and not force:
        raise BadInputError(f"{str(path)!r} exists; give another name, or --force to replace it")
    if importlib.util.find_spec("matplotlib") is None:
        raise BadInputError(
            "--explain-picture draws with matplotlib, which is missing; run `python -m pip install matplotlib`"
        )
    return path
