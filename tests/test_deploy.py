"""What is documented for deploying names commands that there are, and runs as far as it can be run here."""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spotter.cli import listen, serve
from tests.processes import LIMIT_S

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[1]
CONTAINER = ROOT / "docs" / "container"
ADDON = ROOT / "docs" / "home_assistant_addon"


@pytest.fixture
def start() -> ModuleType:
    spec = importlib.util.spec_from_file_location("addon_start", ADDON / "start.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def taken(command: Any, arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    command.add_arguments(parser)
    options, unknown = parser.parse_known_args(arguments)
    assert not unknown
    return options


def instructions() -> list[tuple[str, str]]:
    text = (CONTAINER / "Containerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], line.partition(" ")[2]) for line in lines]


def test_the_container_does_not_run_as_root_and_starts_what_spotter_takes() -> None:
    found = instructions()
    assert [value for name, value in found if name == "USER"] == ["spotter"]
    last = {name: value for name, value in found if name in ("ENTRYPOINT", "CMD")}
    assert json.loads(last["ENTRYPOINT"]) == ["spotter"]
    command, *arguments = json.loads(last["CMD"])
    assert command == "listen"
    assert taken(listen, arguments).wait


def test_commands_of_the_container_page_are_ones_that_spotter_takes() -> None:
    text = (CONTAINER / "README.md").read_text("utf-8").replace("\\\n", " ")
    commands = re.findall(r"^    docker run .*? spotter (listen|serve) ?(.*)$", text, re.MULTILINE)
    assert len(commands) >= 5
    for name, arguments in commands:
        taken({"listen": listen, "serve": serve}[name], arguments.split())


def test_the_add_on_says_to_the_supervisor_what_it_must() -> None:
    yaml = pytest.importorskip("yaml", reason="mkdocs, which brings it, is not installed")
    config = yaml.safe_load((ADDON / "config.yaml").read_text("utf-8"))
    from spotter import __version__

    assert {"name", "version", "slug", "description", "arch"} <= set(config)
    assert config["version"] == __version__
    assert config["discovery"] == ["wyoming"]
    assert set(config["options"]) == set(config["schema"])
    assert config["ports"] == {"10400/tcp": None}
    assert set(yaml.safe_load((ADDON / "build.yaml").read_text("utf-8"))["build_from"]) == set(config["arch"])


def test_the_add_on_serves_the_models_that_a_person_chose(start: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "manifest.json").write_text("{}")
    command = start.command({"models": ["commands", "mine"], "threshold": 0.8}, tmp_path)
    assert command[:2] == ["spotter", "serve"]
    options = taken(serve, command[2:])
    assert options.model == ["commands", str(tmp_path / "mine")]
    assert options.threshold == ["0.8"]
    assert options.uri == "tcp://0.0.0.0:10400"


def test_without_a_choice_the_shipped_words_are_served_at_their_own_thresholds(start: ModuleType) -> None:
    options = taken(serve, start.command({"models": [], "threshold": 0})[2:])
    assert options.model == ["commands"]
    assert options.threshold == []


def test_home_assistant_is_told_where_the_service_is(start: ModuleType) -> None:
    told: list[tuple[str, str, dict[str, Any]]] = []

    class Supervisor(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.append((self.path, self.headers["Authorization"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Supervisor) as server:
        server.timeout = LIMIT_S
        thread = threading.Thread(target=server.handle_request, daemon=True)
        thread.start()
        start.announce("secret", f"http://127.0.0.1:{server.server_port}")
        thread.join(LIMIT_S)
    ((path, authorization, body),) = told
    assert (path, authorization, body["service"]) == ("/discovery", "Bearer secret", "wyoming")
    assert re.fullmatch(r"tcp://[\w.-]+:10400", body["config"]["uri"])
