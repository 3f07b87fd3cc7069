"""Whether what comes can be the sound of a working microphone; whole seconds in, findings out.

    monitor = HealthMonitor()
    for event in monitor.hear(samples): ...

Listening is not touched: it hears the same whatever is found. Every limit is a choice between a dead microphone that
nobody notices and an alarm in a quiet night; why it is where it is stands beside it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from spotter.arrays import Floats
from spotter.events import Health
from spotter.settings import SAMPLE_RATE

_DECIBEL_FLOOR: Final = 1e-20
# Of the loudest second of five minutes. A digital microphone of the usual sensitivity (94 dB SPL at -26 dBFS) has a
# noise of its own of -87 to -90 dBFS, and a bedroom at night adds some 30 to 40 dB SPL of rumble, breath and heating:
# -90 to -80 dBFS at its quietest, more in the loudest of 300 seconds. What stays below is dither, or an input turned
# down so far that words, 25 to 40 dB over the room, would lie under the gate of -75 dBFS.
TOO_LOW_DBFS: Final = -85.0
# At 0.1% of a second the shipped model hears all of its demo, at 0.5% it has begun to miss words.
CLIPPED_SHARE: Final = 1e-3
_FULL_SCALE: Final = 0.999
# 30 dB over full scale: no gain does that, and the words of 16-bit integers that were only made floats lie far over it.
_SCALE: Final = 32.0
# Of full scale. Cheap sound cards have up to 0.01; 0.02 is a level of -34 dBFS, so silence is never silent.
OFFSET: Final = 0.02
# Words at an arm's length have some -25 dBFS; softer hum is not worth a line, since the front-end is deaf below 60 Hz.
HUM_DBFS: Final = -40.0
_HUM_SHARE: Final = 0.5  # of all that is heard in the second
_HUM_BASE_SHARE: Final = 0.25  # of the hum lies in its two lowest lines; not so of a dial tone
_MAINS_HZ: Final = (50, 60)
_HUM_UP_TO_HZ: Final = 500
_DECIMATE: Final = 8  # hum is looked for at 2 kHz
_MEAN: Final = np.full(_DECIMATE, 1.0 / _DECIMATE, np.float32)

_LONGEST_PATIENCE_S: Final = 600
_CALM_S: Final = 3_600  # after which findings are said as promptly as at first


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """What one second, or another stretch, sounds like; all of full scale 1."""

    lowest: float
    highest: float
    offset: float  # mean
    level_dbfs: float  # root mean square without the offset
    clipped_share: float  # of samples at full scale
    hum_hz: int  # 50, 60, or 0 where neither leads
    hum_dbfs: float  # of its lines up to 500 Hz together
    usable: bool = True  # else there were samples in it that are no sound, and the figures say nothing

    @property
    def constant(self) -> bool:
        """Whether every sample is the same."""
        return self.lowest == self.highest

    @property
    def peak(self) -> float:
        """The sample farthest from 0."""
        return max(-self.lowest, self.highest)


def measure(samples: Floats) -> Second:
    """Measure 16 kHz mono samples, shape (samples,); hum only where there is half a second of them."""
    mean = float(np.add.reduce(samples, dtype=np.float64)) / len(samples)
    sound = samples - np.float32(mean)
    power = float(np.add.reduce(sound * sound)) / len(samples)
    lowest, highest = float(samples.min()), float(samples.max())
    clipped = 0
    if max(-lowest, highest) >= _FULL_SCALE:
        clipped = int(np.count_nonzero(np.abs(samples) >= _FULL_SCALE))
    hz, hum = _hum(sound, power) if len(samples) >= SAMPLE_RATE // 2 and power > 0.0 else (0, 0.0)
    return Second(
        lowest=lowest,
        highest=highest,
        offset=mean,
        level_dbfs=decibel(power),
        clipped_share=clipped / len(samples),
        hum_hz=hz,
        hum_dbfs=decibel(hum),
    )


def decibel(power: float) -> float:
    """Return a mean square in dB under full scale."""
    return 10.0 * math.log10(max(power, _DECIBEL_FLOOR))


def _hum(sound: Floats, power: float) -> tuple[int, float]:
    """Mains frequency whose lines make up most of a sound, 0 if neither does, and their mean square."""
    if decibel(power) < HUM_DBFS:
        return 0, 0.0
    n = len(sound) // _DECIMATE
    slow = sound[: n * _DECIMATE].reshape(n, _DECIMATE) @ _MEAN
    spectrum = np.fft.rfft(slow * _hann(n))
    bins = spectrum.real**2 + spectrum.imag**2
    bins *= 2.0 / (n * n * 3.0 / 8.0)  # so that they add up to a mean square
    best = (0, 0.0)
    for hz in _MAINS_HZ:
        lines = []
        for line_hz in range(hz, _HUM_UP_TO_HZ + 1, hz):
            at = round(line_hz * n * _DECIMATE / SAMPLE_RATE)
            lines.append(float(bins[at - 1 : at + 2].sum()))
        total = sum(lines)
        leads = total >= _HUM_SHARE * power and sum(lines[:2]) >= _HUM_BASE_SHARE * total
        if leads and total > best[1]:
            best = (hz, total)
    return best


@lru_cache(maxsize=2)
def _hann(n: int) -> Floats:
    return np.hanning(n + 1)[:n].astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    finding: str
    holds: Callable[[Second], bool]
    after_s: int  # seconds in which it holds until it is said
    forgives: float  # how many of them a second in which it does not hold takes back


def _stuck(second: Second) -> bool:
    return second.constant and second.highest != 0.0


_UNUSABLE: Final = Second(
    lowest=-1.0, highest=1.0, offset=0.0, level_dbfs=0.0, clipped_share=0.0, hum_hz=0, hum_dbfs=-200.0, usable=False
)

# The first that is found is the one that is said.
_RULES: Final = (
    _Rule(finding="invalid", holds=lambda s: not s.usable, after_s=3, forgives=math.inf),
    _Rule(finding="scale", holds=lambda s: s.peak > _SCALE, after_s=3, forgives=0.01),
    _Rule(finding="zeros", holds=lambda s: s.constant and s.highest == 0.0, after_s=3, forgives=math.inf),
    _Rule(finding="too_low", holds=lambda s: s.level_dbfs < TOO_LOW_DBFS and not s.constant, after_s=300, forgives=1e9),
    _Rule(
        finding="offset",
        holds=lambda s: _stuck(s) or abs(s.offset) >= OFFSET,
        after_s=5,
        forgives=1.0,
    ),
    _Rule(finding="clipping", holds=lambda s: s.clipped_share >= CLIPPED_SHARE, after_s=3, forgives=0.1),
    _Rule(finding="hum", holds=lambda s: s.hum_hz > 0 and s.hum_dbfs >= HUM_DBFS, after_s=10, forgives=0.5),
)


def findings_in(second: Second) -> list[str]:
    """What one stretch alone shows, most serious first; that a level is too low needs minutes."""
    return [rule.finding for rule in _RULES if rule.holds(second)]


class HealthMonitor:
    """Follows one stream; says a finding once, and "ok" when it is over.

    Some microphones give zeros whenever nobody speaks, and some rooms are loud now and then: each time that a
    finding has come and gone, it must last twice as long before it is said again, ten minutes at most.
    """

    def __init__(self, platform: str = sys.platform) -> None:
        self._platform = platform
        self._second = np.empty(SAMPLE_RATE, np.float32)
        self.reset()

    def reset(self) -> None:
        """Be as new."""
        self.finding = "ok"
        self._counts = dict.fromkeys((rule.finding for rule in _RULES), 0.0)
        self._said = dict.fromkeys((rule.finding for rule in _RULES), 0)
        self._held: set[str] = set()
        self._calm_s = 0
        self._bad = 0  # samples since the last good second
        self.begin(0)

    def begin(self, start_sample: int) -> None:
        """Go on at a position of the stream, after a gap; the second that was under way is left out."""
        self._end = start_sample
        self._have = 0

    def miss(self, samples: int) -> Iterator[Health]:
        """So many samples at 16 kHz came that are no sound; where no whole second is heard any more, that is found."""
        self._end += samples
        self._bad += self._have + samples
        self._have = 0
        while self._bad >= SAMPLE_RATE:
            self._bad -= SAMPLE_RATE
            yield from self.judge(_UNUSABLE, self._end)

    def hear(self, samples: Floats) -> Iterator[Health]:
        """Take 16 kHz mono samples, shape (samples,); yield what has changed."""
        while len(samples):
            taken = min(len(samples), SAMPLE_RATE - self._have)
            self._second[self._have : self._have + taken] = samples[:taken]
            self._have += taken
            self._end += taken
            samples = samples[taken:]
            if self._have == SAMPLE_RATE:
                self._have = self._bad = 0
                yield from self.judge(measure(self._second), self._end)

    def judge(self, second: Second, end_sample: int) -> Iterator[Health]:
        """Take what one more second sounds like; yield what has changed."""
        for rule in _RULES:
            self._count(rule, rule.holds(second))
        self._calm_s = 0 if self._held else self._calm_s + 1
        if self._calm_s >= _CALM_S:
            self._said = dict.fromkeys(self._said, 0)
        finding = next((rule.finding for rule in _RULES if rule.finding in self._held), "ok")
        if finding != self.finding:
            self.finding = finding
            message = message_for(finding, second, self._platform)
            yield Health(time_sample=end_sample, finding=finding, message=message)

    def _count(self, rule: _Rule, holds: bool) -> None:
        name = rule.finding
        held = name in self._held
        # While it is held, the count that it was said at stands.
        doublings = self._said[name] - held
        patience = max(rule.after_s, min(rule.after_s * 2**doublings, _LONGEST_PATIENCE_S))
        count = min(self._counts[name] + 1, patience) if holds else max(0.0, self._counts[name] - rule.forgives)
        self._counts[name] = count
        if held and count == 0.0:
            self._held.discard(name)
        elif not held and count >= patience:
            self._held.add(name)
            self._said[name] += 1


def message_for(finding: str, second: Second, platform: str = sys.platform) -> str:
    """Say what is found, the likely cause, and what to do about it."""
    another = "choose another with `--list-devices` and `--device`"
    if finding == "offset" and _stuck(second):
        return (
            f"the same value ({second.highest:.4f}) comes over and over: the device is stuck; plug it in again, "
            f"or {another}"
        )
    if finding == "hum" and second.hum_hz:
        return (
            f"mains hum, {second.hum_hz} Hz and its multiples, is most of what is heard ({second.hum_dbfs:.0f} dBFS): "
            f"{_QUIETER}"
        )
    return {
        "ok": "the sound is as it should be again",
        "invalid": (
            "what comes is no sound: samples are NaN, infinite or absurdly large, and nothing is heard: the driver or "
            f"the device is broken; plug it in again, or {another}"
        ),
        "scale": (
            f"samples of {second.peak:.0f} come where full scale is 1, as if 16-bit integers had only been made "
            "floats, and nothing is heard right: divide them by 32768"
        ),
        "zeros": f"nothing but zeros comes, which no microphone gives of itself: {_unmute(platform)}",
        "too_low": (
            f"nothing above {TOO_LOW_DBFS:g} dBFS has come for minutes, less than a microphone's own noise: "
            f"{_gain(platform, 'up')}, check its plug, or {another}"
        ),
        "offset": (
            f"a constant offset of {second.offset:+.3f} of full scale, a fault of the sound card: silence is never "
            "silent and loud words clip; use another input, or a USB microphone"
        ),
        "clipping": (
            "too loud: samples lie at full scale, and clipped words are missed: "
            f"{_gain(platform, 'down')}, or move away from the microphone"
        ),
        "hum": f"mains hum is most of what is heard: {_QUIETER}",
    }[finding]


_QUIETER: Final = "lay the cable away from mains leads, try a laptop without its charger, or use a USB microphone"


def _unmute(platform: str) -> str:
    if platform == "darwin":
        return (
            "allow the terminal the microphone (System Settings, Privacy & Security, Microphone) and start it anew, "
            "or unmute the microphone"
        )
    if platform == "win32":
        return (
            "allow desktop apps the microphone (Settings, Privacy & security, Microphone), or unmute it by its "
            "switch, its key or in the sound settings"
        )
    return (
        "unmute the microphone by its switch or key, with `pactl set-source-mute @DEFAULT_SOURCE@ 0`, "
        "or in `alsamixer` (F4)"
    )


def _gain(platform: str, way: str) -> str:
    where = {"darwin": "System Settings, Sound, Input", "win32": "Settings, System, Sound, Input"}
    return f"turn the input level {way} ({where.get(platform, 'the sound settings, or `alsamixer` with F4')})"
