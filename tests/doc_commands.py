"""The commands that a page prints, and the product's own parsers to take them apart with."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from collections.abc import Iterator
from typing import Final

from spotter.cli import doctor, listen, page, scan, serve
from train.cli import STEPS

FENCED: Final = re.compile(r"^ *```\w*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_INLINE: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_INDENTED: Final = re.compile(r"^ {4,}(?=\S)(.*)$", re.MULTILINE)
_STARTS: Final = ("python -m ", "python3 ", "spotter ")
_SPOTTER: Final = {"doctor": doctor, "listen": listen, "page": page, "scan": scan, "serve": serve}
_OTHERS: Final = ("benchmarks", "pytest")
_SHELL: Final = {"|", ">", ">>", "2>", "2>&1", "&&", "&", ";"}


class Strict(argparse.ArgumentParser):
    """Raises, with what is wrong, where the real one would print it and leave."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise ValueError(message)


def typed(text: str) -> list[str]:
    """Every command that a reader is to type: in fenced and in indented blocks, a line that goes on as one."""
    blocks = [*FENCED.findall(text), *(f"{line}\n" for line in _INDENTED.findall(FENCED.sub("", text)))]
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return _commands(line.strip().removeprefix("$ ") for line in lines)


def mentioned(text: str) -> list[str]:
    """Every command that stands in a sentence; it may lack what a reader has to add."""
    return _commands(_INLINE.findall(FENCED.sub("", text)))


def parser_of(words: list[str]) -> tuple[argparse.ArgumentParser, list[str]] | None:
    """Return who takes a command apart, and its arguments; None for one whose arguments are not ours."""
    if words[:2] == ["python", "-m"] and words[2].startswith("spotter."):
        words = ["spotter", words[2].removeprefix("spotter."), *words[3:]]
    elif words[:3] == ["python", "-m", "spotter"]:
        words = words[2:]
    elif words[:2] == ["python3", "run.py"] and words[2:3] != ["test"]:
        words = ["spotter", "listen", *words[2:]]
    parser = Strict(allow_abbrev=False)
    if words[:3] == ["python", "-m", "train"]:
        if words[3] not in STEPS:
            raise ValueError(f"no step {words[3]}")
        importlib.import_module(f"train.cli.{words[3].replace('-', '_')}").add_arguments(parser)
        return parser, words[4:]
    if words[0] == "spotter" and words[1] in _SPOTTER:
        _SPOTTER[words[1]].add_arguments(parser)
        return parser, words[2:]
    if words[0] == "python3" or (words[:2] == ["python", "-m"] and words[2].partition(".")[0] in _OTHERS):
        return None
    raise ValueError(f"nobody knows how to check {shlex.join(words)!r}")


def parse(command: str) -> argparse.Namespace | None:
    """Take a command apart with the product's own parser; ValueError if that refuses it."""
    words = _arguments(command)
    found = parser_of(words)
    return found and found[0].parse_args(found[1])


def unknown_options(command: str) -> list[str]:
    """Return the options of a mentioned command that its parser does not know."""
    found = parser_of(_arguments(command))
    if found is None:
        return []
    parser, rest = found
    return [word for word in rest if word.startswith("--") and word not in parser._option_string_actions]


def _commands(lines: Iterator[str] | list[str]) -> list[str]:
    return [" ".join(line.split()) for line in lines if line.startswith(_STARTS)]


def _arguments(command: str) -> list[str]:
    """Return a command's own words, without what a shell makes of the rest of the line."""
    words = shlex.split(command, comments=True)
    end = next((at for at, word in enumerate(words) if word in _SHELL), len(words))
    return words[:end]
