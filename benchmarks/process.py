"""The listener as a process of its own: time until it is ready, and its memory while listening."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.stages import audio


def ready_and_memory(model: str) -> tuple[float, float, float]:
    """Seconds from process start to "listening"; resident and private megabytes after ten seconds of audio.

    Audio comes on standard input, so that no sound system is needed; opening a microphone adds what
    the sound system takes. Memory is -1 where /proc does not tell.
    """
    command = [sys.executable, "-m", "spotter.listen", "--model", model, "--input", "-", "--json"]
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0
    ) as child:
        assert child.stderr is not None  # noqa: S101
        assert child.stdin is not None  # noqa: S101
        while b"listening" not in (line := child.stderr.readline()):
            if not line:
                raise RuntimeError("the listener ended before it was ready")
        ready = time.perf_counter() - began
        child.stdin.write((audio(10) * 32_767).clip(-32_768, 32_767).astype("<i2").tobytes())
        time.sleep(1.0)
        resident, private = memory_mb(child.pid)
        child.stdin.close()
        child.stderr.read()
    return ready, resident, private


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident and private megabytes of a process; -1 where /proc does not tell."""
    path = Path(f"/proc/{pid}/status")
    if not path.exists():
        return -1.0, -1.0
    fields = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    return tuple(int(fields[name].split()[0]) / 1_024 for name in ("VmRSS", "RssAnon"))  # type: ignore[return-value]
