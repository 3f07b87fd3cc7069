"""Topics and what is said on them, for Home Assistant's MQTT discovery: pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from spotter.events import Detection

ONLINE: Final = b"online"
OFFLINE: Final = b"offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """Where a spotter says what."""

    id: str  # of this spotter among all of the broker
    discovery: str = "homeassistant"  # prefix

    @property
    def event(self) -> str:
        """What was heard: a JSON object each, not retained."""
        return f"spotter/{self.id}/event"

    @property
    def status(self) -> str:
        """`online` or `offline`, retained."""
        return f"spotter/{self.id}/status"

    @property
    def config(self) -> str:
        """What Home Assistant is to know about the entity, retained."""
        return f"{self.discovery}/event/spotter-{self.id}/config"

    @property
    def birth(self) -> str:
        """Where Home Assistant says that it has started."""
        return f"{self.discovery}/status"


def configuration(topics: Topics, keywords: Sequence[str], model: str, version: str) -> str:
    """Return the entity for Home Assistant: an event with the keywords as its types."""
    return json.dumps(
        {
            "name": "Keyword",
            "unique_id": f"spotter-{topics.id}-keyword",
            "icon": "mdi:account-voice",
            "state_topic": topics.event,
            "event_types": list(keywords),
            "availability_topic": topics.status,
            "payload_available": ONLINE.decode(),
            "payload_not_available": OFFLINE.decode(),
            "qos": 1,
            "device": {
                "identifiers": [f"spotter-{topics.id}"],
                "name": f"spotter {topics.id}",
                "manufacturer": "spotter",
                "model": model,
                "sw_version": version,
            },
            "origin": {"name": "spotter", "sw_version": version},
        }
    )


def event(detection: Detection, wall: datetime | None = None) -> str:
    """Return what is said of a detection: the keys of `--json`, and `event_type` for Home Assistant.

    Parameters
    ----------
    wall : datetime, optional
        When it was said, in UTC; for live streams.
    """
    values: dict[str, Any] = {"event_type": detection.keyword, **detection.as_dict()}
    if wall is not None:
        values["wall"] = wall.isoformat(timespec="milliseconds")
    return json.dumps(values)
