"""`python -m benchmarks.many_streams`: how many real-time streams a core holds, in one process or in one each.

Every figure is processor time for a second of audio that comes in blocks of 100 ms, so other work on the machine makes
it worse only as far as it takes the caches away. Streams that take turns have caches as cold as in real time.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks import stream_processes, together, wyoming_load
from benchmarks.process import memory_mb
from spotter.arrays import Floats
from spotter.checkup import DEMO
from spotter.events import Detection
from spotter.judge import Network
from spotter.model import Model
from spotter.pipeline import Spotter
from spotter.settings import SAMPLE_RATE
from spotter.sources.files import AudioFile
from spotter.streams import Streams, Together
from spotter.windows import Window

_BLOCK = SAMPLE_RATE // 10
_WARM_BLOCKS = 20  # until the first window of all, and the caches' usual state


@dataclass(frozen=True, slots=True)
class Cost:
    """What a stream takes."""

    core: float  # share of one
    megabytes: float

    def __str__(self) -> str:
        """As a line has it."""
        return f"{self.core:.3%} of a core a stream, {1 / self.core:.0f} streams a core, {self.megabytes:.2f} MB each"


def in_one_thread(network: Network, count: int, seconds: int) -> Cost:
    """What each of so many streams takes that take turns, a block each."""
    audio = demo()[: _WARM_BLOCKS * _BLOCK + seconds * SAMPLE_RATE]
    gc.collect()
    before = memory_mb(os.getpid())[1]
    streams = [Spotter(network, ring_seconds=2.0) for _ in range(count)]
    took = 0.0
    for at in range(0, len(audio), _BLOCK):
        began = time.process_time()
        for stream in streams:
            stream.write(audio[at : at + _BLOCK])
            for _ in stream.events():
                pass
        took += time.process_time() - began if at >= _WARM_BLOCKS * _BLOCK else 0.0
    after = memory_mb(os.getpid())[1]
    heard = (len(audio) - _WARM_BLOCKS * _BLOCK) / SAMPLE_RATE
    return Cost(took / heard / count, (after - before) / count)


def agree(model: Model, count: int = 20) -> tuple[float, int, int]:
    """How far scores among many streams lie from those of one alone; events of it, and of all others."""
    audio, wanted = demo(), _scores(lambda tap: Spotter(model, tap=tap))
    streams = Streams(model)
    opened = [streams.open() for _ in range(count)]
    kept: dict[int, list[Floats]] = {id(stream): [] for stream in opened}
    events = {id(stream): list[tuple[str, int]]() for stream in opened}
    for at in range(0, len(audio), _BLOCK):
        for number, stream in enumerate(opened):
            stream.write(np.roll(audio, number * 7_777)[at : at + _BLOCK] if number else audio[at : at + _BLOCK])
        for stream, event in streams.events():
            if isinstance(event, Detection):
                events[id(stream)].append((event.keyword, event.time_sample))
        kept[id(opened[0])].append(opened[0].scores.copy())
    alone, own = wanted
    first = np.stack(kept[id(opened[0])][-len(alone) :])
    same = events[id(opened[0])] == own
    return float(np.abs(first - alone).max()), len(own) if same else -1, sum(map(len, events.values()))


def _scores(make: Callable[[Callable[[Window, Floats], None]], Spotter]) -> tuple[Floats, list[tuple[str, int]]]:
    rows: list[Floats] = []
    spotter = make(lambda _, scores: rows.append(scores.copy()))
    events = []
    audio = demo()
    for at in range(0, len(audio), _BLOCK):
        spotter.write(audio[at : at + _BLOCK])
        events += [(e.keyword, e.time_sample) for e in spotter.events() if isinstance(e, Detection)]
    return np.stack(rows), events


def demo() -> Floats:
    """The recording that ships, shape (samples,)."""
    return np.concatenate([block[:, 0].copy() for block in AudioFile(DEMO).blocks()])


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many_streams", description=__doc__)
    parser.add_argument("--model", default="commands", help="name or folder (default: %(default)s)")
    parser.add_argument("--streams", type=int, default=256, help="in one thread (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=6, help="with one stream each (default: %(default)s)")
    parser.add_argument("--clients", type=int, default=100, help="of spotter serve (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=8, help="of audio (default: %(default)s)")
    options = parser.parse_args(arguments)
    model = Model.open(options.model)
    print(
        f"{model.name} on {model.backend}, {platform.machine()} {platform.system()}, Python {platform.python_version()}"
    )
    if (calls := together.compare(model)) is not None:
        print(
            f"network alone, a hop of 100 ms: {calls.alone_us:.0f} µs one stream after another, "
            f"{calls.together_us:.0f} µs with {calls.streams} in one call (scores {calls.apart:.0e} apart)"
        )
    each = stream_processes.cost(str(model.folder), options.processes, options.seconds)
    if each is not None:
        print(f"one process each: {Cost(*each)}")
    shared = in_one_thread(Together(model), options.streams, options.seconds)
    print(f"{options.streams} in one thread, all on one network (spotter.Streams): {shared}")
    own = in_one_thread(model, options.streams, options.seconds)
    print(f"{options.streams} in one thread, a network each: {own}")
    apart, events, others = agree(model)
    print(
        f"  scores of one among 20: {apart:.0e} from those of one alone, events {events} and the same; others {others}"
    )
    for processes in (1, 2):
        load = wyoming_load.cost(str(model.folder), options.clients, options.seconds, processes)
        if load is not None:
            print(
                f"spotter serve --processes {processes}, {options.clients} clients in real time, chunks of 32 ms: "
                f"{Cost(load.core, load.megabytes)}"
            )
            print(
                f"  detections {load.detections} of {load.expected}, after the chunk that decides: median "
                f"{load.median_ms:.0f} ms, 95th percentile {load.late_ms:.0f} ms"
            )


if __name__ == "__main__":
    main()
