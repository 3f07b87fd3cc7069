"""`spotter listen`: keywords heard in a microphone or a recording, one line each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from spotter.cli import explain, keeping, outlets
from spotter.cli.common import Parser, guarded, leave, say, tell, version
from spotter.cli.logs import LEVELS, logged
from spotter.cli.session import Session, length_s

if TYPE_CHECKING:
    from spotter.explain import Moment
    from spotter.sources import LiveSource, Source

DEMO: Final = Path(__file__).parents[1] / "data" / "demo.flac"

_EXAMPLES: Final = """\
examples:
  spotter listen                                   the default microphone, until Ctrl-C
  spotter listen --device usb --threshold 0.8      another one, less easily convinced
  spotter listen --wait --device usb               from when it is plugged in
  spotter listen --threshold 0.6 --threshold stop=0.9
  spotter listen --input talk.mp3 --json           a recording, as fast as the machine can
  arecord -t raw -f S16_LE -r 16000 | spotter listen --input -
  spotter listen --explain                         why, after each event and each near miss
  spotter listen --input talk.wav --at 12.4 --explain-picture why.png
  spotter listen --save clips                      keep what it heard, to be marked right or wrong
  spotter listen --page                            watch it in a browser, and try settings there
  spotter listen --record night.wav                keep everything, to be heard again with --input night.wav

A microphone that goes away is waited for, and heard again when it is back.

exit codes: 0 done or Ctrl-C, also when nobody reads the output any more; 1 failed while running;
2 bad arguments or input; 3 no usable microphone (at the start without --wait, or lost with --once);
4 model unusable

