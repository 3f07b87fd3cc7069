"""`python -m benchmarks.page`: what the live page adds to listening, and how soon other settings show.

Processor time of the whole process; five minutes of the recording that comes along, said again and again.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from websockets.sync.client import connect
from websockets.typing import Origin

from spotter.arrays import Floats
from spotter.cli.listen import DEMO
from spotter.listener import Listener
from spotter.model import Model
from spotter.page.server import Server
from spotter.page.shown import Shown
from spotter.pipeline import Spotter
from spotter.settings import SAMPLE_RATE
from spotter.sources.files import AudioFile
from spotter.sources.memory import Samples
from spotter.windows import Window

_SECONDS = 300
_PACED_S = 10


def audio(seconds: int) -> Floats:
    """Say the words of the demo again and again."""
    once = np.concatenate([block.copy() for block in AudioFile(DEMO).blocks()])[:, 0]
    return np.tile(once, -(-seconds * SAMPLE_RATE // len(once)))[: seconds * SAMPLE_RATE]


def shown_for(model: Model, hop_ms: float) -> Shown:
    """Return what a page would show of a listener that never starts."""
    return Shown(Listener(model, source=Samples(np.zeros(1, np.float32)), hop_ms=hop_ms), model, Path())


def poured(model: Model, hop_ms: float, shown: Shown) -> float:
    """Processor time of a window, in microseconds, in blocks of a hop."""
    spotter = Spotter(model, hop_ms=hop_ms, tap=shown.kept.judged)
    spotter.judge.sound = shown.kept.sound
    samples, block = audio(_SECONDS), round(hop_ms * SAMPLE_RATE / 1_000)
    began = time.process_time()
    for at in range(0, len(samples), block):
        spotter.write(samples[at : at + block])
        for _ in spotter.events():
            pass
    return (time.process_time() - began) / spotter.windows * 1e6


def keeping_us(model: Model, hop_ms: float) -> float:
    """Microseconds that a hop takes to be kept, when nobody looks."""
    kept, hop = shown_for(model, hop_ms).kept, round(hop_ms * SAMPLE_RATE / 1_000)
    samples, scores = audio(1)[:hop], np.zeros(len(model.labels), np.float32)

    def keep() -> None:
        for number in range(3_000):
            kept.sound(number * hop, samples)
            kept.judged(Window(number * hop, scores[None], 1, -20.0, -20.0, -60.0), scores)
        kept.end = 0

    return best(keep) / 3_000 * 1e6


def with_viewer(model: Model, hop_ms: float, viewers: int) -> float:
    """Share of a core at real-time pace, page served to so many who read; their reading is not counted out."""
    shown = shown_for(model, hop_ms)
    server = Server(shown, "127.0.0.1", 0)
    server.start()
    readers = [threading.Thread(target=_read, args=(server,), daemon=True) for _ in range(viewers)]
    for reader in readers:
        reader.start()
    while server.viewers < viewers:
        time.sleep(0.01)
    spotter = Spotter(model, hop_ms=hop_ms, tap=shown.kept.judged)
    spotter.judge.sound = shown.kept.sound
    samples, block = audio(_PACED_S), round(hop_ms * SAMPLE_RATE / 1_000)
    began, began_cpu = time.monotonic(), time.process_time()
    for at in range(0, len(samples), block):
        spotter.write(samples[at : at + block])
        for _ in spotter.events():
            pass
        time.sleep(max(0.0, began + at / SAMPLE_RATE - time.monotonic()))
    used = (time.process_time() - began_cpu) / _PACED_S
    server.stop()
    return used


def _read(server: Server) -> None:
    origin = Origin(f"http://127.0.0.1:{server.port}")
    with connect(f"ws://127.0.0.1:{server.port}/live", origin=origin, max_size=None, proxy=None) as viewer:
        viewer.send(json.dumps({"token": server.token}))
        for _ in viewer:
            pass


def what_if_s(model: Model, hop_ms: float) -> float:
    """Seconds of processor time in which five minutes are decided anew."""
    shown = shown_for(model, hop_ms)
    poured(model, hop_ms, shown)
    return best(lambda: shown.replay(None).go_on(shown.kept.rows()))


def best(call: Callable[[], object]) -> float:
    """Return the least processor time of five."""
    took = []
    for _ in range(5):
        began = time.process_time()
        call()
        took.append(time.process_time() - began)
    return min(took)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("--model", default="commands", help="name or folder (default: %(default)s)")
    model = Model.open(parser.parse_args().model)
    for hop_ms in (100.0, 20.0):
        whole, keeping = (
            min(poured(model, hop_ms, shown_for(model, hop_ms)) for _ in range(3)),
            keeping_us(model, hop_ms),
        )
        print(f"hop {hop_ms:.0f} ms: {whole:.0f} µs with the page, of which keeping takes {keeping:.1f} µs")
        used = [with_viewer(model, hop_ms, viewers) for viewers in (0, 1, 3)]
        print(
            f"  real-time pace: {used[0]:.2%} of a core with the page, {used[1]:.2%} with one viewer, "
            f"{used[2]:.2%} with three (viewers of the same process)"
        )
        print(f"  what if, five minutes: {what_if_s(model, hop_ms):.2f} s")


if __name__ == "__main__":
    main()
