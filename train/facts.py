"""What can be measured of a recording without knowing what is said in it: length, level, clipping, a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from train.workers import each

LONGEST_WORD_S: Final = 10.0  # longer than that is no recording of one word
LONGEST_S: Final = 900.0  # of speech or noise, what is read of one recording
SHORTEST_S: Final = 0.1
_SILENT_DB: Final = -120.0  # stands for no sound at all
_FULL: Final = 0.999  # of full scale; a run of three samples there is a clipped wave
_CHUNK: Final = 256  # recordings that a worker takes at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One recording, measured; where there is `trouble`, only what could be.

    Levels are in dB of full scale: `peak` the largest sample, `level` the root mean square of all, `loudest`
    that of the loudest 20 ms, `floor` that of the 20 ms which a tenth of them are quieter than.
    """

    seconds: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    peak_dbfs: float = _SILENT_DB
    level_dbfs: float = _SILENT_DB
    loudest_dbfs: float = _SILENT_DB
    floor_dbfs: float = _SILENT_DB
    clipped_samples: int = 0
    sha256: str = ""  # of the decoded samples as 16-bit numbers, so of the sound, not of the file
    trouble: str = ""  # why it cannot be used, and what to do

    @property
    def stands_out_db(self) -> float:
        """How far the loudest 20 ms are above the floor."""
        return self.loudest_dbfs - self.floor_dbfs


def measure(samples: Floats, sample_rate: int) -> Facts:
    """Measure a mono recording, shape (samples,), full scale -1..1."""
    piece = max(1, sample_rate // 50)
    whole = samples[: max(1, len(samples) // piece) * piece]
    powers = np.square(whole.reshape(-1, min(piece, len(whole)))).mean(axis=1)
    return Facts(
        seconds=len(samples) / sample_rate,
        sample_rate=sample_rate,
        channels=1,
        peak_dbfs=_db(float(np.abs(samples).max()) ** 2),
        level_dbfs=_db(np.square(samples).mean()),
        loudest_dbfs=_db(powers.max()),
        floor_dbfs=_db(np.percentile(powers, 10)),
        clipped_samples=_clipped(samples),
        sha256=hashlib.sha256(np.round(samples * 32_767.0).astype("<i2").tobytes()).hexdigest(),
    )


def facts_of(path: Path, longest_s: float = LONGEST_WORD_S) -> Facts:
    """Read one file and measure it; whatever is wrong with it is said in `trouble`, never raised."""
    import soundfile

    try:
        if not path.stat().st_size:
            return Facts(trouble="the file is empty; record it again")
        with soundfile.SoundFile(path) as file:
            seconds, rate, channels = file.frames / file.samplerate, file.samplerate, file.channels
            header: dict[str, Any] = {"seconds": seconds, "sample_rate": rate, "channels": channels}
            if trouble := _length_trouble(seconds, longest_s):
                return Facts(**header, trouble=trouble)
            samples = file.read(int(LONGEST_S * rate), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError, ValueError, TypeError) as error:  # TypeError: a name that ends in .raw
        why = " ".join((getattr(error, "error_string", "") or getattr(error, "strerror", "") or str(error)).split())
        return Facts(trouble=f"it cannot be read ({why.rstrip('.')}); get the file anew, or convert it to WAV")
    mono = samples.mean(axis=1, dtype=np.float32)
    if trouble := _sound_trouble(mono, rate):
        return Facts(**header, trouble=trouble)
    return replace(measure(mono, rate), channels=channels)


def all_facts(paths: Sequence[Path], *, longest_s: float = LONGEST_WORD_S, what: str = "recordings") -> list[Facts]:
    """Facts of many files, in their order, on all cores."""
    chunks = [paths[at : at + _CHUNK] for at in range(0, len(paths), _CHUNK)]
    work = partial(_facts_of_some, longest_s=longest_s)
    return [facts for part in each(work, chunks, what=f"looking at {what}") for facts in part]


def _facts_of_some(paths: Sequence[Path], *, longest_s: float) -> list[Facts]:
    return [facts_of(path, longest_s) for path in paths]


def _length_trouble(seconds: float, longest_s: float) -> str:
    if seconds > longest_s:
        return f"it is {seconds:.0f} s long, too long for one word; cut it into one word a file"
    if seconds <= 0.0:
        return "it holds no samples; record it again"
    return f"it is {seconds:.3f} s long, too short to hold a word; record it again" if seconds < SHORTEST_S else ""


def _sound_trouble(mono: Floats, sample_rate: int) -> str:
    if len(mono) < SHORTEST_S * sample_rate:
        return "it ends after its header; get the file anew"
    if not np.isfinite(mono).all():
        return "some of its samples are no numbers; export it again"
    return "" if mono.any() else "it holds nothing but zeros; record it again"


def _clipped(samples: Floats) -> int:
    """Samples that lie in runs of three or more at full scale."""
    full = np.abs(samples) >= _FULL
    if not full.any():
        return 0
    edges: npt.NDArray[np.intp] = np.flatnonzero(np.diff(np.concatenate(([False], full, [False])).astype(np.int8)))
    lengths = edges[1::2] - edges[::2]
    return int(lengths[lengths >= 3].sum())


def _db(power: float | np.floating[Any]) -> float:
    return max(_SILENT_DB, 10.0 * float(np.log10(float(power) + 1e-30)))