Of a damaged recording everything usable is heard. One that is merely shorter than it should be (its header
promises more, or standard input ends in half a sample) gets a warning and 0; data that cannot be decoded, or
samples that are no numbers, one line and 2.
"""

HELP: Final[dict[str, Any]] = {
    "help": "listen to a microphone or a recording",
    "description": "Prints a line for each keyword heard in a microphone (until Ctrl-C) or in a recording.",
    "epilog": _EXAMPLES,
    "formatter_class": argparse.RawDescriptionHelpFormatter,
    "allow_abbrev": False,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run `python -m spotter.listen …`; return the exit code."""
    parser = Parser(prog="python -m spotter.listen", **{key: HELP[key] for key in HELP if key != "help"})
    add_arguments(parser)
    return guarded(lambda: run(parser.parse_args(argv)))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which options there are."""
    source = parser.add_argument_group("what to listen to")
    source.add_argument(
        "--device", metavar="ID|NAME", help="microphone: its number, or a part of its name or of its host's"
    )
    source.add_argument("--channel", type=int, metavar="N", help="the one channel to hear (default: the mean of all)")
    source.add_argument("--input", metavar="FILE|-", help="a sound file instead; -: raw 16-bit mono PCM on stdin")
    source.add_argument("--rate", type=int, metavar="HZ", help="sample rate of `--input -` (default: 16000)")
    source.add_argument("--seconds", type=float, metavar="N", help="end after so many seconds")
    source.add_argument(
        "--or-demo", action="store_true", help="without a usable microphone, hear the recording that ships with spotter"
    )
    source.add_argument("--wait", action="store_true", help="without a microphone, wait until there is one")
    source.add_argument("--once", action="store_true", help="end when the microphone is lost, with exit code 3")
    how = parser.add_argument_group("how to decide")
    how.add_argument("--model", default="commands", metavar="NAME|FOLDER", help="default: %(default)s")
    how.add_argument(
        "--threshold",
        action="append",
        default=[],
        metavar="[WORD=]T",
        help="0..1, for every keyword or for one; may be repeated (default: your own, or the model's)",
    )
    how.add_argument("--hop", type=float, metavar="MS", help="milliseconds between decisions (default: about 100)")
    explain.add_arguments(parser)
    keeping.add_arguments(parser)
    outlets.add_arguments(parser)
    parser.add_argument("--log-level", choices=LEVELS, default="warning", help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("--list-devices", action="store_true", help="print the microphones and end")
    parser.add_argument("--list-models", action="store_true", help="print the models and end")
    parser.add_argument("--version", action="version", version=version())


def run(options: argparse.Namespace) -> int:
    """Do what the options say; return the exit code."""
    if options.list_devices or options.list_models:
        from spotter.cli import listing

        return (listing.print_devices if options.list_devices else listing.print_models)(as_json=options.json)
    used: list[Source | LiveSource] = []
    with logged(options.log_level):
        code = guarded(lambda: _listen(options, used))
    if any(getattr(source, "stuck", False) for source in used):
        leave(code)
    return code


def _listen(options: argparse.Namespace, used: list[Source | LiveSource]) -> int:
    from spotter.errors import MicrophoneError

    wanted = explain.Wanted(options)
    source = _source(options)
    session = _session(options, source, wanted)
    listener = session.listener
    used.append(listener.source)
    try:
        return session.run(options)
    except MicrophoneError as error:
        if source is not None or not options.or_demo or listener.spotter is not None:
            raise
        say(f"{error}; this is the recording that ships with spotter")
    from spotter.sources.files import AudioFile

    return _session(options, AudioFile(DEMO), wanted).run(options)


def _session(options: argparse.Namespace, source: Source | LiveSource | None, wanted: explain.Wanted) -> Session:
    from spotter.listener import Listener
    from spotter.model import Model
    from spotter.user_settings import applied

    for_all, for_words = thresholds(options.threshold)
    model = Model.open(options.model)
    settings = applied(model.name, model.decoder, model.keywords, for_all, for_words)
    device = options.device if source is None else None
    listener = Listener(
        model,
        device=device,
        source=source,
        hop_ms=options.hop,
        decoder=settings.decoder,
        channel=options.channel,
        wait=options.wait,
        once=options.once,
    )
    wanted_outlets = outlets.wanted(options, model)
    explaining = None
    if wanted:
        from spotter.cli.explaining import Explaining
        from spotter.pipeline import hop_for

        hop_samples = hop_for(model, options.hop)

        length = length_s(source, options)
        explaining = Explaining(wanted, model, settings.decoder, hop_samples, length, options.channel)
    # Last, since files are made here: what is refused leaves none.
    session = Session(listener, keeping.Keeping(options, listener, model), explaining, wanted_outlets)
    if settings.said:
        tell(settings.said)
    shown: list[Callable[[Moment], object]] = [explaining.see] if explaining else []
    if session.kept.saver:
        shown.append(session.kept.saver.see)
    shown += [see for outlet in session.outlets if (see := getattr(outlet, "see", None)) is not None]
    if shown:
        listener.explain = shown[0] if len(shown) == 1 else lambda moment: [see(moment) for see in shown]
    return session


def _source(options: argparse.Namespace) -> Source | None:
    """Return what `--input` names; None for a microphone."""
    from spotter.errors import BadInputError

    if options.rate is not None and options.input != "-":
        raise BadInputError(f"--rate {options.rate} is for `--input -`; a file says its rate itself: leave it out")
    if options.wait and (options.once or options.or_demo):
        other = "--once" if options.once else "--or-demo"
        raise BadInputError(f"--wait and {other} exclude each other; give one of them")
    if options.input is None:
        return None
    for name in ("wait", "once"):
        if getattr(options, name):
            raise BadInputError(f"--{name} is for a microphone; leave it out with --input")
    if options.device is not None:
        raise BadInputError(f"--device {options.device} and --input exclude each other; give one of them")
    if options.input == "-":
        from spotter.sources.pcm import PcmStream

        if sys.stdin is None:
            raise BadInputError("standard input is closed; pipe raw 16-bit little-endian mono PCM into it")
        if sys.stdin.isatty():
            raise BadInputError("standard input is a terminal; pipe raw 16-bit little-endian mono PCM into it")
        return PcmStream(sys.stdin.buffer, 16_000 if options.rate is None else options.rate)
    from spotter.sources.recordings import open_sound

    return open_sound(options.input)


def thresholds(texts: Sequence[str]) -> tuple[float | None, dict[str, float]]:
    """Read `0.8` and `word=0.8`; the one for all, and those for words.

    Raises
    ------
    BadInputError
        Not a number, or not between 0 and 1.
    """
    from spotter.errors import BadInputError

    for_all: float | None = None
    for_words: dict[str, float] = {}
    for text in texts:
        word, equals, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            raise BadInputError(f"--threshold {text!r} is no number; give 0.8, or word=0.8") from None
        if not 0.0 < value < 1.0:
            raise BadInputError(f"--threshold {text!r} is out of range; give a number between 0 and 1")
        if equals:
            for_words[word] = value
        else:
            for_all = value
    return for_all, for_words
