"""Many clients of `spotter serve` in real time: what the server takes, and how late it answers."""

from __future__ import annotations

import json
import re
import selectors
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.process import memory_mb
from benchmarks.stream_processes import cpu_s
from spotter.checkup import DEMO
from spotter.recorded import spot
from spotter.sources.files import AudioFile

_CHUNK_MS = 32
_WARM_S = 2.5


@dataclass(frozen=True, slots=True)
class Load:
    """What the server took, and how it answered."""

    core: float  # share of one, a client
    megabytes: float
    detections: int
    expected: int
    median_ms: float
    late_ms: float


@dataclass(slots=True)
class _Client:
    socket: socket.socket
    number: int
    unsent: bytes = b""
    unread: bytes = b""
    late_s: list[float] = field(default_factory=list)


def cost(model: str, clients: int, seconds: int, processes: int = 1) -> Load | None:
    """Serve so many clients that send the demo; None where the extra is missing, or /proc does not tell."""
    if not Path("/proc/self/stat").exists():
        return None
    command = [sys.executable, "-m", "spotter.serve", "--model", model, "--uri", "tcp://127.0.0.1:0"]
    command += ["--processes", str(processes)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None  # noqa: S101
        try:
            found = re.search(r"tcp://127.0.0.1:(\d+)", server.stderr.readline())
            return None if found is None else _load(int(found[1]), family(server.pid), clients, seconds)
        finally:
            server.terminate()


def _load(port: int, pids: list[int], clients: int, seconds: int) -> Load:
    samples = np.concatenate([block[:, 0].copy() for block in AudioFile(DEMO).blocks()])
    pcm = (samples * 32_768).clip(-32_768, 32_767).astype("<i2")
    size = 16 * _CHUNK_MS
    count = min(len(pcm) // size, round((seconds + _WARM_S) * 1_000 / _CHUNK_MS))
    chunks = [_chunk(n * _CHUNK_MS, pcm[n * size : (n + 1) * size].tobytes()) for n in range(count)]
    expected = [event for event in spot(samples, 16_000) if event.time <= count * _CHUNK_MS / 1_000]
    empty = sum(memory_mb(pid)[1] for pid in pids)
    selector = selectors.DefaultSelector()
    all_of_them = [_Client(socket.create_connection(("127.0.0.1", port)), number) for number in range(clients)]
    for client in all_of_them:
        client.socket.sendall(_frame("detect", {"names": None}))
        client.socket.settimeout(0.0)
        selector.register(client.socket, selectors.EVENT_READ, client)
    began, before, heard_from = time.monotonic() + 0.2, 0.0, 0
    for number, chunk in enumerate(chunks):
        if not before and number * _CHUNK_MS > _WARM_S * 1_000:
            before, heard_from = sum(map(cpu_s, pids)), number
        for client in all_of_them:
            due = began + (number + client.number / clients) * _CHUNK_MS / 1_000
            while (wait := due - time.monotonic()) > 0:
                _receive(selector, wait, began, clients)
            _send(client, chunk)
    took = sum(map(cpu_s, pids)) - before
    megabytes = (sum(memory_mb(pid)[1] for pid in pids) - empty) / clients
    ends = time.monotonic() + 2.0
    while time.monotonic() < ends:
        _receive(selector, 0.05, began, clients)
    late = [late_s for client in all_of_them for late_s in client.late_s]
    for client in all_of_them:
        client.socket.close()
    return Load(
        core=took / ((count - heard_from) * _CHUNK_MS / 1_000) / clients,
        megabytes=megabytes,
        detections=len(late),
        expected=len(expected) * clients,
        median_ms=float(np.median(late)) * 1_000 if late else -1.0,
        late_ms=float(np.percentile(late, 95)) * 1_000 if late else -1.0,
    )


def family(pid: int) -> list[int]:
    """Return a process and those that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for child in children for found in family(int(child)))]


def _send(client: _Client, chunk: bytes) -> None:
    data = client.unsent + chunk
    try:
        sent = client.socket.send(data)
    except BlockingIOError:
        sent = 0
    client.unsent = data[sent:]


def _receive(selector: selectors.BaseSelector, wait_s: float, began: float, clients: int) -> None:
    for key, _ in selector.select(wait_s):
        client: _Client = key.data
        client.unread += client.socket.recv(65_536)
        now = time.monotonic()
        while (end := client.unread.find(b"\n")) >= 0:
            header: dict[str, Any] = json.loads(client.unread[:end])
            after = end + 1 + int(header.get("data_length", 0))
            if len(client.unread) < after:
                break
            if header["type"] == "detection":
                stamp = json.loads(client.unread[end + 1 : after])["timestamp"]
                sent = began + (stamp / _CHUNK_MS + client.number / clients) * _CHUNK_MS / 1_000
                client.late_s.append(now - sent)
            client.unread = client.unread[after:]


def _chunk(milliseconds: int, audio: bytes) -> bytes:
    data = {"rate": 16_000, "width": 2, "channels": 1, "timestamp": milliseconds}
    return _frame("audio-chunk", data, audio)


def _frame(kind: str, data: dict[str, Any], payload: bytes = b"") -> bytes:
    body = json.dumps(data).encode()
    header = {"type": kind, "data_length": len(body), "payload_length": len(payload)}
    return json.dumps(header).encode() + b"\n" + body + payload
