"""The command `spotter`: one file per subcommand, which parses, calls and prints."""

from __future__ import annotations

from collections.abc import Sequence

from spotter.cli import listen
from spotter.cli.common import Parser, guarded, version


def main(argv: Sequence[str] | None = None) -> int:
    """Run `spotter COMMAND …`; return the exit code."""
    parser = Parser(prog="spotter", description="Recognises spoken keywords as they are said.")
    parser.add_argument("--version", action="version", version=version())
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    listen.add_arguments(commands.add_parser("listen", **listen.HELP))
    return guarded(lambda: listen.run(parser.parse_args(argv)))
