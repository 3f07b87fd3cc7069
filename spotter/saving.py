"""The audio around each detection, written to WAV files while listening goes on.

    saver = Saver(Path("clips"), model, listener.source, time_of_day=listener.time_of_day)
    listener.tape, listener.explain = saver, saver.see

What the pipeline reads is kept for some seconds; files are written by a thread of their own.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import numpy as np

from spotter.arrays import Floats
from spotter.callbacks import join
from spotter.clip_files import bytes_of_clips, clip_name, model_facts, save
from spotter.errors import BadInputError
from spotter.explain import Moment
from spotter.pipeline import RING_S
from spotter.resample import Resampler
from spotter.running import is_live
from spotter.settings import SAMPLE_RATE
from spotter.sources import LiveSource, Source

_log = logging.getLogger(__name__)

BEFORE_S: Final = 2.0  # of the moment of decision, which falls 0.1 to 0.3 s after the word
AFTER_S: Final = 0.5
LIMIT_BYTES: Final = 500_000_000  # some 6,000 clips
_KEPT_S: Final = RING_S + BEFORE_S + 1.0  # of the stream; after a stall, all that waited comes at once
_CLOSE_S: Final = 5.0
_MOST_WAITING: Final = 100  # clips that the disk has not taken yet
_ABOUT_BYTES: Final = 2_000  # of the JSON file beside a clip


@dataclass(slots=True)
class _Segment:
    """The last seconds of audio in which nothing is missing."""

    begin_s: float  # of stream time
    rate: int
    length: int = 0  # frames, those that are not kept any more included
    blocks: deque[tuple[int, Floats]] = field(default_factory=deque)  # first frame's place in the segment; frames

    @property
    def end_s(self) -> float:
        return self.begin_s + self.length / self.rate

    def piece(self, begin_s: float, end_s: float) -> tuple[float, Floats] | None:
        """Return where a part begins, and its frames; as much of it as is kept."""
        begin, end = (round((second - self.begin_s) * self.rate) for second in (begin_s, end_s))
        pieces = [frames[max(0, begin - at) : max(0, end - at)] for at, frames in self.blocks]
        pieces = [piece for piece in pieces if len(piece)]
        if not pieces:
            return None
        return self.begin_s + max(begin, self.blocks[0][0]) / self.rate, np.concatenate(pieces)


@dataclass(frozen=True, slots=True)
class _Clip:
    """What is to be written."""

    name: str
    frames: Floats  # shape (frames, channels), at the source's rate
    sample_rate: int
    about: Mapping[str, Any]


class Saver:
    """Keeps the last seconds of a stream, and writes those around each detection; a `Tape`.

    Parameters
    ----------
    folder : Path
        Where KEYWORD_TIME_SCORE.wav goes, 16 kHz mono, with a JSON file of the same name beside it.
    model : Model
        What hears; its name and checksums are written into the JSON file.
    source : Source or LiveSource
        What is heard; so is its name.
    channel : int, optional
        The one that is heard, counted from 1; left out: the mean of all.
    time_of_day : callable, optional
        From seconds of stream time to when, in UTC, they were recorded; for a live source.
    limit_bytes : int
        No clip is written that would make those in the folder take more, older ones included: which of them
        are worth keeping only a person can say, so none is removed.
    """

    def __init__(
        self,
        folder: Path,
        model: Any,
        source: Source | LiveSource,
        *,
        channel: int | None = None,
        time_of_day: Callable[[float], datetime] | None = None,
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        self.folder = folder
        self.saved = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInputError(f"{folder} cannot be made ({error.strerror}); give another folder to save in") from None
        self._model = model_facts(model)
        self._source, self._channel = source, channel
        self._time_of_day = time_of_day if is_live(source) else None
        self._limit, self._full = limit_bytes, False
        self._used = bytes_of_clips(folder)
        self._rate = SAMPLE_RATE
        self._segments: deque[_Segment] = deque()
        self._position_s = 0.0
        self._pending: deque[tuple[float, Mapping[str, Any]]] = deque()  # times of decision; what is known
        self._queue: SimpleQueue[_Clip | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._failed = False

    def begin(self, sample_rate: int, channels: int) -> None:  # noqa: ARG002  they show in what comes
        """Take note of what is coming."""
        self._rate = sample_rate
        self._segments.append(_Segment(self._position_s, sample_rate))

    def hear(self, frames: Floats) -> None:
        """Take the next frames, shape (frames, channels); they are copied."""
        if not self._segments:
            self.begin(self._rate, frames.shape[1])
        segment = self._segments[-1]
        segment.blocks.append((segment.length, frames.copy()))
        segment.length += len(frames)
        self._position_s = segment.end_s
        self._cut()
        self._forget()

    def lose(self, frames: int, reason: str) -> None:  # noqa: ARG002  whatever it is
        """So many frames are missing here."""
        self._part(frames / self._rate)

    def miss(self, samples: int, reason: str) -> None:  # noqa: ARG002
        """So many samples at 16 kHz were recorded by nobody."""
        self._part(samples / SAMPLE_RATE)

    def pause(self) -> None:
        """The device has gone: write what is there of the last clips now, since it may be away for long."""
        self._cut(whole=False)

    def skip(self, end_sample: int, windows: int, samples: int) -> None:
        """Windows were not judged; their audio is there."""

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
                "source": self._source.name,
            }
            if self._time_of_day is not None:
                about["wall"] = self._time_of_day(moment.time).isoformat(timespec="milliseconds")
            self._pending.append((moment.end_sample / SAMPLE_RATE, about))

    def end(self) -> None:
        """No more will come: write what is there of the last clips, and wait for it, some seconds at most."""
        self._cut(whole=False)
        if self._thread is not None:
            self._queue.put(None)
            if not join(self._thread, _CLOSE_S):
                _log.warning("clips are still being written to %s after %g s; they are left", self.folder, _CLOSE_S)
            self._thread = None

    def _part(self, seconds: float) -> None:
        """Begin anew after a gap: no clip bridges it."""
        self._position_s += seconds
        self._segments.append(_Segment(self._position_s, self._rate))

    def _forget(self) -> None:
        kept_s = self._position_s - _KEPT_S
        while len(self._segments) > 1 and self._segments[0].end_s <= kept_s:
            self._segments.popleft()
        first = self._segments[0]
        kept = round((kept_s - first.begin_s) * first.rate)
        while first.blocks and first.blocks[0][0] + len(first.blocks[0][1]) <= kept:
            first.blocks.popleft()

    def _cut(self, *, whole: bool = True) -> None:
        """Hand over the clips whose audio is there; with the last of a stream, what there is of it."""
        while self._pending:
            time_s, about = self._pending[0]
            if whole and time_s + AFTER_S > self._position_s:
                return
            self._pending.popleft()
            # The decision's own: the last one that began before it.
            segment = next((s for s in reversed(self._segments) if s.begin_s < time_s and s.length), None)
            found = segment.piece(time_s - BEFORE_S, time_s + AFTER_S) if segment else None
            if segment is not None and found is not None:
                about = {**about, "clip_start": round(found[0], 4), "model": self._model}
                self._hand_over(_Clip(clip_name(about), found[1], segment.rate, about))

    def _hand_over(self, clip: _Clip) -> None:
        if self._queue.qsize() >= _MOST_WAITING:
            self._complain(f"the disk is too slow: {clip.name} was not saved")
            return
        if self._thread is None:
            thread = threading.Thread(target=self._write, name="spotter-saving", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # the system has none to give just now
                self._complain(f"{clip.name} was not saved ({error})")
                return
            self._thread = thread
        self._queue.put(clip)

    def _write(self) -> None:
        while (clip := self._queue.get()) is not None:
            try:
                resampler = Resampler(clip.sample_rate, clip.frames.shape[1], self._channel)
                samples = np.nan_to_num(clip.frames, posinf=0.0, neginf=0.0)
                sound = np.concatenate((resampler.push(samples).copy(), resampler.finish()))
                if self._has_room(2 * len(sound) + _ABOUT_BYTES):
                    save(self.folder, clip.name, sound, clip.about)
                    self._used += 2 * len(sound) + _ABOUT_BYTES
                    self.saved += 1
                    self._failed = False
                    _log.info("saved %s", clip.name)
            except Exception as error:  # noqa: BLE001  a full disk is no reason to stop listening
                why = getattr(error, "strerror", None) or str(error)
                self._complain(f"{clip.name}.wav cannot be written to {self.folder} ({why})")

    def _has_room(self, size: int) -> bool:
        if self._used + size > self._limit:
            self._used = bytes_of_clips(self.folder)  # somebody may have made room
        full = self._used + size > self._limit
        if full and not self._full:
            _log.warning(
                "the clips in %s take %.1f MB, and %.1f MB are allowed: no more are saved until some are removed; "
                "listening goes on (--save-limit allows more)",
                self.folder,
                self._used / 1e6,
                self._limit / 1e6,
            )
        elif self._full and not full:
            _log.warning("there is room in %s again: clips are saved", self.folder)
        self._full = full
        return not full

    def _complain(self, what: str) -> None:
        if not self._failed:
            self._failed = True
            _log.warning("%s; listening goes on, this is said once", what)
