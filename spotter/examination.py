"""What a recording sounds like in figures, and what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from spotter.arrays import Floats
from spotter.health import TOO_LOW_DBFS, HealthMonitor, Second, decibel, findings_in, measure, message_for
from spotter.resample import Resampler
from spotter.settings import SAMPLE_RATE

_LOUDEST: Final = 1e6  # what is louder, or no number, the listener does not hear, either
_SHORT_S: Final = 10  # a shorter recording is judged as a whole
_PART: Final = SAMPLE_RATE // 10
_QUIETEST: Final = 0.1  # of the tenths of a second: the noise floor


class Examination:
    """Takes one recording, piece by piece, in constant memory but for a number for each tenth of a second.

    Parameters
    ----------
    sample_rate, channels : int
        Of what is added.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._resampler = Resampler(sample_rate, channels)
        self._monitor = HealthMonitor()
        self._found: list[str] = []
        self._said: dict[str, str] = {}
        self._seconds: list[Second] = []
        self._levels: list[float] = []
        self._rest = np.zeros(0, np.float32)
        self._dead = np.ones(channels, np.bool_)
        self._samples = 0  # at 16 kHz
        self.invalid = 0  # samples that are no numbers

    def add(self, frames: Floats) -> None:
        """Take the next frames, shape (frames, channels)."""
        good = np.abs(frames) <= _LOUDEST
        if not good.all():
            self.invalid += int((~good).sum())
            frames = np.where(good, frames, np.float32(0.0))
        self._dead &= ~frames.any(axis=0)
        self._take(self._resampler.push(frames))

    def finish(self) -> None:
        """No more will come."""
        self._take(self._resampler.finish())
        if len(self._rest) and not self._seconds:
            self._judge(self._rest)

    def figures(self) -> dict[str, Any]:
        """Return level, peak and the like, ready for JSON; after `finish`."""
        seconds = self._seconds
        if not seconds:
            return {"seconds": 0.0}
        hums = [s for s in seconds if s.hum_hz]
        hum = len(hums) * 2 > len(seconds)
        return {
            "seconds": round(self._samples / SAMPLE_RATE, 3),
            "level_dbfs": round(_mean_dbfs([s.level_dbfs for s in seconds]), 1),
            "peak_dbfs": round(decibel(max(s.peak for s in seconds) ** 2), 1),
            "noise_floor_dbfs": round(self._floor(), 1),
            "offset": round(sum(s.offset for s in seconds) / len(seconds), 5),
            "clipped_share": round(sum(s.clipped_share for s in seconds) / len(seconds), 6),
            "hum_hz": hums[0].hum_hz if hum else 0,
            "hum_dbfs": round(_mean_dbfs([s.hum_dbfs for s in hums]), 1) if hum else None,
            "constant": min(s.lowest for s in seconds) == max(s.highest for s in seconds),
            "invalid_samples": self.invalid,
            "silent_channels": [int(n) + 1 for n in np.flatnonzero(self._dead)],
        }

    def findings(self) -> dict[str, str]:
        """Return what is wrong, each with its cause and fix; after `finish`."""
        seconds = self._seconds
        found = dict(self._said)
        if len(seconds) < _SHORT_S:
            names = [name for second in seconds for name in findings_in(second)]
            found = {
                name: _message(name, next(s for s in seconds if name in findings_in(s)))
                for name in dict.fromkeys(names)
                if names.count(name) * 2 > len(seconds) or name == "clipping"
            }
        if self.invalid:
            found["invalid"] = (
                f"{self.invalid} samples are NaN, infinite or absurdly large; look for what made the recording"
            )
        if self._dead.any() and not self._dead.all():
            dead = ", ".join(str(n + 1) for n in np.flatnonzero(self._dead))
            alive = int(np.flatnonzero(~self._dead)[0]) + 1
            found["silent_channel"] = f"channel {dead} gives only zeros; listen with `--channel {alive}`"
        return found

    def _take(self, samples: Floats) -> None:
        self._samples += len(samples)
        self._rest = np.concatenate((self._rest, samples))
        whole = len(self._rest) // SAMPLE_RATE * SAMPLE_RATE
        for at in range(0, whole, SAMPLE_RATE):
            self._judge(self._rest[at : at + SAMPLE_RATE])
        self._rest = self._rest[whole:].copy()

    def _judge(self, samples: Floats) -> None:
        second = measure(samples)
        self._seconds.append(second)
        end = len(self._seconds) * SAMPLE_RATE
        for event in self._monitor.judge(second, end):
            if event.finding != "ok":
                self._said.setdefault(event.finding, event.message)
        self._levels.extend(_levels(samples))

    def _floor(self) -> float:
        ordered = sorted(self._levels)
        return ordered[int(len(ordered) * _QUIETEST)] if ordered else decibel(0.0)


def _levels(samples: Floats) -> Iterator[float]:
    for at in range(0, len(samples) - _PART + 1, _PART):
        part = samples[at : at + _PART]
        yield decibel(float(part.var(dtype=np.float64)))


def _mean_dbfs(levels: list[float]) -> float:
    return 10.0 * math.log10(sum(10 ** (level / 10) for level in levels) / len(levels))


def _message(finding: str, second: Second) -> str:
    if finding == "too_low":  # minutes were not waited for
        return (
            f"nothing was above {TOO_LOW_DBFS:g} dBFS, less than a microphone's own noise: turn the input level up "
            "in the sound settings, check the plug, or choose another with `--device`"
        )
    return message_for(finding, second)
