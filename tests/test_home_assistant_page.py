"""The page about Home Assistant and OVOS keeps its promises."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from pathlib import Path

import pytest

from spotter.cli import serve
from spotter.manifest import parse_manifest
from spotter.ovos import SpotterHotWord
from spotter.serving.address import parse
from tests.command_line import TINY
from tests.test_docs import Strict, commands, missing

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "home_assistant.md"
TEXT = PAGE.read_text("utf-8")
PRINTED = re.compile(r"spotter serve --processes \d, \d+ clients")  # by the benchmark
COMMANDS = [
    command
    for path in (PAGE, ROOT / "README.md")
    for command in commands(path.read_text("utf-8"))
    if command.startswith("spotter serve ") and not PRINTED.match(command)
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page_is_one_that_the_parser_takes(command: str) -> None:
    parser = Strict(prog="serve", allow_abbrev=False)
    serve.add_arguments(parser)
    options: argparse.Namespace = parser.parse_args(shlex.split(command, comments=True)[2:])
    assert parse(options.uri)


def test_the_page_has_the_commands_that_people_need() -> None:
    assert any("--uri" in command for command in COMMANDS)
    assert any("--model" in command for command in COMMANDS)


def test_links_of_the_page_lead_somewhere() -> None:
    assert list(missing(PAGE)) == []


def test_what_a_manifest_may_say_is_what_it_may_say() -> None:
    (said,) = re.findall(r'^("languages".*?})\n```', TEXT, re.MULTILINE | re.DOTALL)
    more = json.loads("{" + said.replace("hey_robot", "yes") + "}")
    values = json.loads((Path(TINY) / "manifest.json").read_text())
    assert parse_manifest({**values, **more}).phrases == {"yes": "hey robot"}


def test_the_configuration_for_ovos_makes_a_hotword() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    hotwords = json.loads(block)["hotwords"]
    config = {**hotwords["hey_robot"], "model": TINY, "keyword": "yes"}
    assert config.pop("module") == "ovos-ww-plugin-spotter"
    assert set(config) == {"model", "keyword", "threshold", "listen"}
    assert SpotterHotWord("hey_robot", config).keyword == "yes"


def test_the_defaults_and_limits_that_the_page_names_are_the_codes_own() -> None:
    from spotter.serving.limits import Limits

    limits = Limits()
    assert (limits.line_bytes, limits.data_bytes, limits.payload_bytes) == (16 << 10, 64 << 10, 256 << 10)
    parser = Strict(prog="serve")
    serve.add_arguments(parser)
    options = parser.parse_args([])
    assert (options.uri, options.idle, options.connections) == ("tcp://127.0.0.1:10400", 300.0, 512)
    assert "header of more than 16 KiB, data of more than 64 KiB or a payload of more than 256 KiB" in TEXT
    assert "300 s (`--idle`). At most 512 are let in (`--connections`)" in TEXT
