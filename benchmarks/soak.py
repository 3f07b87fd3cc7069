"""`python -m benchmarks.soak --hours 24`: a day of audio through the listener, as fast as it goes.

Made-up noise that comes and goes like speech, with the demo recording in it once a minute, all from one seed. Prints
memory at the start, after the first hour, in the middle and at the end; the windows, which must be exactly as many as
the samples say; and what was heard. Ends with 1 if memory has grown by more than a megabyte since the first hour, or a
window is missing. The process is niced, and the streams' arithmetic runs on one core.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.process import memory_mb
from spotter.arrays import Floats
from spotter.checkup import DEMO
from spotter.events import Detection
from spotter.listener import Listener
from spotter.model import Model
from spotter.pipeline import Spotter
from spotter.settings import SAMPLE_RATE
from spotter.sources.files import AudioFile

_MOST_GROWTH_MB: Final = 1.0
_MINUTE: Final = 60 * SAMPLE_RATE


class Day:
    """A live stream of so many seconds, made up as it is asked for; its blocks are a second."""

    name = "a day"
    sample_rate: Final = SAMPLE_RATE
    channels: Final = 1
    padded: Final = False

    def __init__(self, seconds: int, seed: int, on_second: Callable[[int], None]) -> None:
        self.seconds = seconds
        self.demos = 0
        self._on_second = on_second
        self._rng = np.random.default_rng(seed)
        self._demo = np.concatenate([block[:, 0].copy() for block in AudioFile(DEMO).blocks()])

    def blocks(self) -> Iterator[Floats]:
        """Yield the samples, a second at a time, shape (samples, 1)."""
        for second in range(self.seconds):
            if second * SAMPLE_RATE % _MINUTE == 0:
                minute = self._minute()
            at = second * SAMPLE_RATE % _MINUTE
            yield minute[at : at + SAMPLE_RATE, None]
            self._on_second(second + 1)

    def _minute(self) -> Floats:
        """Noise with syllables and pauses, and the demo somewhere in it."""
        rng = self._rng
        syllables = np.repeat(rng.uniform(0.0, 1.0, 300) ** 3, _MINUTE // 300).astype(np.float32)
        phrases = np.repeat(rng.uniform(0.0, 1.0, 20) > 0.4, _MINUTE // 20)
        level = np.float32(10 ** (rng.uniform(-50, -25) / 20))
        sound: Floats = rng.standard_normal(_MINUTE, np.float32)
        sound *= syllables * phrases * level + np.float32(1e-4)
        begin = int(rng.integers(0, _MINUTE - len(self._demo)))
        sound[begin : begin + len(self._demo)] *= np.float32(0.02)
        sound[begin : begin + len(self._demo)] += self._demo
        self.demos += 1
        return sound


@dataclass(frozen=True, slots=True)
class Mark:
    """Memory at a moment of the stream."""

    second: int
    resident_mb: float
    private_mb: float


def windows_in(samples: int, model: Model, hop_samples: int) -> int:
    """Return how many windows a stream without gaps has."""
    return max(0, (samples - model.context) // hop_samples + 1)


def soak(seconds: int, *, seed: int = 0, model: str = "commands", say: Callable[[str], None] = print) -> int:
    """Listen to so much audio; return the exit code."""
    opened = Model.open(model)
    first = min(3_600, max(1, seconds // 4))
    moments = {1: "start", first: "first hour" if first == 3_600 else "a quarter"}
    moments |= {seconds // 2: "middle", seconds: "end"}
    marks: dict[str, Mark] = {}
    began = time.monotonic()

    def look(second: int) -> None:
        if second in moments:
            gc.collect()
            mark = marks[moments[second]] = Mark(second, *memory_mb(os.getpid()))
            rate = second / max(1e-9, time.monotonic() - began)
            say(
                f"{moments[second]:>10}, {second / 3_600:7.2f} h: {mark.resident_mb:.2f} MB resident, "
                f"{mark.private_mb:.2f} MB private; {rate:.0f} times real time"
            )

    day = Day(seconds, seed, look)
    listener = Listener(opened, source=day)
    called = 0

    def count(_detection: Detection) -> None:
        nonlocal called
        called += 1

    listener.on_any(count)
    cpu = time.process_time()
    listener.start()
    fetched = sum(isinstance(event, Detection) for event in listener.events())
    listener.stop()
    cpu = time.process_time() - cpu
    spotter = listener.spotter
    assert isinstance(spotter, Spotter)  # noqa: S101
    expected = windows_in(seconds * SAMPLE_RATE, opened, spotter.hop_samples)
    grown = marks["end"].private_mb - marks[moments[first]].private_mb
    resident = marks["end"].resident_mb - marks[moments[first]].resident_mb
    say(f"windows: {spotter.windows}, expected {expected}")
    say(f"detections: {spotter.detections} ({called} called, {fetched} fetched) of {10 * day.demos} words in the demos")
    say(
        f"memory since {moments[first]}: {resident:+.2f} MB resident, {grown:+.2f} MB private "
        f"(aim: +{_MOST_GROWTH_MB:g})"
    )
    say(f"processor: {cpu:.1f} s, {cpu / seconds:.3%} of a core, the making of the audio included")
    wrong = []
    if marks["end"].private_mb < 0:
        say("this system does not tell how much memory a process has: only windows and detections were looked at")
    if spotter.windows != expected:
        wrong.append("windows are missing")
    if not spotter.detections == called == fetched:
        wrong.append("detections are missing")
    if max(grown, resident) > _MOST_GROWTH_MB:
        wrong.append("memory grows")
    say(f"failed: {', '.join(wrong)}" if wrong else "passed")
    return 1 if wrong else 0


def main(arguments: list[str] | None = None) -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="of audio (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default: %(default)s)")
    parser.add_argument("--model", default="commands", help="name or folder (default: %(default)s)")
    options = parser.parse_args(arguments)
    seconds = round(options.hours * 3_600)
    if seconds < 8:
        parser.error(f"--hours {options.hours:g} is too short; give 0.01 or more")
    return soak(seconds, seed=options.seed, model=options.model)


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(10)
    sys.exit(main())
