"""Detections at a real broker: found by Home Assistant, with a last will, whether the broker is there or not."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spotter.cli import listen
from spotter.cli.listen import DEMO
from spotter.mqtt.address import broker as broker_at
from spotter.mqtt.connection import KEEPALIVE_S, Connection
from spotter.mqtt.messages import Topics, configuration
from spotter.mqtt.publisher import Publisher
from tests.mosquitto import Mosquitto, Observer, patient, told_first  # noqa: F401  fixtures
from tests.processes import LIMIT_S, started, until

TOPICS = Topics(id="k")
CONFIG = configuration(TOPICS, ("yes", "no"), "commands", "1")
pytest.importorskip("paho.mqtt")


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    until(lambda: not [t for t in threading.enumerate() if t.name.startswith(("spotter", "paho-mqtt-client-spotter"))])


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    mosquitto = Mosquitto(tmp_path).start()
    yield mosquitto
    mosquitto.end()


@pytest.fixture
def observer(broker: Mosquitto) -> Iterator[Observer]:
    somebody = Observer(broker)
    yield somebody
    somebody.close()


def publisher(address: str, keep_s: float = 30.0, config: str | None = CONFIG) -> Publisher:
    made = Publisher(broker_at(address), TOPICS, config, keep_s)
    made.begin()
    return made


def numbers(observer: Observer) -> list[int]:
    return [event["n"] for event in observer.events()]


@pytest.mark.usefixtures("patient")
def test_listen_tells_home_assistant_what_it_is_and_what_it_hears(
    broker: Mosquitto, observer: Observer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert listen.main(["--input", str(DEMO), "--json", "--mqtt", broker.address, "--mqtt-id", "k"]) == 0
    done = capsys.readouterr()
    assert "MQTT sent: 10, dropped: 0" in done.err
    until(lambda: len(observer.on(TOPICS.status)) >= 2)
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert observer.events() == [{"event_type": line["keyword"], **line} for line in lines]
    about = json.loads(observer.on(TOPICS.config)[0])
    assert {line["keyword"] for line in lines} <= set(about["event_types"])
    assert observer.on(TOPICS.status) == [b"online", b"offline"]
    late = Observer(broker)
    until(lambda: len(late.heard) >= 2)
    late.close()
    assert sorted((topic, retained) for topic, _, retained in late.heard) == [
        (TOPICS.config, True),
        (TOPICS.status, True),
    ]
    assert late.on(TOPICS.status) == [b"offline"]


def test_a_process_that_is_killed_is_said_to_be_offline(broker: Mosquitto, observer: Observer) -> None:
    command = [sys.executable, "-m", "spotter.listen", "--input", "-", "--mqtt", broker.address, "--mqtt-id", "k"]
    with started(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        until(lambda: observer.on(TOPICS.status) == [b"online"])
        process.kill()
        until(lambda: observer.on(TOPICS.status) == [b"online", b"offline"])


def test_it_introduces_itself_again_when_home_assistant_has_started(broker: Mosquitto, observer: Observer) -> None:
    sender = publisher(broker.address)
    until(lambda: observer.on(TOPICS.status) == [b"online"])
    observer.say("homeassistant/status", "offline")
    observer.say("homeassistant/status", "online")
    until(lambda: len(observer.on(TOPICS.status)) == 2)
    assert observer.on(TOPICS.status) == [b"online", b"online"]
    assert [json.loads(payload) for payload in observer.on(TOPICS.config)] == [json.loads(CONFIG)] * 2
    sender.end(2.0)


@pytest.mark.usefixtures("patient")
def test_without_discovery_home_assistant_is_told_nothing(broker: Mosquitto, observer: Observer) -> None:
    assert listen.main(["--input", str(DEMO), "--mqtt", broker.address, "--mqtt-id", "k", "--mqtt-discovery", ""]) == 0
    until(lambda: len(observer.on(TOPICS.status)) == 2)
    assert {topic for topic, _, _ in observer.heard} == {TOPICS.status, TOPICS.event}


def test_a_last_will_that_comes_late_does_not_leave_us_offline(broker: Mosquitto, observer: Observer) -> None:
    sender = publisher(broker.address)
    until(lambda: observer.on(TOPICS.status) == [b"online"])
    observer.say(TOPICS.status, "offline", retain=True)
    until(lambda: observer.on(TOPICS.status) == [b"online", b"offline", b"online"])
    sender.end(2.0)


def test_without_a_microphone_we_are_offline(broker: Mosquitto, observer: Observer) -> None:
    sender = publisher(broker.address)
    until(lambda: observer.on(TOPICS.status) == [b"online"])
    sender.hears(well=False)
    until(lambda: observer.on(TOPICS.status)[1:] == [b"offline"])
    observer.say("homeassistant/status", "online")
    until(lambda: observer.on(TOPICS.status)[1:] == [b"offline", b"offline"])
    sender.hears(well=True)
    until(lambda: observer.on(TOPICS.status)[-1] == b"online")
    sender.end(2.0)


def test_while_the_broker_is_gone_detections_wait_and_arrive_in_order(
    broker: Mosquitto, observer: Observer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_connect = threading.Event()
    may_connect.set()

    def connect(*arguments: Any) -> Connection:
        assert may_connect.wait(LIMIT_S)
        return Connection(*arguments)

    monkeypatch.setattr("spotter.mqtt.publisher.Connection", connect)
    sender = publisher(broker.address)
    with caplog.at_level(logging.WARNING, "spotter"):
        until(lambda: observer.on(TOPICS.status) == [b"online"])
        sender.send('{"n": 0}')
        until(lambda: numbers(observer) == [0])
        may_connect.clear()
        broker.stop()
        until(lambda: "connection was lost" in caplog.text)
        for number in range(1, 131):
            sender.send(f'{{"n": {number}}}')
        broker.start()
        back = Observer(broker)
        may_connect.set()
        until(lambda: len(numbers(back)) >= 100)
    assert numbers(back) == list(range(31, 131)), "a hundred were kept, the newest"
    assert sender.backlog.dropped == 30
    assert caplog.text.count("connection was lost") == 1
    assert "is there" in caplog.text
    until(lambda: sender.sent == 101)
    assert back.on(TOPICS.status) == [b"online"]
    sender.end(2.0)
    back.close()


def test_a_connection_that_is_over_leaves_no_socket_to_the_garbage_collector(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients: list[Callable[[], object]] = []

    def connect(*arguments: Any) -> Connection:
        connection = Connection(*arguments)
        clients.append(weakref.ref(connection._client))
        return connection

    monkeypatch.setattr("spotter.mqtt.publisher.Connection", connect)
    gc.disable()
    try:
        sender = publisher(broker.address)
        sender.send('{"n": 0}')
        until(lambda: sender.sent == 1)
        sender.end(2.0)
        until(lambda: [client() for client in clients] == [None])
    finally:
        gc.enable()


def test_what_became_too_old_meanwhile_is_not_sent(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    sender = publisher(broker.address, keep_s=0.2)
    sender.send('{"n": 0}')
    time.sleep(0.25)  # it grows old
    broker.start()
    observer = Observer(broker)
    until(lambda: sender.backlog.too_old == 1)
    sender.backlog._keep_s = LIMIT_S  # the next one does not grow old, however busy the machine is
    until(lambda: observer.on(TOPICS.status) == [b"online"])
    sender.send('{"n": 1}')
    until(lambda: numbers(observer) == [1])
    assert sender.backlog.too_old == 1
    sender.end(2.0)
    observer.close()
    broker.end()


@pytest.mark.usefixtures("told_first")
def test_without_a_broker_listening_goes_on_and_ends_in_time_with_the_loss_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert listen.main(["--input", str(DEMO), "--mqtt", f"127.0.0.1:{nobody.getsockname()[1]}"]) == 0
    done = capsys.readouterr()
    assert len(done.out.splitlines()) == 10
    assert done.err.count("cannot be reached (Connection refused); trying again") == 1
    assert "MQTT sent: 0, dropped: 10" in done.err


def test_a_broker_that_never_answers_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = publisher(f"127.0.0.1:{server.getsockname()[1]}")
        silent, _ = server.accept()
        with silent:
            began = time.monotonic()
            for number in range(1_000):
                sender.send(str(number))
            sender.end(2.0)
            assert time.monotonic() - began < 4.5  # an answer is waited for longer than that
    until(lambda: not sender._thread.is_alive())


def test_without_a_thread_for_the_connection_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[object] = []

    def refused(*arguments: object) -> None:
        tries.append(arguments)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("spotter.mqtt.publisher.Connection", refused)
    sender = publisher("127.0.0.1:1")
    until(lambda: len(tries) > 1)
    assert sender._thread.is_alive()
    sender.end(1.0)
    assert caplog.text.count("can't start new thread") == 1


def test_a_broker_that_drops_us_over_and_over_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("spotter.mqtt.publisher._LAST_RETRY_S", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = publisher(f"127.0.0.1:{server.getsockname()[1]}")
        for _ in range(5):
            client, _ = server.accept()
            with client:
                client.recv(1_000)
                client.sendall(b"\x20\x02\x00\x00")  # "you are let in"
                client.recv(1_000)
        sender.end(2.0)
    until(lambda: not sender._thread.is_alive())
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1, said
    assert said[0].endswith("cannot be reached (the connection was lost); trying again")


def test_a_broker_that_stops_taking_anything_is_left_in_time(broker: Mosquitto, observer: Observer) -> None:
    sender = publisher(broker.address)
    until(lambda: observer.on(TOPICS.status) == [b"online"])
    assert broker._process is not None
    os.kill(broker._process.pid, signal.SIGSTOP)
    sender.send('{"n": 0}')
    began = time.monotonic()
    sender.end(2.0)
    assert time.monotonic() - began < KEEPALIVE_S
    os.kill(broker._process.pid, signal.SIGCONT)
    until(lambda: observer.on(TOPICS.status)[-1] == b"offline")
