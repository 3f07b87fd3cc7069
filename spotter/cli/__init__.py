"""The command `spotter`: one file per subcommand, which parses, calls and prints."""

from __future__ import annotations

from collections.abc import Sequence

from spotter.cli import doctor, listen, page, scan, serve
from spotter.cli.common import Parser, guarded, version


def main(argv: Sequence[str] | None = None) -> int:
    """Run `spotter COMMAND …`; return the exit code."""
    parser = Parser(prog="spotter", description="Recognises spoken keywords as they are said.")
    parser.add_argument("--version", action="version", version=version())
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in (("listen", listen), ("page", page), ("serve", serve), ("scan", scan), ("doctor", doctor)):
        one = commands.add_parser(name, **command.HELP)
        command.add_arguments(one)
        one.set_defaults(run=command.run)

    def run() -> int:
        options = parser.parse_args(argv)
        code: int = options.run(options)
        return code

    return guarded(run)
