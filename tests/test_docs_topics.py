"""The pages about scripts, archives and Python: their commands parse, their links lead somewhere."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from spotter.cli import listen, scan
from tests.test_docs import Strict, commands, missing

DOCS = Path(__file__).parent.parent / "docs"
PAGES = [DOCS / name for name in ("scripts.md", "archives.md", "python.md")]
COMMANDS = [command for page in PAGES for command in commands(page.read_text("utf-8"))]
PARSERS = {"listen": listen, "scan": scan}


@pytest.mark.parametrize("command", [c for c in COMMANDS if len(c.split()) > 2])
def test_every_command_is_one_that_our_parsers_take(command: str) -> None:
    words = shlex.split(command.partition(" | ")[0], comments=True)
    parser = Strict(prog=words[1], allow_abbrev=False)
    PARSERS[words[1]].add_arguments(parser)
    parser.parse_args(words[2:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert list(missing(page)) == []
