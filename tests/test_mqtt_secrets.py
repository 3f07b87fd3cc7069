"""Brokers that want a password, or speak TLS."""

from __future__ import annotations

import gc
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spotter.cli import listen as listen_command
from spotter.cli.listen import DEMO
from tests.mosquitto import Mosquitto, Observer, patient, required, told_first  # noqa: F401  fixtures
from tests.processes import until

pytest.importorskip("paho.mqtt")


def left_open(test: Any) -> Any:
    """Let a test pass although paho leaves the socket of a failed handshake to the garbage collector."""
    for mark in (
        pytest.mark.filterwarnings(
            "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
        ),
        pytest.mark.filterwarnings("ignore:unclosed <ssl"),
        pytest.mark.usefixtures("collected"),
    ):
        test = mark(test)
    return test


@pytest.fixture
def collected() -> Iterator[None]:
    """Collect garbage at once, so that no later test is told of it."""
    yield
    gc.collect()


class Listen:
    """Runs `spotter listen` on the demo recording: its exit code, and what it prints."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        code = listen_command.main(["--input", str(DEMO), *arguments])
        return code, *self._capsys.readouterr()


@pytest.fixture
def listen(capsys: pytest.CaptureFixture[str]) -> Listen:
    return Listen(capsys)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that lets in anna with her password, and nobody else."""
    program = required(shutil.which("mosquitto_passwd"), "mosquitto_passwd")
    passwords = tmp_path / "passwords"
    subprocess.run([program, "-c", "-b", str(passwords), "anna", "s3cret word"], check=True, capture_output=True)
    passwords.chmod(0o600)
    broker = Mosquitto(tmp_path, "allow_anonymous false", f"password_file {passwords}").start()
    yield broker
    broker.end()


@pytest.mark.usefixtures("patient")
def test_a_password_from_a_file_or_the_environment_lets_us_in(
    guarded: Mosquitto, tmp_path: Path, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_text("s3cret word\n")
    observer = Observer(guarded, "anna", "s3cret word")
    name = ("--mqtt", f"mqtt://anna@{guarded.address}", "--mqtt-id", "k")
    assert "MQTT sent: 10, dropped: 0" in listen(*name, "--mqtt-password-file", str(file))[2]
    monkeypatch.setenv("SPOTTER_MQTT_PASSWORD", "s3cret word")
    assert "MQTT sent: 10, dropped: 0" in listen(*name)[2]
    until(lambda: len(observer.events()) == 20)
    observer.close()


@pytest.mark.usefixtures("told_first")
def test_a_wrong_password_is_said_and_listening_goes_on(
    guarded: Mosquitto, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPOTTER_MQTT_PASSWORD", "wr0ng")
    code, out, err = listen("--mqtt", f"mqtt://anna@{guarded.address}")
    assert (code, len(out.splitlines())) == (0, 10)
    assert "cannot be reached (Not authorized)" in err
    assert "wr0ng" not in err


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a broker's key and its certificate, which it has signed itself."""
    program = required(shutil.which("openssl"), "openssl")
    folder = tmp_path_factory.mktemp("tls")
    wanted = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=broker"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([program, "req", *wanted, *names, *files], check=True, capture_output=True)
    return folder


@pytest.fixture
def encrypted(tmp_path: Path, certificate: Path) -> Iterator[Mosquitto]:
    files = (f"certfile {certificate / 'cert.pem'}", f"keyfile {certificate / 'key.pem'}")
    broker = Mosquitto(tmp_path, "allow_anonymous true", *files).start()
    yield broker
    broker.end()


@pytest.mark.usefixtures("patient")
def test_tls_works_with_the_certificate_of_who_signed(encrypted: Mosquitto, certificate: Path, listen: Listen) -> None:
    signer = certificate / "cert.pem"
    observer = Observer(encrypted, tls=ssl.create_default_context(cafile=str(signer)))
    _, _, err = listen("--mqtt", f"mqtts://{encrypted.address}", "--mqtt-ca", str(signer), "--mqtt-id", "k")
    assert "MQTT sent: 10, dropped: 0" in err
    until(lambda: len(observer.events()) == 10)
    observer.close()


@left_open
@pytest.mark.usefixtures("told_first")
def test_a_certificate_that_nobody_vouches_for_is_refused_with_a_hint(encrypted: Mosquitto, listen: Listen) -> None:
    _, _, err = listen("--mqtt", f"mqtts://{encrypted.address}")
    assert "self-signed certificate; give that of who signed it with --mqtt-ca" in err
    assert "MQTT sent: 0, dropped: 10" in err


@left_open
@pytest.mark.usefixtures("told_first")
def test_a_certificate_for_another_name_is_refused(encrypted: Mosquitto, certificate: Path, listen: Listen) -> None:
    signer = str(certificate / "cert.pem")
    _, _, err = listen("--mqtt", f"mqtts://localhost:{encrypted.port}", "--mqtt-ca", signer)
    assert "certificate is not valid for 'localhost'; use the name that it is for" in err
    assert "MQTT sent: 0, dropped: 10" in err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--mqtt", "http://host"], "is no address"),
        (["--mqtt", "mqtt://anna:pw@host"], "can be read by other users"),
        (["--mqtt", "host", "--mqtt-keep", "0"], "--mqtt-keep 0"),
        (["--mqtt", "host", "--mqtt-id", "a/b"], "cannot stand in a topic"),
        (["--mqtt", "host", "--mqtt-discovery", "#"], "is no prefix"),
        (["--mqtt-id", "x"], "--mqtt-id is for --mqtt"),
        (["--mqtt", "mqtts://host", "--mqtt-ca", "none.pem"], "none.pem cannot be used"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_heard(
    arguments: list[str], hint: str, listen: Listen
) -> None:
    code, out, err = listen(*arguments)
    assert (code, out) == (2, "")
    assert hint in err


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch, listen: Listen) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    code, _, err = listen("--mqtt", "127.0.0.1")
    assert code == 1
    assert 'pip install "spotter-kws[mqtt]"' in err
