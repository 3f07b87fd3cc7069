"""A recording with three words, and how tests wait for a listener."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from spotter.listener import Listener
from spotter.sources.memory import Samples
from tests.fakes import ScriptedModel, recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from spotter.events import Detection

WORDS = ((1.5, "yes"), (3.0, "no"), (4.5, "yes"))
TALK = recording(*WORDS, seconds=6.0)


def to_talk(**settings: object) -> Listener:
    return Listener(ScriptedModel(), source=Samples(TALK), **settings)  # type: ignore[arg-type]


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline, "did not happen within a minute"
        time.sleep(0.002)


def words(events: list[Detection]) -> list[str]:
    return [event.keyword for event in events]
