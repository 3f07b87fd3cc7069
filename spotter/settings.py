"""Every number once, frozen, with its unit; the manifest of a model carries these as data."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Final, Literal, TypeVar

from spotter.errors import BadInputError, ModelError

SAMPLE_RATE: Final = 16_000  # Hz; the rate of everything after the resampler, and of stream time
UNKNOWN: Final = "_unknown_"
SILENCE: Final = "_silence_"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendConfig:
    """How samples become frames; lives in the model's manifest.

    The default is the 40-band log-mel spectrogram: 98 frames for one second. `TUTORIAL` is the
    magnitude spectrogram of TensorFlow's audio tutorial: 124 frames of 129 bins.
    """

    kind: Literal["log_mel", "magnitude"] = "log_mel"
    sample_rate: int = SAMPLE_RATE  # Hz
    frame_samples: int = 400
    hop_samples: int = 160
    fft_size: int = 512
    # TensorFlow's periodic Hann window is symmetric where the length is odd; hence the choice.
    window: Literal["hann_periodic", "hann_symmetric"] = "hann_periodic"
    mel_bands: int = 40  # log_mel only
    low_hz: float = 60.0  # log_mel only
    high_hz: float = 7_600.0  # log_mel only
    floor: float = 1e-6  # added to the power of a band before the logarithm; log_mel only
    # What front-ends of published networks do otherwise; log_mel only.
    window_samples: int = 0  # length of the window, in the middle of the frame; 0: the frame's
    mel: Literal["htk", "slaney"] = "htk"  # Slaney's scale, and bands of equal area
    gain: float = 1.0  # the frame is gain x logarithm + offset
    offset: float = 0.0
    range_db: float = 0.0  # no value lies further under the loudest of its group of frames; 0: no limit
    group_frames: int = 1  # groups are counted from the start of the segment
    beside: FrontendConfig | None = None  # another, for a second network: its bins follow, frames end together

    def __post_init__(self) -> None:
        """Refuse what the code cannot compute, with the fix."""
        if self.kind not in ("log_mel", "magnitude"):
            raise ModelError(f"this version has no front-end called {self.kind!r}; update spotter")
        if self.window not in ("hann_periodic", "hann_symmetric"):
            raise ModelError(f"this version has no window called {self.window!r}; update spotter")
        if self.sample_rate != SAMPLE_RATE:
            raise ModelError(f"a front-end at {self.sample_rate} Hz cannot be fed: train the model at {SAMPLE_RATE} Hz")
        if not 0 < self.hop_samples <= self.frame_samples <= self.fft_size <= 8_192:
            raise ModelError(
                f"front-end of hop {self.hop_samples}, frame {self.frame_samples}, FFT {self.fft_size}: "
                "give 0 < hop <= frame <= FFT <= 8192"
            )
        if self.kind == "log_mel" and not (
            1 <= self.mel_bands <= 256 and 0 <= self.low_hz < self.high_hz <= self.sample_rate / 2 and self.floor > 0
        ):
            raise ModelError(
                f"mel bands {self.mel_bands} from {self.low_hz} to {self.high_hz} Hz with floor {self.floor} "
                "cannot be computed; give 1..256 bands, 0 <= low < high <= half the sample rate, floor > 0"
            )

        if self.mel not in ("htk", "slaney"):
            raise ModelError(f"this version has no mel scale called {self.mel!r}; update spotter")
        if not 0 <= self.window_samples <= self.frame_samples or self.range_db < 0 or self.group_frames < 1:
            raise ModelError(
                f"front-end with a window of {self.window_samples} samples, a range of {self.range_db} dB and groups "
                f"of {self.group_frames} frames cannot be computed; give 0..frame samples, 0 or more, 1 or more"
            )

        other = self.beside
        if other and (
            other.hop_samples != self.hop_samples or other.frame_samples > self.frame_samples or other.beside
        ):
            raise ModelError(
                f"a front-end of hop {other.hop_samples} and frame {other.frame_samples} cannot stand beside one of "
                f"{self.hop_samples} and {self.frame_samples}; give the same hop and no longer frame"
            )
        if other and (other.group_frames > 1 or other.range_db):
            raise ModelError("a front-end beside another cannot limit its range; let the two change places")

    @property
    def bins(self) -> int:
        """Numbers in a frame."""
        return self.own_bins + (self.beside.bins if self.beside else 0)

    @property
    def own_bins(self) -> int:
        """Numbers in a frame that are not of the front-end beside this one."""
        return self.mel_bands if self.kind == "log_mel" else self.fft_size // 2 + 1

    def frames_in(self, samples: int) -> int:
        """Frames that lie wholly in so many samples."""
        return max(0, (samples - self.frame_samples) // self.hop_samples + 1)

    def samples_for(self, frames: int) -> int:
        """Samples that so many frames need."""
        return (frames - 1) * self.hop_samples + self.frame_samples if frames > 0 else 0

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FrontendConfig:
        """Read a manifest's `frontend`; an option that this version does not know is an error."""
        beside = values.get("beside")
        own = {name: value for name, value in values.items() if name != "beside"}
        config = _from_dict(cls, own, "front-end option")
        if beside is None:
            return config
        if not isinstance(beside, Mapping):
            raise ModelError(f"front-end option 'beside' has the value {beside!r}, which is no object; export it again")
        return dataclasses.replace(config, beside=cls.from_dict(beside))


TUTORIAL: Final = FrontendConfig(
    kind="magnitude", frame_samples=255, hop_samples=128, fft_size=256, window="hann_symmetric"
)

