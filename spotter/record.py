"""The whole stream in a file, as it came, so that it can be heard again with the same events.

    listener.tape = recorder = Recorder(Path("night.wav"))
    ...
    recorder.end()

One file has one format; `spotter.record_on` goes on in another.

What the pipeline reads is copied and written by a thread of its own; a slow or full disk harms the recording only.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final

from spotter.arrays import Floats
from spotter.callbacks import join
from spotter.errors import BadInputError
from spotter.settings import SAMPLE_RATE
from spotter.sources.recordings import FORMAT, TYPE, notes_path
from spotter.wav_writer import WavWriter

_log = logging.getLogger(__name__)

_UPDATE_S: Final = 2.0  # what a kill may cost
_MOST_WAITING_S: Final = 30.0  # of audio that the disk has not taken yet
_MOST_NOTES: Final = 10_000
_MOST_ITEMS: Final = 100_000
_CLOSE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Format:
    sample_rate: int
    channels: int


@dataclass(frozen=True, slots=True)
class _Missed:
    """What is noted at the place in the file where it comes."""

    about: dict[str, Any]


class Recorder:
    """Keeps one stream; a `Tape`.

    Parameters
    ----------
    path : Path
        A WAV file, float32 at the source's own rate and channels; its notes go beside it, see
        `spotter.sources.recordings`.
    force : bool
        Write over a recording that is there.
    about : mapping, optional
        What else the notes say, such as the model's name.

    Raises
    ------
    BadInputError
        There is such a file, or it cannot be made.
    """

    def __init__(self, path: Path, *, force: bool = False, about: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self.seconds = 0.0  # written
        self._about = dict(about or {})
        self._replaces = path.exists()  # what is there is given up when there is something in its place
        self._descriptor = _create(path, force=force)
        self._format: _Format | None = None
        self._heard = False
        self._ended = False  # a plain flag: set by one thread, looked at by the other
        self._frames_in = self._frames_out = 0  # given to the thread, taken by it; each has one writer
        self._queue: SimpleQueue[Floats | _Missed | None] = SimpleQueue()
        self._missing: list[dict[str, Any]] = []
        self._skipped: list[dict[str, Any]] = []
        self._noted = True  # whether the notes on the disk are up to date
        self._late_said = False
        self._thread: threading.Thread | None = None

    def begin(self, sample_rate: int, channels: int) -> None:
        """Take note of what is coming."""
        form = _Format(sample_rate, channels)
        if not self._heard:
            self._format = form
        elif form != self._format and not self._ended:
            self._give_up(f"the device is back at {sample_rate} Hz with {channels} channels, another format")

    def hear(self, frames: Floats) -> None:
        """Take the next frames, shape (frames, channels); they are copied."""
        if self._ended or self._format is None:
            return
        if self._frames_in - self._frames_out > _MOST_WAITING_S * self._format.sample_rate:
            if not self._late_said:
                self._late_said = True
                _log.warning(
                    "the disk is too slow for %s: parts are missing in it, and noted; this is said once", self.path
                )
            self.lose(len(frames), "disk")
            return
        self._heard = True
        self._frames_in += len(frames)
        self._put(frames.copy())

    def lose(self, frames: int, reason: str) -> None:
        """So many frames are missing here."""
        self._put(_Missed({"frames": frames, "reason": reason}))

    def miss(self, samples: int, reason: str) -> None:
        """So many samples at 16 kHz were recorded by nobody."""
        if samples > 0:
            self._put(_Missed({"samples": samples, "reason": reason}))

    def pause(self) -> None:
        """The device has gone; what came is written as it comes."""

    def skip(self, end_sample: int, windows: int, samples: int) -> None:
        """So many windows were left out."""
        where = {"end_sample": end_sample, "samples": samples, "time": round(end_sample / SAMPLE_RATE, 4)}
        self._put(_Missed({"windows": windows, **where}))

    def end(self) -> None:
        """No more will come: have the file complete, some seconds from now at most."""
        if self._thread is not None:
            self._queue.put(None)
            if not join(self._thread, _CLOSE_S):
                _log.warning("%s is still being written after %g s; its end is left", self.path, _CLOSE_S)
                return
            self._thread = None
        with suppress(OSError):
            os.close(self._descriptor)
            self._descriptor = -1
        if not self._heard and not self._replaces:
            for path in (self.path, notes_path(self.path)):
                path.unlink(missing_ok=True)

    def _put(self, item: Floats | _Missed) -> None:
        if self._ended:
            return
        if self._queue.qsize() > _MOST_ITEMS:
            self._give_up("the disk does not answer")
            return
        if self._thread is None and self._heard:
            self._thread = threading.Thread(target=self._work, name="spotter-recording", daemon=True)
            self._thread.start()
        self._queue.put(item)

    def _work(self) -> None:
        form = self._format
        assert form is not None  # noqa: S101  something was heard
        writer: WavWriter | None = None
        try:
            notes_path(self.path).unlink(missing_ok=True)
            os.ftruncate(self._descriptor, 0)
            writer = WavWriter(self._descriptor, form.sample_rate, form.channels)
            _log.info("recording to %s, %d Hz, %d ch", self.path, form.sample_rate, form.channels)
            self._noted = False
            self._update(writer)
            self._write_all(writer)
            self._update(writer)
            os.fsync(self._descriptor)
        except OSError as error:
            self._give_up(error.strerror or str(error))
            if writer is not None:
                with suppress(OSError):
                    self._update(writer)
        except Exception as error:
            self._give_up(str(error))
            raise

    def _write_all(self, writer: WavWriter) -> None:
        updated = time.monotonic()
        while True:
            item: Floats | _Missed | None = _NOTHING
            with suppress(Empty):
                item = self._queue.get(timeout=_UPDATE_S)
            if item is None:
                return
            if isinstance(item, _Missed):
                self._note(writer.frames, item.about)
            else:
                self._frames_out += len(item)
                try:
                    writer.write(item)
                finally:
                    self.seconds = writer.frames / writer.sample_rate
            if time.monotonic() - updated > _UPDATE_S:
                self._update(writer)
                updated = time.monotonic()

    def _note(self, frame: int, about: dict[str, Any]) -> None:
        if not about:
            return
        self._noted = False
        notes = self._skipped if "windows" in about else self._missing
        last = notes[-1] if notes else {}
        if (
            "frames" in about
            and last.get("frame") == frame
            and last.get("reason") == about["reason"]
            and "frames" in last
        ):
            last["frames"] += about["frames"]
        elif len(notes) < _MOST_NOTES:
            notes.append({"frame": frame, **about})
        else:
            raise OSError(None, f"more than {_MOST_NOTES} places where something is missing")

    def _update(self, writer: WavWriter) -> None:
        """Notes first: as far as the header goes, what is missing is always known."""
        if not self._noted:
            values = {
                "type": TYPE,
                "format": FORMAT,
                "sample_rate": writer.sample_rate,
                "channels": writer.channels,
                "missing": self._missing,
                "skipped": self._skipped,
                **self._about,
            }
            _replace(notes_path(self.path), json.dumps(values, ensure_ascii=False, indent=1).encode() + b"\n")
            self._noted = True
        writer.update()

    def _give_up(self, why: str) -> None:
        if not self._ended:
            self._ended = True
            _log.warning("recording to %s ended after %.1f s (%s); listening goes on", self.path, self.seconds, why)


_NOTHING: Final = _Missed({})


def now() -> str:
    """Return the time of day, as the notes and the JSON lines have it."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def _create(path: Path, *, force: bool) -> int:
    if path.suffix.lower() != ".wav":
        raise BadInputError(f"{str(path)!r} is no name for a recording; give one that ends in .wav")
    for there in (path, notes_path(path)):
        if there.exists() and not (force and there.is_file()):
            hint = "give another name, or --force to write over it" if there.is_file() else "give another name"
            raise BadInputError(f"{there} exists; {hint}")
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0) | (0 if force else os.O_EXCL)
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        raise BadInputError(f"{path} cannot be written ({error.strerror}); give another file to record to") from None
    if not _locked(descriptor):
        os.close(descriptor)
        raise BadInputError(f"{path} is just being recorded; wait until that has ended, or give another name")
    return descriptor


def _locked(descriptor: int) -> bool:
    """Keep other recorders out, also of this process, for as long as the file is open; not on Windows."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    return True


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
