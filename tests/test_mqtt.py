"""What is said to an MQTT broker, where, and what of it is kept while there is none: pure."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest

from spotter.errors import BadInputError
from spotter.events import Detection
from spotter.mqtt import messages
from spotter.mqtt.address import PASSWORD_VARIABLE, broker, check_id, check_prefix, password, usual_id
from spotter.mqtt.backlog import Backlog

HEARD = Detection(keyword="yes", score=0.97, time_sample=198_400, start_sample=185_920, end_sample=196_960)


def test_home_assistant_is_told_of_an_event_entity_with_the_keywords_as_its_types() -> None:
    topics = messages.Topics(id="kitchen")
    assert topics.config == "homeassistant/event/spotter-kitchen/config"
    assert json.loads(messages.configuration(topics, ("yes", "no"), "commands", "1.2")) == {
        "name": "Keyword",
        "unique_id": "spotter-kitchen-keyword",
        "icon": "mdi:account-voice",
        "state_topic": "spotter/kitchen/event",
        "event_types": ["yes", "no"],
        "availability_topic": "spotter/kitchen/status",
        "payload_available": "online",
        "payload_not_available": "offline",
        "qos": 1,
        "device": {
            "identifiers": ["spotter-kitchen"],
            "name": "spotter kitchen",
            "manufacturer": "spotter",
            "model": "commands",
            "sw_version": "1.2",
        },
        "origin": {"name": "spotter", "sw_version": "1.2"},
    }


def test_a_detection_is_said_with_the_keys_of_json_lines_and_its_type() -> None:
    wall = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
    assert json.loads(messages.event(HEARD, wall)) == {
        "event_type": "yes",
        "type": "detection",
        "keyword": "yes",
        "score": 0.97,
        "time": 12.4,
        "start": 11.62,
        "end": 12.31,
        "wall": "2026-01-31T12:00:00.000+00:00",
    }
    assert "wall" not in messages.event(HEARD)


@pytest.mark.parametrize(
    ("address", "host", "port", "user", "tls"),
    [
        ("homeassistant.local", "homeassistant.local", 1_883, "", False),
        ("127.0.0.1:18830", "127.0.0.1", 18_830, "", False),
        ("mqtt://anna@host", "host", 1_883, "anna", False),
        ("mqtts://anna%40home@host", "host", 8_883, "anna@home", True),
        ("mqtts://[::1]:9000/", "::1", 9_000, "", True),
    ],
)
def test_an_address_names_host_port_user_and_tls(address: str, host: str, port: int, user: str, tls: bool) -> None:
    found = broker(address)
    assert (found.host, found.port, found.user, found.tls is not None) == (host, port, user, tls)


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("", "is no address"),
        ("http://host", "is no address"),
        ("mqtt://", "is no address"),
        ("mqtt://host:0", "is no address"),
        ("mqtt://host:99999", "is no address"),
        ("mqtt://host:port", "is no address"),
        ("mqtt://host/path", "is no address"),
        ("mqtt://anna:secret@host", "can be read by other users"),
        ("http://anna:secret@host", "is no address"),
        ("anna:secret@host", "can be read by other users"),
        ("mqtt://anna:se/secret@host", "is no address"),
        ("mqtt://anna:secret@secret@host", "can be read by other users"),
        ("mqtt://anna:x:secret@host", "can be read by other users"),
        ("anna:/secret@host", "is no address"),
    ],
)
def test_an_address_that_cannot_be_is_refused_and_a_password_in_it_is_not_repeated(address: str, hint: str) -> None:
    with pytest.raises(BadInputError, match=hint) as raised:
        broker(address)
    assert "secret" not in str(raised.value)


def test_a_password_comes_from_a_file_or_the_environment_and_is_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("in the file\n")
    assert password(file, {PASSWORD_VARIABLE: "in the environment"}) == "in the file"
    file.write_bytes(b"\xef\xbb\xbfin the first line\r\nand nothing else\r\n")
    assert password(file, {}) == "in the first line"
    assert password(None, {PASSWORD_VARIABLE: "in the environment"}) == "in the environment"
    assert password(None, {}) == ""
    secret = tmp_path.name + "secret"
    found = broker("mqtt://anna@host", password=secret)
    assert secret not in repr(found)
    assert secret not in str(found)
    with pytest.raises(BadInputError, match="no user"):
        broker("mqtt://host", password=secret)


def test_a_password_file_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="No such file"):
        password(tmp_path / "none", {})
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(BadInputError, match="empty first line"):
        password(tmp_path / "empty", {})
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInputError, match="no text"):
        password(tmp_path / "binary", {})


def test_certificates_that_cannot_be_used_are_said(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for name, hint in (("none.pem", "No such file"), ("ca.pem", "no certificates in PEM")):
        with pytest.raises(BadInputError, match=hint):
            broker("mqtts://host", ca_file=tmp_path / name)
    with pytest.raises(BadInputError, match="is for TLS"):
        broker("mqtt://host", ca_file=tmp_path / "ca.pem")


def test_only_what_leaves_the_machine_in_clear_is_called_so() -> None:
    assert [broker(a).in_clear for a in ("mqtt://localhost", "mqtt://127.0.0.1", "mqtts://host", "mqtt://host")] == [
        False,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("text", ["", "a/b", "a+", "#", "a b", "ü", "x" * 65])
def test_names_that_cannot_stand_in_a_topic_are_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="topic"):
        check_id(text)
    assert check_id(usual_id()) == usual_id()


@pytest.mark.parametrize("text", ["", "/", "a/", "a+", "#", "a b", "a\0"])
def test_prefixes_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="prefix"):
        check_prefix(text)
    assert check_prefix("home/assistant") == "home/assistant"


def taken(backlog: Backlog, now_s: float) -> list[str]:
    found = []
    while message := backlog.take(now_s):
        found.append(message.payload)
    return found


def test_of_too_many_the_oldest_go_and_are_counted() -> None:
    backlog = Backlog(3, 10.0)
    for number in range(5):
        backlog.add(str(number), 0.0)
    assert taken(backlog, 1.0) == ["2", "3", "4"]
    assert (backlog.crowded_out, backlog.dropped) == (2, 2)


def test_what_is_too_old_is_not_sent_and_counted() -> None:
    backlog = Backlog(10, 10.0)
    for number in range(4):
        backlog.add(str(number), number * 4.0)
    assert taken(backlog, 15.0) == ["2", "3"]
    assert backlog.too_old == 2


def test_what_may_not_have_arrived_comes_first_again_and_newer_ones_stay() -> None:
    backlog = Backlog(3, 10.0)
    for number in range(3):
        backlog.add(str(number), 0.0)
    first = [message for message in (backlog.take(0.0), backlog.take(0.0)) if message]
    backlog.add("3", 0.0)
    backlog.put_back(first)
    assert taken(backlog, 0.0) == ["1", "2", "3"]
    assert backlog.dropped == 1
