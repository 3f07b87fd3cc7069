"""The service is found by zeroconf, in a network of its own that has loopback alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spotter.errors import BadInputError
from spotter.serving.address import Address
from spotter.serving.announce import Announcement
from tests.command_line import TINY
from tests.processes import LIMIT_S, ends_within, started

ROOT = Path(__file__).parents[1]
REQUIRED = os.environ.get("SPOTTER_VIRTUAL_MIC") == "require"
HOST = "10.77.0.1"
NETWORK = f"""
set -e
ip link set lo up multicast on
ip addr add {HOST}/24 dev lo
ip route add 224.0.0.0/4 dev lo
exec "$@"
"""


def in_a_network_of_its_own(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command where there is only loopback, with one more address."""
    for program in ("unshare", "ip"):
        if shutil.which(program) is None:
            (pytest.fail if REQUIRED else pytest.skip)(f"no {program} to make a network with")
    whole = ["unshare", "-rn", "sh", "-c", NETWORK, "sh", *command]
    done = subprocess.run(whole, cwd=ROOT, capture_output=True, text=True, timeout=4 * LIMIT_S, check=False)
    if "unshare" in done.stderr or "RTNETLINK" in done.stderr:
        (pytest.fail if REQUIRED else pytest.skip)(f"this system makes no network: {done.stderr.strip()}")
    return done


def serve(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "spotter.serve", "--model", TINY, *arguments]


def test_it_is_found_while_it_serves_and_gone_when_it_has_ended() -> None:
    def serve_and_look() -> float:
        done = in_a_network_of_its_own(sys.executable, "-m", "tests.test_serve_zeroconf")
        *seen, took = done.stdout.splitlines() or [""]
        assert seen == [f"found {HOST}:10400 spotter-", "gone", "ended with 0"], done.stderr
        assert "Traceback" not in done.stderr
        return float(took)

    ends_within(2.0, serve_and_look)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ((), "--zeroconf cannot announce 0.0.0.0; give one IPv4 address of this machine, such as"),
        (("10.99.0.1",), "10.99.0.1 cannot be announced on ("),
    ],
)
def test_an_address_that_cannot_be_announced_is_one_sentence_and_2(address: tuple[str, ...], sentence: str) -> None:
    done = in_a_network_of_its_own(*serve("--uri", "tcp://0.0.0.0:10400", "--zeroconf", *address))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"spotter: {sentence}")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("wanted", ["127.0.0.1", "::1", "kitchen.local", "10.1"])
def test_only_an_address_that_others_reach_is_announced(wanted: str) -> None:
    with pytest.raises(BadInputError, match=f"--zeroconf cannot announce {wanted}; give one IPv4 address"):
        Announcement.of(Address("192.0.2.1", 1), wanted)


def look() -> None:
    """Serve, look for it, end it, and print what was seen; runs in the network."""
    from zeroconf import ServiceBrowser, ServiceListener, Zeroconf

    seen: list[str] = []

    class Listener(ServiceListener):
        def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
            info = zc.get_service_info(type_, name, int(LIMIT_S * 1_000))
            assert info is not None
            seen.append(f"found {info.parsed_addresses()[0]}:{info.port} {name[:8]}")

        def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
            seen.append("gone")

        def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
            pass

    def wait_for(count: int) -> None:
        ends = time.monotonic() + LIMIT_S
        while len(seen) < count and time.monotonic() < ends:
            time.sleep(0.05)

    with started(serve("--uri", f"tcp://{HOST}:10400", "--zeroconf")) as server:
        zeroconf = Zeroconf(interfaces=[HOST])
        ServiceBrowser(zeroconf, "_wyoming._tcp.local.", Listener())
        wait_for(1)
        server.send_signal(signal.SIGINT)
        began = time.monotonic()
        seen_end = server.wait(LIMIT_S)
        took = time.monotonic() - began
        wait_for(2)
        zeroconf.close()
    print("\n".join([*seen, f"ended with {seen_end}", f"{took}"]))  # noqa: T201


if __name__ == "__main__":
    look()
