"""A private MQTT broker: Debian's mosquitto with a configuration of the test's own, on the loopback address."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spotter.mqtt.publisher import Publisher
from tests.processes import LIMIT_S, until

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

PROGRAM = shutil.which("mosquitto") or ("/usr/sbin/mosquitto" if Path("/usr/sbin/mosquitto").exists() else None)


def required(program: str | None, name: str) -> str:
    """Skip the test without a program, or fail where none may be missing."""
    if program is None:
        if os.environ.get("SPOTTER_VIRTUAL_MIC") == "require":
            pytest.fail(f"{name} is missing")
        pytest.skip(f"{name} is not installed")
    return program


class Mosquitto:
    """A broker that may be stopped and started again at the same port."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self._program = required(PROGRAM, "mosquitto")
        # Kept until the end, without listening: nobody else is given the port while the broker is not there.
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self.port: int = self._place.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        lines = (f"listener {self.port} 127.0.0.1", "persistence false", *(settings or ("allow_anonymous true",)))
        self._config.write_text("\n".join(lines) + "\n", "utf-8")
        if os.geteuid() == 0:  # it would give up root, and could not read the test's folder then
            self._config.write_text(self._config.read_text("utf-8") + "user root\n", "utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> Mosquitto:
        self._process = subprocess.Popen([self._program, "-c", str(self._config)], stderr=subprocess.DEVNULL)
        try:
            until(self._answers)
        except BaseException:
            self.end()
            raise
        return self

    def end(self) -> None:
        """Stop it, and give its port back."""
        self.stop()
        self._place.close()

    def stop(self) -> None:
        """End as with a power cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "mosquitto has ended"
        try:
            socket.create_connection(("127.0.0.1", self.port), LIMIT_S).close()
        except OSError:
            return False
        return True


class Observer:
    """Somebody else at the broker, such as Home Assistant: hears all topics."""

    def __init__(self, broker: Mosquitto, user: str = "", password: str = "", tls: Any = None) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.heard: list[tuple[str, bytes, bool]] = []  # topic, payload, whether it was retained
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 1)
        if user:
            self._client.username_pw_set(user, password)
        if tls is not None:
            self._client.tls_set_context(tls)
        self._client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _client, _data, message: self._hear(message)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        assert self._subscribed.wait(LIMIT_S)

    def say(self, topic: str, payload: str, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, 1, retain).wait_for_publish(LIMIT_S)

    def on(self, topic: str) -> list[bytes]:
        """Everything that was said there so far."""
        return [payload for where, payload, _ in self.heard if where == topic]

    def events(self, name: str = "k") -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in self.on(f"spotter/{name}/event")]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client._reset_sockets()  # else they wait for the garbage collector, which says so in any test

    def _hear(self, message: MQTTMessage) -> None:
        self.heard.append((message.topic, bytes(message.payload), message.retain))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the command wait for the broker for as long as it takes; it gives up soon, and machines may be busy."""
    monkeypatch.setattr("spotter.cli.mqtt_option._END_S", LIMIT_S)


@pytest.fixture
def told_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the command end only when it knows what is wrong with the broker; a short recording may be quicker."""
    really = Publisher.end

    def end(publisher: Publisher, limit_s: float) -> None:
        until(lambda: publisher._said)
        really(publisher, limit_s)

    monkeypatch.setattr(Publisher, "end", end)
