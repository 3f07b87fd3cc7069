"""What a model says of a recording, kept on disk: other decoder settings need no second run of the network."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import signal
import zipfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.model import Model
from spotter.network import Backend
from spotter.pipeline import hop_for
from spotter.settings import SAMPLE_RATE
from train.bank import read
from train.evaluate import Scored, score
from train.progress import track
from train.truth import sha256

_FORMAT = "scores-2"
_OF_MODEL = ("labels", "keywords", "sample_rate", "window", "context", "step", "frontend", "files")


def scored(
    model: Model, recording: Path | Floats, *, hop_ms: float | None = None, cache: Path | None, padded: bool = True
) -> Scored:
    """Scores of a recording, from the cache where it was scored before.

    Parameters
    ----------
    recording : Path, or float32, shape (samples,) at 16 kHz
        Of a file the bytes tell whether it is the same as before; it is decoded only if it must be scored.
    cache : Path, optional
        Folder; None keeps nothing.

    Raises
    ------
    BadInputError
        The recording is shorter than the model's window.
    """
    if cache is None:
        return _compute(model, recording, hop_ms, padded=padded)
    path = cache / f"{key(model, recording, hop_ms, padded=padded)}.npz"
    kept = _load(path, len(model.labels))
    if kept is None:
        kept = _compute(model, recording, hop_ms, padded=padded)
        _save(path, kept)
    return kept


def check_length(what: str, seconds: float, model: Model) -> None:
    """Refuse a recording that is shorter than the model's window."""
    if seconds * SAMPLE_RATE < model.window:
        raise BadInputError(
            f"{what} has {seconds:.2f} s, less than the {model.window / SAMPLE_RATE:g} s "
            f"that the model {model.name} looks at; give a longer one"
        )


def key(model: Model, recording: Path | Floats, hop_ms: float | None, *, padded: bool = True) -> str:
    """Hash of all that scores depend on: the network, its front-end, the recording, the hop; no decoder setting."""
    own = {name: model.manifest.get(name) for name in _OF_MODEL}
    heard = sha256(recording) if isinstance(recording, Path) else _hash(recording)
    facts = [_FORMAT, own, model.network, model.backend, heard, hop_for(model, hop_ms), padded]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def score_all(
    model: Model, recordings: Sequence[Path], *, hop_ms: float | None, cache: Path, jobs: int
) -> list[Scored]:
    """Scores of many recordings, in their order; those that are not in the cache are shared by `jobs` processes.

    Each process opens the model itself and leaves the scores in the cache.
    """
    missing = [p for p in recordings if not (cache / f"{key(model, p, hop_ms)}.npz").exists()]
    if len(missing) > 1 and jobs > 1:
        missing.sort(key=lambda p: -p.stat().st_size)  # the longest first, so that no process waits for it at the end
        given = (str(model.folder), model.network, model.backend, hop_ms, cache)
        pool = ProcessPoolExecutor(min(jobs, len(missing)), get_context("spawn"), _begin, given)
        try:
            running = [pool.submit(_fill, path) for path in missing]
            for done in track(as_completed(running), total=len(running), what="scores"):
                done.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    else:
        for path in track(missing, total=len(missing), what="scores"):
            scored(model, path, hop_ms=hop_ms, cache=cache)
    return [scored(model, path, hop_ms=hop_ms, cache=cache) for path in recordings]


_mine: dict[str, Any] = {}  # what a process works with


def _begin(folder: str, network: str, backend: Backend, hop_ms: float | None, cache: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    model = Model.open(Path(folder), backend=backend, network=network)
    _mine.update(model=model, hop_ms=hop_ms, cache=cache)


def _fill(path: Path) -> None:
    scored(_mine["model"], path, hop_ms=_mine["hop_ms"], cache=_mine["cache"])


def _hash(samples: Floats) -> str:
    return hashlib.sha256(np.ascontiguousarray(samples, np.float32).data).hexdigest()


def _compute(model: Model, recording: Path | Floats, hop_ms: float | None, *, padded: bool) -> Scored:
    samples = read(recording) if isinstance(recording, Path) else recording
    what = str(recording) if isinstance(recording, Path) else "the recording"
    check_length(what, len(samples) / SAMPLE_RATE, model)
    return score(model, samples, hop_ms=hop_ms, padded=padded)


def _load(path: Path, labels: int) -> Scored | None:
    """None where nothing is kept, or what is kept is damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            ends, seconds = kept["ends"], float(kept["seconds"])
            levels, floors, scores = (kept[name].astype(np.float32) for name in ("levels", "floors", "scores"))
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    if scores.shape != (len(ends), labels) or not levels.shape == floors.shape == ends.shape:
        return None
    return Scored(ends.astype(np.intp), levels, floors, scores, seconds)


def _save(path: Path, result: Scored) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part")  # two processes may write the same
    try:
        with part.open("wb") as file:
            np.savez(file, **dataclasses.asdict(result))
        part.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
