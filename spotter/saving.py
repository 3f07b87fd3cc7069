"""The audio around each detection, written to WAV files while listening goes on.

    saver = Saver(Path("clips"), model)
    listener.explain, listener.source = saver.see, saver.overhear(listener.source)

The audio callback does what it always does. Between it and the pipeline stands a thread that keeps the last
seconds; files are written on another. Neither is there where nothing is to be saved.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import numpy as np

from spotter.arrays import Floats
from spotter.callbacks import join
from spotter.clip_files import save
from spotter.errors import BadInputError
from spotter.explain import Moment
from spotter.overheard import overheard
from spotter.resample import Resampler
from spotter.running import is_live
from spotter.settings import SAMPLE_RATE
from spotter.sources import LiveSource, Source

_log = logging.getLogger(__name__)

BEFORE_S: Final = 2.0  # of the moment of decision, which falls 0.1 to 0.3 s after the word
AFTER_S: Final = 0.5
_KEPT_S: Final = 10.0  # of the stream; the pipeline may be behind by what its ring holds
_CLOSE_S: Final = 5.0
_MOST_WAITING: Final = 100  # clips that the disk has not taken yet


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A detection whose audio is not all there yet."""

    end_sample: int
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Clip:
    """What is to be written."""

    name: str
    frames: Floats  # shape (frames, channels), at the source's rate
    sample_rate: int
    about: Mapping[str, Any]


class Saver:
    """Keeps the last seconds of a stream, and writes those around each detection.

    Parameters
    ----------
    folder : Path
        Where KEYWORD_TIME_SCORE.wav goes, 16 kHz mono, with a JSON file of the same name beside it.
    model : Model
        What hears; its name and checksums are written into the JSON file.
    """

    def __init__(self, folder: Path, model: Any) -> None:
        self.folder = folder
        self.saved = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInputError(f"{folder} cannot be made ({error.strerror}); give another folder to save in") from None
        self._model = {
            "name": model.name,
            "keywords": list(model.keywords),
            "files": {name: entry["sha256"] for name, entry in getattr(model, "manifest", {}).get("files", {}).items()},
        }
        self._source_name, self._rate, self._live = "", SAMPLE_RATE, False
        self._blocks: deque[tuple[int, Floats]] = deque()  # position of the first frame, frames
        self._position = 0  # device frames heard so far, lost ones included
        self._pending: deque[_Wanted] = deque()
        self._lock = threading.Lock()  # of the two above: a live source fills them on a thread of its own
        self._queue: SimpleQueue[_Clip | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._failed = False

    def overhear(self, source: Source | LiveSource) -> Source | LiveSource:
        """Return a source that gives the same, and lets this one hear it."""
        return overheard(source, self)

    def begin(self, source: Source | LiveSource) -> None:
        """Take note of a stream that begins."""
        self._source_name, self._rate = source.name, source.sample_rate
        self._live = is_live(source)
        self._position = 0
        self._blocks.clear()
        self._pending.clear()

    def hear(self, frames: Floats) -> None:
        """Take the next frames of the source, shape (frames, channels); they are copied."""
        with self._lock:
            self._blocks.append((self._position, frames.copy()))
            self._position += len(frames)
            self._cut()
            kept = self._position - round(_KEPT_S * self._rate)
            while self._blocks and self._blocks[0][0] + len(self._blocks[0][1]) <= kept:
                self._blocks.popleft()

    def lose(self, frames: int) -> None:
        """So many frames are missing here."""
        with self._lock:
            self._position += frames

    def see(self, moment: Moment) -> None:
        """Take the next window's decision, in the thread that listens."""
        for verdict in moment.verdicts:
            if verdict.rule != "fired":
                continue
            about = {
                "keyword": verdict.keyword,
                "time": round(moment.time, 4),
                "score": round(verdict.smoothed, 4),
                "threshold": round(verdict.threshold, 4),
                "source": self._source_name,
            }
            if self._live:
                about["wall"] = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
            with self._lock:
                self._pending.append(_Wanted(moment.end_sample, about))

    def end(self) -> None:
        """No more will come: write what is there of the last clips, and wait for it, some seconds at most."""
        with self._lock:
            self._cut(whole=False)
        if self._thread is not None:
            self._queue.put(None)
            if not join(self._thread, _CLOSE_S):
                _log.warning("clips are still being written to %s after %g s; they are left", self.folder, _CLOSE_S)
            self._thread = None

    def _cut(self, *, whole: bool = True) -> None:
        """Hand over the clips whose audio is there; with the last of a stream, what there is of it."""
        while self._pending:
            wanted = self._pending[0]
            begin = round((wanted.end_sample / SAMPLE_RATE - BEFORE_S) * self._rate)
            end = round((wanted.end_sample / SAMPLE_RATE + AFTER_S) * self._rate)
            if whole and end > self._position:
                return
            self._pending.popleft()
            pieces = [b[max(0, begin - at) : max(0, end - at)] for at, b in self._blocks]
            pieces = [piece for piece in pieces if len(piece)]
            first = max(begin, self._blocks[0][0]) if self._blocks else begin
            if pieces:
                about = {**wanted.about, "clip_start": round(first / self._rate, 4), "model": self._model}
                self._hand_over(_Clip(self._name(about), np.concatenate(pieces), self._rate, about))

    def _name(self, about: Mapping[str, Any]) -> str:
        when = f"{self._stem}-{about['time']:07.2f}s"
        if "wall" in about:
            when = re.sub(r"[-:]|\..*", "", str(about["wall"])) + "Z"
        return f"{_plain(about['keyword'])}_{when}_{about['score']:.2f}"

    @property
    def _stem(self) -> str:
        return _plain(Path(self._source_name).stem)

    def _hand_over(self, clip: _Clip) -> None:
        if self._queue.qsize() >= _MOST_WAITING:
            self._complain(f"the disk is too slow: {clip.name} was not saved")
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="spotter-saving", daemon=True)
            self._thread.start()
        self._queue.put(clip)

    def _write(self) -> None:
        while (clip := self._queue.get()) is not None:
            try:
                resampler = Resampler(clip.sample_rate, clip.frames.shape[1])
                samples = np.nan_to_num(clip.frames, posinf=0.0, neginf=0.0)
                sound = np.concatenate((resampler.push(samples).copy(), resampler.finish()))
                save(self.folder, clip.name, sound, clip.about)
                self.saved += 1
            except Exception as error:  # noqa: BLE001  a full disk is no reason to stop listening
                why = getattr(error, "strerror", None) or str(error)
                self._complain(f"{clip.name}.wav cannot be written to {self.folder} ({why})")

    def _complain(self, what: str) -> None:
        if not self._failed:
            self._failed = True
            _log.warning("%s; listening goes on, this is said once", what)


def _plain(name: str) -> str:
    """Return a text as a part of a file's name."""
    return re.sub(r"\W+", "_", name).strip("_")[:40] or "audio"
