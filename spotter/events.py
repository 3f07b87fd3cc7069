"""What comes out of the listener: frozen values in stream time, which counts samples at 16 kHz."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from spotter.settings import SAMPLE_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timed:
    """Something at a moment of the stream.

    Attributes
    ----------
    time_sample : int
        Which moment; each kind says it.
    """

    time_sample: int

    @property
    def time(self) -> float:
        """The moment, in seconds of stream time."""
        return self.time_sample / SAMPLE_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection(_Timed):
    """A keyword was heard; its time is the first sample after the window that decided."""

    keyword: str
    score: float  # smoothed, 0..1
    start_sample: int  # estimate of the word's first sample
    end_sample: int  # estimate of the first sample after the word

    @property
    def start(self) -> float:
        """Where the word starts, in seconds of stream time."""
        return self.start_sample / SAMPLE_RATE

    @property
    def end(self) -> float:
        """Where the word ends, in seconds of stream time."""
        return self.end_sample / SAMPLE_RATE

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "type": "detection",
            "keyword": self.keyword,
            "score": round(self.score, 4),
            "time": round(self.time, 4),
            "start": round(self.start, 4),
            "end": round(self.end, 4),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap(_Timed):
    """Audio is missing up to its time; nothing that was heard mixes both sides."""

    samples: int  # how much is missing, at 16 kHz
    # The reader was late; the sound system lost it; there was no device; NaN or infinite.
    reason: str  # "overflow", "driver", "device" or "invalid"

    @property
    def seconds(self) -> float:
        """How much is missing, in seconds."""
        return self.samples / SAMPLE_RATE

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {"type": "gap", "time": round(self.time, 4), "seconds": round(self.seconds, 4), "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped(_Timed):
    """The machine was too slow: windows were left out so that listening is up to date again; no audio was lost.

    Its time is the end of the last of them.
    """

    windows: int
    samples: int  # of stream time in which nothing was decided

    @property
    def seconds(self) -> float:
        """In how much of the stream nothing was decided."""
        return self.samples / SAMPLE_RATE

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "type": "skipped",
            "time": round(self.time, 4),
            "seconds": round(self.seconds, 4),
            "windows": self.windows,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLost(_Timed):
    """No audio comes from the device since its time, or there is none yet; a `DeviceBack` follows when it comes."""

    device: str  # its name
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {"type": "device_lost", "time": round(self.time, 4), "device": self.device, "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceBack(_Timed):
    """Audio comes again from its time on; what was missed, if anything, is the `Gap` that follows."""

    device: str  # its name; another than before where the system's default has changed
    reason: str  # "opened" (anew), or "resumed" (it had only paused, nothing is missing)

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {"type": "device_back", "time": round(self.time, 4), "device": self.device, "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Health(_Timed):
    """What comes cannot be the sound of a working microphone, or can again; each finding is said once.

    Its time is the end of the second in which it was found.
    """

    finding: str  # "invalid", "scale", "zeros", "too_low", "offset", "clipping", "hum", or "ok": it is over
    message: str  # the likely cause, and what to do

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {"type": "health", "time": round(self.time, 4), "finding": self.finding, "message": self.message}


Event: TypeAlias = Detection | Gap | Skipped | DeviceLost | DeviceBack | Health