# Of Google's speech embedding: the log-mel layer of openWakeWord's `melspectrogram.tflite` (80 dB of range in each
# call of eight frames, on samples of int16's scale), then / 10 + 2.
SPEECH_EMBEDDING: Final = FrontendConfig(
    frame_samples=512,
    window_samples=400,
    mel="slaney",
    mel_bands=32,
    high_hz=3_800.0,
    floor=1e-10 / 2.0**30,
    gain=1.0 / math.log(10.0),
    offset=30.0 * math.log10(2.0) + 2.0,
    range_db=80.0,
    group_frames=8,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderConfig:
    """How scores become detections; times are times, so the hop may change without re-tuning."""

    gate_dbfs: float = -75.0  # a window without a louder hop in its last second counts as silence
    smooth_ms: float = 100.0  # mean of the scores of so long
    threshold: float = 0.7  # for every keyword that `thresholds` does not name
    thresholds: Mapping[str, float] = field(default_factory=dict)
    rearm: float = 0.6  # a keyword may fire again once below this share of its threshold
    margin: float = 0.1  # how far a keyword must be ahead of `_unknown_` and of every other keyword
    refractory_ms: float = 500.0  # after an event a keyword does not fire again for so long
    # Noise makes the network less sure of words, and of what only sounds like them, so a lower threshold costs
    # less there (ADR 8). Noise is where loud and quiet moments are no further apart than these.
    noise_share: float = 1.0  # of its threshold suffices a keyword in noise; 1: no difference
    noise_db: float = 15.0  # loudest hop over the floor of the last 1.5 s: noise, up to this
    quiet_db: float = 30.0  # no noise, from this on; in between a straight line

    def __post_init__(self) -> None:
        """Refuse numbers out of range."""
        for name, value in (("threshold", self.threshold), *self.thresholds.items()):
            if not (_is_number(value) and 0.0 < value < 1.0):
                raise BadInputError(f"{name} {value!r} is out of range; give a number between 0 and 1")
        if not 0.0 < self.rearm < 1.0:
            raise BadInputError(f"rearm {self.rearm!r} is out of range; give a share between 0 and 1")
        if not 0.0 <= self.margin < 1.0:
            raise BadInputError(f"margin {self.margin!r} is out of range; give a number from 0 to below 1")
        if not (0.0 < self.noise_share <= 1.0 and 0.0 <= self.noise_db < self.quiet_db <= 120.0):
            raise BadInputError(
                f"noise_share {self.noise_share!r}, noise_db {self.noise_db!r} or quiet_db {self.quiet_db!r} is out of "
                "range; give a share above 0 up to 1, and 0 <= noise_db < quiet_db <= 120"
            )
        if not (0.0 <= self.smooth_ms <= 1_000.0 and 0.0 <= self.refractory_ms <= 60_000.0):
            raise BadInputError(
                f"smooth_ms {self.smooth_ms!r} or refractory_ms {self.refractory_ms!r} is out of range; "
                "give 0..1000 and 0..60000"
            )

    def threshold_of(self, keyword: str) -> float:
        """Return the threshold that holds for a keyword."""
        return self.thresholds.get(keyword, self.threshold)

    def share_in_noise(self, contrast_db: float) -> float:
        """Return the share of a threshold that suffices where the loudest hop is so far over the floor."""
        noise = (self.quiet_db - contrast_db) / (self.quiet_db - self.noise_db)
        return 1.0 - (1.0 - self.noise_share) * min(1.0, max(0.0, noise))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DecoderConfig:
        """Read a manifest's `decoder`; an option that this version does not know is an error."""
        return _from_dict(cls, values, "decoder option")


def check_keywords(words: Iterable[str], keywords: Sequence[str]) -> None:
    """Raise `BadInputError` at the first word that is no keyword of the model."""
    for word in words:
        if word not in keywords:
            raise BadInputError(f"the model has no keyword {word!r}; it knows {', '.join(keywords)}")


def with_threshold(
    decoder: DecoderConfig, threshold: float | Mapping[str, float] | None, keywords: Sequence[str]
) -> DecoderConfig:
    """Return the settings with one threshold for all keywords, or with those of some words replaced."""
    if threshold is None:
        return decoder
    if isinstance(threshold, Mapping):
        check_keywords(threshold, keywords)
        return dataclasses.replace(decoder, thresholds={**decoder.thresholds, **threshold})
    return dataclasses.replace(decoder, threshold=threshold, thresholds={})


def as_dict(config: FrontendConfig | DecoderConfig) -> dict[str, Any]:
    """Return the settings as plain data, for a manifest."""
    return {f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config)}


def _is_number(value: object) -> bool:
    return isinstance(value, Real)  # numpy's too


def _plain(value: object) -> object:
    if isinstance(value, FrontendConfig):
        return as_dict(value)
    return dict(value) if isinstance(value, Mapping) else value


def _from_dict(cls: type[_T], values: Mapping[str, Any], what: str) -> _T:
    known = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name, value in values.items():
        if name not in known:
            raise ModelError(f"unknown {what} {name!r}; update spotter, or use a model made for this version")
        default = known[name].default
        kind = type(default) if isinstance(default, int | float | str) else Mapping
        number = kind in (int, float) and isinstance(value, int | float) and not isinstance(value, bool)
        if not (number and (kind is float or isinstance(value, int))) and not (
            kind in (str, Mapping) and isinstance(value, kind)
        ):
            raise ModelError(f"{what} {name!r} has the value {value!r}, which is no {kind.__name__}; export it again")
    return cls(**values)
