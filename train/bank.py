"""Band powers of every recording, computed once and laid end to end; training mixes them there.

Features are the bottleneck of training on a processor. Power adds where sounds do not correlate, so
gain, noise, tilt, stretch and masks are arithmetic on these frames; only rooms need the samples.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from spotter.arrays import Floats
from spotter.frontend import Frontend
from spotter.settings import SAMPLE_RATE, FrontendConfig, as_dict
from train.augment.room import draw_room, in_room, measured_room
from train.data import Row
from train.workers import each

QUIET = 12  # quiet frames remembered per recording: its floor is grown from them
_CHUNK = 256  # recordings that a worker takes at once
_LONGEST_S = 900.0  # of one recording
_HALL_SHARE = 0.2  # of the copies in a room, where responses were recorded


@dataclass(frozen=True, slots=True)
class Bank:
    """Frames of many recordings and where each lies.

    frames : float32, shape (all frames, bins), band power
    start, length : intp, shape (recordings,)
    word_start, word_end : intp, frames of the recording between which the sound stands out
    level : float32, mean over that span of the power summed over bands
    quiet : intp, shape (recordings, QUIET): indices into `frames` of the quietest frames
    row : intp, index into the rows given
    """

    frames: Floats
    start: npt.NDArray[np.intp]
    length: npt.NDArray[np.intp]
    word_start: npt.NDArray[np.intp]
    word_end: npt.NDArray[np.intp]
    level: Floats
    quiet: npt.NDArray[np.intp]
    row: npt.NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.start)


def read(path: Path) -> Floats:
    """One recording as 16 kHz mono, float32, shape (samples,)."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1, dtype=np.float32)
    return mono if rate == SAMPLE_RATE else np.asarray(soxr.resample(mono, rate, SAMPLE_RATE), np.float32)


def build(
    rows: Sequence[Row],
    config: FrontendConfig,
    cache: Path,
    *,
    rooms: int = 0,
    halls: Sequence[Path] = (),
    seed: int = 0,
    what: str = "recordings",
) -> Bank:
    """Compute, or read from the cache, the bank of `rows`; each also `rooms` times in a drawn room.

    halls : recorded room responses, which take the place of some of the drawn ones
    """
    if not rows:
        return empty(config)
    files = [*(r.path for r in rows), *(halls if rooms else ())]
    key = json.dumps(["bank-4", as_dict(config), rooms, seed, [_identity(p) for p in files]], sort_keys=True)
    folder = cache / hashlib.sha256(key.encode()).hexdigest()[:16]
    if not (folder / "done").exists():
        _compute(rows, config, folder, (rooms, tuple(halls)), seed, what)
    index = np.load(folder / "index.npz")
    frames = np.load(folder / "frames.npy", mmap_mode=None)
    return Bank(frames=frames, **{name: index[name] for name in index.files})


def _identity(path: Path) -> tuple[str, int, int]:
    """What tells that a file is the same as before, however its path was written."""
    about = path.stat()
    return str(path.resolve()), about.st_size, about.st_mtime_ns


def empty(config: FrontendConfig) -> Bank:
    """A bank of no recordings."""
    none = np.empty(0, np.intp)
    quiet = np.empty((0, QUIET), np.intp)
    return Bank(np.empty((0, config.bins), np.float32), none, none, none, none, np.empty(0, np.float32), quiet, none)


_Rooms: TypeAlias = tuple[int, tuple[Path, ...]]  # copies of each recording, recorded responses to draw from


def _compute(rows: Sequence[Row], config: FrontendConfig, folder: Path, rooms: _Rooms, seed: int, what: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    jobs = [
        ([r.path for r in rows[at : at + _CHUNK]], config, rooms, seed + at, at) for at in range(0, len(rows), _CHUNK)
    ]
    frames, items = [], []
    start = 0
    for part in each(_worker, jobs, what=f"features of {what}"):
        for power, row in part:
            if not len(power):
                continue
            first, last, level, quiet = describe(power)
            items.append((start, len(power), first, last, level, quiet + start, row))
            frames.append(power)
            start += len(power)
    columns = list(zip(*items, strict=True))
    names = ("start", "length", "word_start", "word_end", "level", "quiet", "row")
    types = (np.intp, np.intp, np.intp, np.intp, np.float32, np.intp, np.intp)
    arrays = {n: np.asarray(c, t) for n, c, t in zip(names, columns, types, strict=True)}
    new = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    new.mkdir(parents=True, exist_ok=True)
    np.save(new / "frames.npy", np.concatenate(frames))
    np.savez(new / "index.npz", **arrays)  # type: ignore[arg-type]
    (new / "done").touch()
    try:
        new.rename(folder)
    except OSError:
        if not (folder / "done").exists():
            raise
        shutil.rmtree(new)  # another process was faster


def _worker(job: tuple[list[Path], FrontendConfig, _Rooms, int, int]) -> list[tuple[Floats, int]]:
    paths, config, (rooms, halls), seed, first = job
    frontend, rng = Frontend(config), np.random.default_rng(seed)
    measured = [measured_room(read(path)) for path in halls]
    out = []
    for at, path in enumerate(paths):
        try:
            samples = read(path)[: int(_LONGEST_S * SAMPLE_RATE)]
        except soundfile.LibsndfileError:
            continue
        out.append((frontend.energies(samples), first + at))
        for _ in range(rooms):
            hall = measured[rng.integers(len(measured))] if measured and rng.random() < _HALL_SHARE else draw_room(rng)
            out.append((frontend.energies(in_room(samples, hall)), first + at))
    return out


def describe(power: Floats) -> tuple[int, int, float, npt.NDArray[np.intp]]:
    """First and last frame (exclusive) of the sound that stands out, its level, and the quietest frames.

    The span grows from the loudest frame over pauses of up to 150 ms, down to 30 dB below it or
    10 dB above the floor, whichever is higher.
    """
    loud = power[:, 2:].sum(axis=1)  # without the lowest bands: hum is no word
    smooth = np.convolve(loud, np.ones(3, np.float32) / 3, mode="same") if len(loud) > 3 else loud
    peak = int(np.argmax(smooth))
    floor = float(np.percentile(smooth, 10))
    threshold = max(smooth[peak] * 1e-3, min(floor * 10.0, smooth[peak] * 0.25))
    active = np.flatnonzero(smooth >= threshold)
    first = last = peak
    for at in active[active > peak]:
        if at - last > 15:
            break
        last = int(at)
    for at in active[active < peak][::-1]:
        if first - at > 15:
            break
        first = int(at)
    total = power.sum(axis=1)
    order = np.argsort(total + np.where(total <= 1e-9, np.float32(1e9), 0), kind="stable")  # digital zeros last
    quiet = np.resize(order[: max(1, min(QUIET, len(order) // 4))], QUIET)
    return first, last + 1, float(total[first : last + 1].mean()), quiet.astype(np.intp)
