"""`spotter listen --mqtt`: detections for Home Assistant and others at an MQTT broker."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from spotter.cli.common import say, tell

if TYPE_CHECKING:
    from spotter.events import Event
    from spotter.listener import Listener
    from spotter.model import Model
    from spotter.mqtt.publisher import Publisher

_KEEP_S: Final = 30.0
_LONGEST_S: Final = 86_400.0
_END_S: Final = 1.8
_OTHERS: Final = ("mqtt_id", "mqtt_discovery", "mqtt_password_file", "mqtt_ca", "mqtt_keep")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which options there are."""
    group = parser.add_argument_group("detections by MQTT, as an event entity of Home Assistant")
    group.add_argument("--mqtt", metavar="URL", help="mqtt://[USER@]HOST[:PORT], or mqtts:// for TLS")
    group.add_argument("--mqtt-id", metavar="NAME", help="this spotter among others (default: the machine's name)")
    group.add_argument(
        "--mqtt-discovery", metavar="PREFIX", help="of Home Assistant; '' tells it nothing (default: homeassistant)"
    )
    group.add_argument(
        "--mqtt-password-file", metavar="FILE", help="holds the user's password (or SPOTTER_MQTT_PASSWORD does)"
    )
    group.add_argument("--mqtt-ca", metavar="FILE", help="PEM certificates to check the broker's with")
    group.add_argument(
        "--mqtt-keep",
        type=float,
        metavar="S",
        help=f"without a broker keep detections for so many seconds, 100 at most (default: {_KEEP_S:g})",
    )


def outlet(options: argparse.Namespace, model: Model) -> Mqtt | None:
    """Return what the options ask for, if anything."""
    from spotter.errors import BadInputError

    if options.mqtt is None:
        given = [name for name in _OTHERS if getattr(options, name) is not None]
        if given:
            raise BadInputError(f"--{given[0].replace('_', '-')} is for --mqtt; leave it out, or give both")
        return None
    keep_s = _KEEP_S if options.mqtt_keep is None else options.mqtt_keep
    if not 0 < keep_s <= _LONGEST_S:
        raise BadInputError(f"--mqtt-keep {keep_s:g} cannot be; give more than 0, {_LONGEST_S:g} at most")
    return Mqtt(_publisher(options, model, keep_s))


def _publisher(options: argparse.Namespace, model: Model, keep_s: float) -> Publisher:
    from spotter import __version__
    from spotter.extras import want
    from spotter.mqtt import address, messages

    want("paho", "mqtt", "--mqtt", "paho-mqtt")
    from spotter.mqtt.publisher import Publisher

    file, ca_file = (None if name is None else Path(name) for name in (options.mqtt_password_file, options.mqtt_ca))
    broker = address.broker(options.mqtt, password=address.password(file, os.environ), ca_file=ca_file)
    if broker.in_clear:
        say(f"what is sent to {broker}, a password too, can be read on the way; mqtts:// encrypts it")
    own = address.usual_id() if options.mqtt_id is None else address.check_id(options.mqtt_id)
    if options.mqtt_discovery == "":
        return Publisher(broker, messages.Topics(id=own), None, keep_s)
    topics = messages.Topics(id=own, discovery=address.check_prefix(options.mqtt_discovery or "homeassistant"))
    about = messages.configuration(topics, model.keywords, model.name, __version__)
    return Publisher(broker, topics, about, keep_s)


class Mqtt:
    """Hands detections to a publisher, and whether there is a microphone."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._listener: Listener | None = None

    def begin(self, listener: Listener) -> None:
        """Connect, in the background."""
        self._listener = listener
        self._publisher.begin()

    def hear(self, event: Event) -> None:
        """Send a detection."""
        from spotter.events import Detection, DeviceBack, DeviceLost
        from spotter.mqtt import messages
        from spotter.running import is_live

        if isinstance(event, DeviceLost | DeviceBack):
            self._publisher.hears(isinstance(event, DeviceBack))
        elif isinstance(event, Detection) and self._listener is not None:
            live = is_live(self._listener.source)
            wall = self._listener.time_of_day(event.time) if live else None
            self._publisher.send(messages.event(event, wall))

    def end(self) -> None:
        """Say goodbye, and how many arrived."""
        self._publisher.end(_END_S)
        left = len(self._publisher.backlog)
        tell(f"MQTT sent: {self._publisher.sent}, dropped: {self._publisher.backlog.dropped + left}")
