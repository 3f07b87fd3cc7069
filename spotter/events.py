"""What comes out of the listener: frozen values in stream time, which counts samples at 16 kHz."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from spotter.settings import SAMPLE_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """A keyword was heard."""

    keyword: str
    score: float  # smoothed, 0..1
    time_sample: int  # when it was decided: first sample after the deciding window
    start_sample: int  # estimate of the word's first sample
    end_sample: int  # estimate of the first sample after the word

    @property
    def time(self) -> float:
        """When it was decided, in seconds of stream time."""
        return self.time_sample / SAMPLE_RATE

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
class Gap:
    """Audio is missing; nothing that was heard mixes both sides."""

    time_sample: int  # first sample after the gap
    samples: int  # how much is missing, at 16 kHz
    # The reader was late; the sound system lost it; there was no device; NaN or infinite.
    reason: str  # "overflow", "driver", "device" or "invalid"

    @property
    def time(self) -> float:
        """Where the stream goes on, in seconds of stream time."""
        return self.time_sample / SAMPLE_RATE

    @property
    def seconds(self) -> float:
        """How much is missing, in seconds."""
        return self.samples / SAMPLE_RATE

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {"type": "gap", "time": round(self.time, 4), "seconds": round(self.seconds, 4), "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """The machine was too slow: windows were left out so that listening is up to date again; no audio was lost."""

    time_sample: int  # end of the last window that was left out
    windows: int
    samples: int  # of stream time in which nothing was decided

    @property
    def time(self) -> float:
        """Up to where windows were left out, in seconds of stream time."""
        return self.time_sample / SAMPLE_RATE

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
class DeviceLost:
    """No audio comes from the device any more, or there is none yet; a `DeviceBack` follows when it comes."""

    time_sample: int  # where the stream stopped
    device: str  # its name
    reason: str

    @property
    def time(self) -> float:
        """Where the stream stopped, in seconds of stream time."""
        return self.time_sample / SAMPLE_RATE

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {"type": "device_lost", "time": round(self.time, 4), "device": self.device, "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceBack:
    """Audio comes again; what was missed, if anything, is the `Gap` that follows."""

    time_sample: int  # where the stream goes on
    device: str  # its name; another than before where the system's default has changed
    reason: str  # "opened" (anew), or "resumed" (it had only paused, nothing is missing)

    @property
    def time(self) -> float:
        """Where the stream goes on, in seconds of stream time."""
        return self.time_sample / SAMPLE_RATE

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {"type": "device_back", "time": round(self.time, 4), "device": self.device, "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What comes cannot be the sound of a working microphone, or can again; each finding is said once."""

    time_sample: int  # end of the second in which it was found
    finding: str  # "zeros", "too_low", "offset", "clipping", "hum", or "ok": it is over
    message: str  # the likely cause, and what to do

    @property
    def time(self) -> float:
        """When it was found, in seconds of stream time."""
        return self.time_sample / SAMPLE_RATE

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {"type": "health", "time": round(self.time, 4), "finding": self.finding, "message": self.message}


Event: TypeAlias = Detection | Gap | Skipped | DeviceLost | DeviceBack | Health
