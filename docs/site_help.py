"""Puts what a command's `--help` prints where a page says `<!-- help: spotter listen -->`."""

from __future__ import annotations

import argparse
import importlib
import os
import re
from typing import Any, Final

_MARK: Final = re.compile(r"^<!-- help: (?P<command>.+) -->$", re.MULTILINE)
_COLUMNS: Final = "100"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the marks of a page."""
    return _MARK.sub(lambda mark: f"```text\n{_help(mark['command'])}```", markdown)


def _help(command: str) -> str:
    os.environ["COLUMNS"] = _COLUMNS  # argparse looks there
    package, _, step = command.rpartition(" ")
    parser = {"spotter": _spotter, "python -m train": _train}[package](step)
    parser.prog = command
    return parser.format_help()


def _spotter(name: str) -> argparse.ArgumentParser:
    module = importlib.import_module(f"spotter.cli.{name}")
    parser = argparse.ArgumentParser(**{key: value for key, value in module.HELP.items() if key != "help"})
    module.add_arguments(parser)
    return parser


def _train(step: str) -> argparse.ArgumentParser:
    module = importlib.import_module(f"train.cli.{step.replace('-', '_')}")
    parser = argparse.ArgumentParser(
        description=module.__doc__,
        epilog=module.EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return parser
