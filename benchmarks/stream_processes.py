"""One process for each stream, fed in real time: what a process takes while it listens."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.process import memory_mb
from benchmarks.stages import audio


def cost(model: str, processes: int, seconds: int) -> tuple[float, float] | None:
    """Share of a core and private megabytes of each; None where /proc does not tell."""
    if not Path("/proc/self/stat").exists():
        return None
    command = [sys.executable, "-m", "spotter.listen", "--model", model, "--input", "-", "--json"]
    samples = (audio(seconds + 4) * 32_767).clip(-32_768, 32_767).astype("<i2")
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(processes)
    ]
    try:
        time.sleep(0.5 * processes)
        began, before = time.monotonic(), 0.0
        for number, at in enumerate(range(0, len(samples), 1_600)):
            time.sleep(max(0.0, began + number / 10 - time.monotonic()))
            if number == 30:  # all of them have heard a whole window
                before = sum(cpu_s(child.pid) for child in children)
            for child in children:
                assert child.stdin is not None  # noqa: S101
                child.stdin.write(samples[at : at + 1_600].tobytes())
                child.stdin.flush()
        took = sum(cpu_s(child.pid) for child in children) - before
        private = sum(memory_mb(child.pid)[1] for child in children) / processes
    finally:
        for child in children:
            child.kill()
            child.communicate()
    return took / (len(samples) / 16_000 - 3.0) / processes, private


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
