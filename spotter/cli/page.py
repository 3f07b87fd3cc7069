"""`spotter page FILE`: a recording as the live page shows a microphone; other settings are tried on it at once."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from spotter.cli.common import Parser, guarded, interrupted_by, say, tell
from spotter.cli.logs import LEVELS, logged

_EXAMPLES: Final = """\
examples:
  spotter page talk.wav                            prints an address: open it in a browser
  spotter page talk.wav --from 600                 five minutes of it, from the tenth on
  spotter page talk.wav --model models/mine --address :8000

Events that are marked right or wrong go where `python -m train review` finds them.

exit codes: 0 ended by Ctrl-C; 1 failed while running; 2 bad arguments or input; 4 model unusable
"""

HELP: Final[dict[str, Any]] = {
    "help": "look at a recording in a browser, and try settings on it",
    "description": "Shows a recording in a browser: waveform, spectrogram, scores, events, and what other settings "
    "would give.",
    "epilog": _EXAMPLES,
    "formatter_class": argparse.RawDescriptionHelpFormatter,
    "allow_abbrev": False,
}
_SLICE_S: Final = 0.2


def main(argv: Sequence[str] | None = None) -> int:
    """Run `python -m spotter.page …`; return the exit code."""
    parser = Parser(prog="python -m spotter.page", **{key: HELP[key] for key in HELP if key != "help"})
    add_arguments(parser)
    return guarded(lambda: run(parser.parse_args(argv)))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which options there are."""
    parser.add_argument("file", metavar="FILE", help="a sound file, or one of `spotter listen --record`")
    parser.add_argument(
        "--from", dest="begin", type=float, default=0.0, metavar="S", help="show five minutes from there on"
    )
    parser.add_argument("--model", default="commands", metavar="NAME|FOLDER", help="default: %(default)s")
    parser.add_argument(
        "--threshold",
        action="append",
        default=[],
        metavar="[WORD=]T",
        help="0..1, for every keyword or for one; may be repeated (default: your own, or the model's)",
    )
    parser.add_argument("--hop", type=float, metavar="MS", help="milliseconds between decisions (default: about 100)")
    parser.add_argument("--channel", type=int, metavar="N", help="the one channel to hear (default: the mean of all)")
    parser.add_argument(
        "--address", default="127.0.0.1:7768", metavar="ADDRESS:PORT", help="where to serve (default: %(default)s)"
    )
    parser.add_argument("--clips", metavar="DIR", help="where marked clips go (default: your own folder of clips)")
    parser.add_argument("--log-level", choices=LEVELS, default="warning", help="default: %(default)s")


def run(options: argparse.Namespace) -> int:
    """Do what the options say; return the exit code."""
    with logged(options.log_level):
        return guarded(lambda: _page(options))


def _page(options: argparse.Namespace) -> int:
    from spotter.cli.listen import thresholds
    from spotter.cli.page_option import Page
    from spotter.errors import SpotterError
    from spotter.listener import Listener
    from spotter.model import Model
    from spotter.page.kept import KEPT_S
    from spotter.sources.recordings import open_sound
    from spotter.user_settings import applied

    for_all, for_words = thresholds(options.threshold)
    source = open_sound(options.file)
    _check(options.begin, source.frames / source.sample_rate if source.frames else None)
    model = Model.open(options.model)
    settings = applied(model.name, model.decoder, model.keywords, for_all, for_words)
    listener = Listener(model, source=source, hop_ms=options.hop, decoder=settings.decoder, channel=options.channel)
    page = Page(options.address, model, None if options.clips is None else Path(options.clips))
    stopped: list[int] = []  # a plain list, since a signal may come in the middle of what holds a lock
    code = 0
    try:
        page.begin(listener)
        if settings.said:
            tell(settings.said)
        with interrupted_by(lambda number, _: stopped.append(number)):
            listener.start(options.begin + KEPT_S)
            try:
                for event in listener.events(_SLICE_S):
                    if event is not None:
                        page.hear(event)
                    if stopped:
                        break
            except SpotterError as error:  # what was usable of a damaged recording is shown
                say(str(error))
                code = error.exit_code
            found = listener.spotter.detections if listener.spotter else 0
            tell(f"{found} detections in {Path(options.file).name}; Ctrl-C ends")
            while not stopped:
                time.sleep(_SLICE_S)
    finally:
        page.end()
        listener.stop(wait=False)
    return code


def _check(begin_s: float, length_s: float | None) -> None:
    from spotter.errors import BadInputError

    if not 0.0 <= begin_s < (1e8 if length_s is None else length_s):
        there = "0 or more" if length_s is None else f"0 to {length_s:.1f}"
        raise BadInputError(f"--from {begin_s:g} is no second of the recording; give {there}")
