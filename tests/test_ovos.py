"""The plugin for OVOS: found by its entry point, fed in chunks, asked whether the word was heard."""

from __future__ import annotations

import importlib
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spotter.ovos
from spotter.checkup import DEMO
from spotter.errors import BadInputError, ModelError
from spotter.sources.files import AudioFile

ROOT = Path(__file__).parents[1]
AUDIO = np.concatenate([block[:, 0].copy() for block in AudioFile(DEMO).blocks()])
PCM = (AUDIO * 32_767).astype("<i2").tobytes()


class Template:
    """The parts of OVOS's template that its listener relies on; its constructor differs from version to version."""

    def __init__(self) -> None:
        raise AssertionError("the plugin reads its own settings")


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The class as it is where OVOS is installed."""
    module: Any = types.ModuleType("ovos_plugin_manager.templates.hotwords")
    module.HotWordEngine = Template
    for name in ("ovos_plugin_manager", "ovos_plugin_manager.templates"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    yield importlib.reload(spotter.ovos).SpotterHotWord
    monkeypatch.undo()
    importlib.reload(spotter.ovos)


def heard(engine: Any, pcm: bytes, chunk: int) -> list[float]:
    """Seconds after which the listener, which asks after each chunk, finds the word."""
    found = []
    for at in range(0, len(pcm), chunk):
        engine.update(pcm[at : at + chunk])
        if engine.found_wake_word():
            found.append((at + chunk) / 32_000)
    return found


def test_the_entry_points_name_the_class() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    groups = re.findall(
        r'\[project\.entry-points\."([a-z._]+)"\]\novos-ww-plugin-spotter = "spotter\.ovos:(\w+)"', text
    )
    assert groups == [("opm.wake_word", "SpotterHotWord"), ("mycroft.plugin.wake_word", "SpotterHotWord")]
    assert isinstance(spotter.ovos.SpotterHotWord, type)


def test_the_listener_takes_it_for_a_hotword_engine_and_hears_the_word(plugin: Any) -> None:
    engine = plugin("stop", {"module": "ovos-ww-plugin-spotter"}, lang="en-us")
    assert issubclass(plugin, Template)
    found = heard(engine, PCM, 2_048)
    assert len(found) == 1
    assert 22.0 < found[0] < 22.4
    engine.stop()
    engine.shutdown()


@pytest.mark.parametrize("chunk", [319, 2_000, 100_000])
def test_it_works_without_ovos_and_however_audio_is_cut(chunk: int) -> None:
    engine = spotter.ovos.SpotterHotWord("yes", {"model": "commands"})
    found = heard(engine, PCM[: 32_000 * 6], chunk)
    assert len(found) == 1
    assert 2.0 < found[0] < 2.3 + chunk / 32_000


def test_older_listeners_give_audio_when_they_ask() -> None:
    engine = spotter.ovos.SpotterHotWord("yes")
    engine.update(PCM[: 32_000 * 3])
    assert engine.found_wake_word(b"\0" * 96_000)
    assert not engine.found_wake_word(b"")


def test_reset_forgets_what_was_heard_and_half_a_word() -> None:
    engine = spotter.ovos.SpotterHotWord("yes")
    engine.update(PCM[: 32_000 * 3 + 1])
    engine.reset()
    assert not engine.found_wake_word()
    assert len(heard(engine, PCM[: 32_000 * 3], 2_048)) == 1


def test_the_keyword_may_have_another_name_than_the_hotword() -> None:
    assert spotter.ovos.SpotterHotWord("hey computer", {"keyword": "go"}).keyword == "go"
    assert spotter.ovos.SpotterHotWord("Stop").keyword == "stop"
    assert spotter.ovos.SpotterHotWord("stop", {"model": None, "keyword": None, "threshold": None}).keyword == "stop"


def test_a_threshold_is_used() -> None:
    engine = spotter.ovos.SpotterHotWord("left", {"threshold": 0.999})
    assert heard(engine, PCM, 8_192) == []
    assert len(heard(spotter.ovos.SpotterHotWord("left"), PCM, 8_192)) == 1


@pytest.mark.parametrize(
    ("phrase", "config", "sentence"),
    [
        ("hey robot", {}, "commands has no keyword 'hey robot'; add \"keyword\" to its settings: down, go, left"),
        ("x", {"keyword": "hey"}, "commands has no keyword 'hey'; give one of down, go, left"),
        ("yes", {"threshold": 7}, "threshold 7 is out of range"),
        ("yes", {"model": 5}, '"model" is 5; give a model\'s name or folder, or leave it out'),
    ],
)
def test_what_is_wrong_in_the_settings_is_one_sentence(phrase: str, config: dict[str, Any], sentence: str) -> None:
    with pytest.raises((BadInputError, ModelError), match=re.escape(sentence)):
        spotter.ovos.SpotterHotWord(phrase, config)
