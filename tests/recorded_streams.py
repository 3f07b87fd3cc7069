"""Recorded streams for tests: what they give when they are heard, and what is noted beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotter.listener import Listener
from spotter.sources.recordings import notes_path, open_sound
from tests.fakes import ScriptedModel

if TYPE_CHECKING:
    from spotter.events import Event


ROOT = Path(__file__).parents[1]
DEMO = ROOT / "spotter" / "data" / "demo.flac"
RATE = 16_000


def again(path: Path, model: Any = None) -> list[Event]:
    """What the recording gives when it is heard."""
    listener = Listener(model or ScriptedModel(), source=open_sound(path))
    listener.start()
    events = [event for event in listener.events() if event is not None]
    listener.stop()
    return events


def notes(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(notes_path(path).read_text("utf-8"))
    return values
