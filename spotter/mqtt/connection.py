"""One connection to a broker, from its beginning to its end; what happens on it comes as signals.

`paho.mqtt` would reconnect by itself, and would then send again whatever it had not sent, however old.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from spotter.mqtt.address import Broker
from spotter.mqtt.messages import OFFLINE, Topics

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

KEEPALIVE_S: Final = 15  # a broker that is silent for longer than that and half is gone
_CONNECT_S: Final = 4.0


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that happened."""

    kind: Literal["accepted", "refused", "gone", "taken", "born", "denied"]
    number: int = 0  # of a message that was taken
    reason: str = ""  # for which we were refused


Tell: TypeAlias = Callable[[Signal], None]


class Connection:
    """Connects at once; raises `OSError` where nobody answers.

    Parameters
    ----------
    client_id : str
        The same for all connections of a process, so that the broker drops the one before.
    tell
        Is called from a thread of paho's with each signal: `accepted` or `refused`, then `taken` for each message,
        `born` when Home Assistant has started, `denied` when somebody says that we are offline; `gone` is the last.
    """

    def __init__(self, broker: Broker, topics: Topics, client_id: str, tell: Tell) -> None:
        from paho.mqtt.client import Client, MQTTv311
        from paho.mqtt.enums import CallbackAPIVersion

        self._topics = topics
        client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTv311, reconnect_on_failure=False)
        client.connect_timeout = _CONNECT_S
        if broker.user:
            client.username_pw_set(broker.user, broker.password or None)
        if broker.tls is not None:
            client.tls_set_context(broker.tls)
        client.will_set(topics.status, OFFLINE, qos=1, retain=True)
        told = _Told(topics, tell)
        client.on_connect, client.on_disconnect = told.connected, told.disconnected
        client.on_publish, client.on_message = told.published, told.heard
        client.connect(broker.host, broker.port, KEEPALIVE_S)
        client.loop_start()
        self._client: Client = client

    def follow(self) -> None:
        """Have the broker say when Home Assistant starts, and when somebody says that we are offline."""
        self._client.subscribe([(self._topics.birth, 1), (self._topics.status, 1)])

    def say(self, topic: str, payload: str | bytes, *, retain: bool = False) -> int:
        """Send a message; return its number, with which `taken` comes when the broker has it."""
        return self._client.publish(topic, payload, qos=1, retain=retain).mid

    def leave(self) -> None:
        """Say goodbye, so that the broker does not speak our last will; `gone` comes."""
        self._client.disconnect()

    def cut(self) -> None:
        """End it although the broker does not take what is sent."""
        at = self._client.socket()
        if isinstance(at, socket.socket):
            with contextlib.suppress(OSError):
                at.shutdown(socket.SHUT_RDWR)


class _Told:
    """What paho calls. It does not know the connection: a client that is done with goes at once, with its sockets."""

    def __init__(self, topics: Topics, tell: Tell) -> None:
        self._topics, self._tell = topics, tell

    def connected(self, _client: Client, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        """Be told whether the broker lets us in."""
        self._tell(Signal("refused", reason=str(reason)) if reason.is_failure else Signal("accepted"))

    def disconnected(
        self, _client: Client, _data: object, _flags: object, _reason: object, _properties: object
    ) -> None:
        """Be told that the connection is over."""
        self._tell(Signal("gone"))

    def published(self, _client: Client, _data: object, number: int, _reason: object, _properties: object) -> None:
        """Be told that the broker has taken a message."""
        self._tell(Signal("taken", number))

    def heard(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        """Be told what somebody says."""
        if message.topic == self._topics.birth and message.payload == b"online":
            self._tell(Signal("born"))
        elif message.topic == self._topics.status and message.payload == OFFLINE:
            self._tell(Signal("denied"))


def new_client_id() -> str:
    """Return one that nobody else has, short enough for every broker."""
    return f"spotter-{secrets.token_hex(4)}"
