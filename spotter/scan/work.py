"""One recording to what was heard in it; runs in this process, in others, and on other machines."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from spotter.errors import BadInputError, ModelError, SpotterError
from spotter.events import Detection, Event, Gap
from spotter.model import Model
from spotter.pipeline import Spotter
from spotter.pouring import pour
from spotter.scan.rows import Heard, Recording, Row, Task
from spotter.settings import SAMPLE_RATE
from spotter.sources.recordings import open_sound

_log = logging.getLogger("spotter")


def hear(task: Task, recording: Recording) -> Heard:
    """Hear one recording, as `spotter listen --input` does.

    Whatever is wrong with it becomes the result's `problem`.

    Raises
    ------
    SpotterError
        What would be wrong with all: the model or a library is missing here, or is another.
    """
    model = _opened(task.model, task.digest)
    rows: list[Row] = []
    invalid: list[Gap] = []
    problem, seconds = "", 0.0
    with _warnings() as notes:
        try:
            source = open_sound(recording.path)
            spotter = Spotter(
                model,
                sample_rate=source.sample_rate,
                channels=source.channels,
                channel=task.channel,
                hop_ms=task.hop_ms,
                decoder=task.decoder,
                padded=source.padded,
            )
            spotter.judge.left_out = getattr(source, "left_out", ())
            for event in pour(source, spotter):
                seconds = spotter.position / SAMPLE_RATE
                _note(event, rows, invalid)
            seconds = spotter.position / SAMPLE_RATE
        except BadInputError as error:
            problem = str(error)
        except SpotterError:
            raise
        except Exception as error:  # noqa: BLE001  one recording more or less must not end the others
            problem = f"it could not be heard ({type(error).__name__}: {error})"
    if invalid and not problem:
        lost = sum(gap.samples for gap in invalid)
        problem = (
            f"{lost} samples (at 16 kHz), the first at {invalid[0].time - invalid[0].seconds:.4f} s, are no numbers"
        )
    return Heard(recording=recording, rows=tuple(rows), seconds=seconds, problem=problem, note="; ".join(notes))


def digest_of(model: Model) -> str:
    """Return what tells a model from others: its manifest names the hashes of its files."""
    return hashlib.sha256(json.dumps(model.manifest, sort_keys=True).encode()).hexdigest()


def _note(event: Event, rows: list[Row], invalid: list[Gap]) -> None:
    if isinstance(event, Detection):
        values = event.as_dict()
        rows.append(Row(*(values[key] for key in ("keyword", "score", "time", "start", "end"))))
    elif isinstance(event, Gap) and event.reason == "invalid":
        invalid.append(event)


@lru_cache(maxsize=2)
def _opened(name: str, digest: str) -> Model:
    model = Model.open(name)
    if digest_of(model) != digest:
        raise ModelError(f"the model {name} is another here than where the scan was begun; give all the same")
    return model


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Collect what the package warns of in this thread."""
    found: list[str] = []
    thread = threading.get_ident()

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                found.append(record.getMessage())

    handler = Collector(logging.WARNING)
    _log.addHandler(handler)
    try:
        yield found
    finally:
        _log.removeHandler(handler)
