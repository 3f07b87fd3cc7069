"""Only my voice: what the recordings of one person say of their voice, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError, ModelError
from spotter.frontend import Frontend
from spotter.settings import SAMPLE_RATE, FrontendConfig
from spotter.voice import Voice, features, project
from train.bank import read
from train.metrics import share_limits
from train.own.clips import Clip, utterance

FEWEST: Final = 5  # recordings
_AROUND_S: Final = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Voices:
    """What tells speakers apart, and voices of many others.

    center, basis : see `spotter.voice.Voice`
    others : float32, shape (n, directions), projected voices of n other people
    """

    center: Floats
    basis: Floats
    others: Floats


def read_voices(path: Path) -> Voices:
    """Read the file that `python -m train voices` writes."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return Voices(*(np.asarray(file[name], np.float32) for name in ("center", "basis", "others")))
    except FileNotFoundError:
        raise BadInputError(f"there are no voices {path}; make them with python -m train voices") from None
    except (OSError, ValueError, KeyError) as problem:
        raise ModelError(
            f"{path} is no file of voices ({problem}); make it again with python -m train voices"
        ) from problem


def write_voices(path: Path, center: Floats, basis: Floats, others: Floats) -> None:
    """Write the file, all at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        np.savez(file, center=center, basis=basis, others=others.astype(np.float16))
    part.replace(path)


def features_of(job: tuple[Sequence[Path], FrontendConfig]) -> Floats:
    """Features of recordings, shape (n, features)."""
    paths, config = job
    frontend = Frontend(config)
    return np.stack([features(_frames(Clip(read(path), ""), frontend), config) for path in paths])


def enrol(
    clips: Sequence[Clip], voices: Voices, config: FrontendConfig, *, missed: float = 0.05
) -> tuple[Voice, dict[str, Any]]:
    """Learn the owner's voice from all recordings.

    Parameters
    ----------
    missed : float
        Share of the owner's own words that may be refused; each recording is judged by the others.

    Returns
    -------
    voice, report
        The report, plain data: how many of the owner's recordings and how many others' voices pass, with limits.
    """
    if len(clips) < FEWEST:
        raise BadInputError(f"{len(clips)} recordings are too few to know a voice by; record at least {FEWEST}")
    frontend = Frontend(config)
    found = project(
        np.stack([features(_frames(clip, frontend), config) for clip in clips]), voices.center, voices.basis
    )
    together = found.sum(axis=0)
    alone = [float(v @ _unit(together - v)) for v in found]
    threshold = float(np.quantile(alone, missed))
    owner = _unit(together)
    passed, of = int((voices.others @ owner >= threshold).sum()), len(voices.others)
    kept = sum(a >= threshold for a in alone)
    low, high = share_limits(passed, of)
    own_low, own_high = share_limits(kept, len(alone))
    report = {
        "own": {"passed": kept, "of": len(alone), "low": own_low, "high": own_high},
        "others": {"passed": passed, "of": of, "low": low, "high": high},
        "threshold": threshold,
    }
    return Voice(voices.center, voices.basis, owner, threshold), report


def _frames(clip: Clip, frontend: Frontend) -> Floats:
    begin, end = utterance(clip.samples)
    around = round(_AROUND_S * SAMPLE_RATE)
    piece = clip.samples[max(0, begin - around) : end + around]
    least = frontend.config.samples_for(4 * frontend.config.group_frames)
    return frontend(np.pad(piece, (0, max(0, least - len(piece)))))


def _unit(vector: Floats) -> Floats:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)
