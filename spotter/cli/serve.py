"""`spotter serve`: a wake-word service for Home Assistant and its satellites, over Wyoming."""

from __future__ import annotations

import argparse
from collections.abc import MutableSequence, Sequence
from typing import TYPE_CHECKING, Any, Final

from spotter.cli.common import Parser, guarded, say, tell, version
from spotter.cli.logs import LEVELS, logged

if TYPE_CHECKING:
    import socket

    from spotter.serving.address import Address
    from spotter.serving.announce import Announcement
    from spotter.serving.server import Server

DEFAULT: Final = "tcp://127.0.0.1:10400"

_EXAMPLES: Final = """\
examples:
  spotter serve                                    for programs on this machine
  spotter serve --uri tcp://192.168.1.20:10400     for Home Assistant on another one
  spotter serve --model commands --model models/mine
  spotter serve --uri tcp://192.168.1.20:10400 --zeroconf   found by Home Assistant by itself

Wyoming has no password: whoever reaches the address can send audio and learns what is heard in it.

exit codes: 0 ended by Ctrl-C; 1 failed while running; 2 bad arguments, or the address cannot be listened on;
4 model unusable
"""

HELP: Final[dict[str, Any]] = {
    "help": "be a wake-word service for Home Assistant (Wyoming)",
    "description": "Hears keywords for Home Assistant and its satellites, until Ctrl-C.",
    "epilog": _EXAMPLES,
    "formatter_class": argparse.RawDescriptionHelpFormatter,
    "allow_abbrev": False,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run `python -m spotter.serve …`; return the exit code."""
    parser = Parser(prog="python -m spotter.serve", **{key: HELP[key] for key in HELP if key != "help"})
    add_arguments(parser)
    return guarded(lambda: run(parser.parse_args(argv)))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which options there are."""
    where = parser.add_argument_group("where to listen")
    where.add_argument("--uri", default=DEFAULT, metavar="tcp://HOST:PORT", help="default: %(default)s")
    where.add_argument(
        "--zeroconf",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="let Home Assistant find it, at the address of --uri or at this one of the machine's",
    )
    where.add_argument("--connections", type=int, default=512, metavar="N", help="at once (default: %(default)s)")
    where.add_argument(
        "--idle",
        type=float,
        default=300.0,
        metavar="S",
        help="close a client silent for so long (default: %(default)s)",
    )
    where.add_argument(
        "--processes",
        type=int,
        default=1,
        metavar="N",
        help="that share the clients, for N cores (default: %(default)s)",
    )
    how = parser.add_argument_group("how to decide")
    how.add_argument(
        "--model", action="append", default=[], metavar="NAME|FOLDER", help="may be repeated (default: commands)"
    )
    how.add_argument(
        "--threshold",
        action="append",
        default=[],
        metavar="[WORD=]T",
        help="0..1, for every keyword or for one; may be repeated (default: the models' own)",
    )
    how.add_argument("--hop", type=float, metavar="MS", help="milliseconds between decisions (default: about 100)")
    parser.add_argument("--log-level", choices=LEVELS, default="warning", help="default: %(default)s")
    parser.add_argument("--version", action="version", version=version())


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C; return the exit code."""
    with logged(options.log_level):
        return guarded(lambda: _serve(options))


def _serve(options: argparse.Namespace) -> int:
    from spotter.errors import BadInputError
    from spotter.serving.address import parse

    if options.connections < 1:
        raise BadInputError(f"--connections {options.connections} lets nobody in; give 1 or more")
    if not 1 <= options.processes <= 64:
        raise BadInputError(f"--processes {options.processes} is out of range; give 1 to 64")
    if not options.idle > 0:
        raise BadInputError(f"--idle {options.idle:g} closes every client at once; give seconds, such as 300")
    address = parse(options.uri)
    outside = not address.is_loopback
    announcement = _announcement(options.zeroconf, address)
    server = _server(options)
    if outside:
        say(
            f"warning: {address} is reached by other machines, and Wyoming has no authentication: whoever reaches it "
            "can send audio and learns what is heard in it"
        )
    from spotter.serving.running import serve

    others = None
    if options.processes > 1:
        from spotter.serving.processes import Others

        others = Others(address, options.processes, _help, [options])
    names = ", ".join(server.service.words.by_name)
    serve(server, address, announcement, lambda where: tell(f"serving {names} on {where}; Ctrl-C ends"), others)
    return 0


def _help(listening: socket.socket, counts: MutableSequence[int], number: int, options: argparse.Namespace) -> None:
    """Be one of several processes."""
    from spotter.serving.processes import Share
    from spotter.serving.running import help_to_serve

    with logged(options.log_level):
        help_to_serve(_server(options), Share(listening, counts, number))


def _server(options: argparse.Namespace) -> Server:
    from spotter.cli.listen import thresholds
    from spotter.errors import BadInputError
    from spotter.extras import want
    from spotter.model import Model
    from spotter.pipeline import hop_for
    from spotter.serving.limits import Limits
    from spotter.serving.words import Words
    from spotter.settings import with_threshold
    from spotter.streams import Together

    want("wyoming", "serve", "serving")
    from spotter.serving.server import Server
    from spotter.serving.session import Service

    for_all, for_words = thresholds(options.threshold)
    models = [Model.open(name) for name in options.model or ["commands"]]
    for word in for_words:
        if not any(word in model.keywords for model in models):
            there = ", ".join(dict.fromkeys(keyword for model in models for keyword in model.keywords))
            raise BadInputError(f"no keyword called {word!r} to set a threshold for; there are {there}")
    decoders = []
    for model in models:
        hop_for(model, options.hop)  # says what is wrong with it
        own = {word: value for word, value in for_words.items() if word in model.keywords}
        decoders.append(with_threshold(with_threshold(model.decoder, for_all, model.keywords), own, model.keywords))
    service = Service(Words(models), [Together(model) for model in models], decoders, options.hop)
    return Server(service, Limits(connections=options.connections, idle_s=options.idle))


def _announcement(wanted: str | None, address: Address) -> Announcement | None:
    if wanted is None:
        return None
    from spotter.serving.announce import Announcement

    return Announcement.of(address, wanted)
