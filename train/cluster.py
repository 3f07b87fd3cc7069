"""The machines that train together, as `TF_CONFIG` names them, and what to say when one is gone."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from spotter.errors import BadInputError, SpotterError

_EXAMPLE = '{"cluster": {"worker": ["10.0.0.1:3333", "10.0.0.2:3333"]}, "task": {"type": "worker", "index": 0}}'
_SIGNS = ("Collective ops is aborted", "CollectiveReduce", "CoordinationService", "coordination service")


class WorkerGoneError(SpotterError):
    """Another worker of the cluster ended or cannot be reached: nobody can go on without it."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The workers by their addresses, and which of them this process is; 0 is the chief."""

    addresses: tuple[str, ...] = ()
    rank: int = 0

    @property
    def chief(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    @property
    def several(self) -> bool:
        """Whether there is anybody to wait for."""
        return len(self.addresses) > 1


def cluster(environment: Mapping[str, str] = os.environ) -> Cluster:
    """Read `TF_CONFIG`; without it this process is alone.

    Raises
    ------
    BadInputError
        When it is no JSON, or has something else than workers (and a chief), or no place for this one.
    """
    text = environment.get("TF_CONFIG", "").strip()
    if not text:
        return Cluster()
    try:
        values = json.loads(text)
        jobs: dict[str, list[str]] = {str(k): [str(a) for a in v] for k, v in values["cluster"].items()}
        job, index = str(values["task"]["type"]), int(values["task"]["index"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInputError(f"TF_CONFIG cannot be read ({text[:80]}); it should look like {_EXAMPLE}") from None
    if extra := set(jobs) - {"chief", "worker"}:
        raise BadInputError(f"TF_CONFIG has a job {min(extra)!r}; give workers only, as in {_EXAMPLE}")
    if not 0 <= index < len(jobs.get(job, ())):
        raise BadInputError(f"TF_CONFIG has no {job} {index} in its cluster; number the workers from 0")
    chiefs = jobs.get("chief", [])
    addresses = (*chiefs, *jobs.get("worker", []))
    return Cluster(addresses, index if job == "chief" else len(chiefs) + index)


@contextmanager
def all_there(me: Cluster, step: Callable[[], int | None]) -> Iterator[None]:
    """Turn TensorFlow's pages about a lost connection into one sentence; `step` is the last checkpoint's, if known."""
    import tensorflow as tf

    lost = tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError
    try:
        yield
    except tf.errors.OpError as error:
        if not me.several or not (isinstance(error, lost) or any(s in str(error) for s in _SIGNS)):
            raise
        at = "the last checkpoint" if step() is None else f"step {step()}"
        raise WorkerGoneError(f"{_who(error)} is gone; start all again, they go on from {at}") from error


def _who(error: Any) -> str:
    """Name the worker that an error is about: one that hung up, or one whose heart no longer beats."""
    named = re.search(r"(?:remote target|reported from) /job:(\w+)/(?:replica:\d+/)?task:(\d+)", str(error))
    return f"{named[1]} {named[2]}" if named else "another worker"
