"""The whole stream in a file, and in a numbered one from where the device is back in another format."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from spotter.arrays import Floats
from spotter.callbacks import join
from spotter.errors import BadInputError
from spotter.record import Recorder
from spotter.settings import SAMPLE_RATE
from spotter.sources.recordings import notes_path

_log = logging.getLogger(__name__)

_CLOSE_S: Final = 5.0


class StreamRecorder:
    """Keeps a stream whatever its device does; a `Tape`.

    Parameters
    ----------
    path, force, about
        As for `Recorder`, which writes each of the files. The notes of a later one also say which it `continues`,
        and at which `start_sample` of the stream, at 16 kHz, it begins.
    """

    def __init__(self, path: Path, *, force: bool = False, about: Mapping[str, Any] | None = None) -> None:
        self._first, self._force, self._about = path, force, dict(about or {})
        self._recorders = [Recorder(path, force=force, about=about)]
        self._endings: list[threading.Thread] = []
        self._format: tuple[int, int] | None = None
        self._heard = False  # in the file that is being written
        self._start_sample = 0  # of the stream, where that file begins
        self._origin = self._frames = 0  # as `spotter.pipeline.Spotter` has them: of the present device

    @property
    def seconds(self) -> float:
        """How much is written."""
        return sum(recorder.seconds for recorder in self._recorders)

    @property
    def paths(self) -> list[Path]:
        """The files, in the order of time."""
        return [recorder.path for recorder in self._recorders]

    def begin(self, sample_rate: int, channels: int) -> None:
        """Take note of what is coming."""
        self._origin, self._frames = self._position, 0
        before, self._format = self._format, (sample_rate, channels)
        if self._heard and self._format != before:
            self._go_on()
        self._recorders[-1].begin(sample_rate, channels)

    def hear(self, frames: Floats) -> None:
        """Take the next frames."""
        self._heard = True
        self._frames += len(frames)
        self._recorders[-1].hear(frames)

    def lose(self, frames: int, reason: str) -> None:
        """So many frames are missing here."""
        self._frames += frames
        self._recorders[-1].lose(frames, reason)

    def miss(self, samples: int, reason: str) -> None:
        """So many samples at 16 kHz were recorded by nobody."""
        self._origin += samples
        self._recorders[-1].miss(samples, reason)

    def pause(self) -> None:
        """The device has gone."""
        self._recorders[-1].pause()

    def skip(self, end_sample: int, windows: int, samples: int) -> None:
        """So many windows were left out."""
        self._recorders[-1].skip(end_sample - self._start_sample, windows, samples)

    def end(self) -> None:
        """No more will come: have the files complete, some seconds from now at most."""
        self._recorders[-1].end()
        for ending in self._endings:
            join(ending, _CLOSE_S)

    @property
    def _position(self) -> int:
        rate = self._format[0] if self._format else SAMPLE_RATE
        return self._origin + round(self._frames * SAMPLE_RATE / rate)

    def _go_on(self) -> None:
        last = self._recorders[-1]
        about = {**self._about, "continues": last.path.name, "start_sample": self._origin}
        try:
            recorder = Recorder(self._free(), force=self._force, about=about)
        except BadInputError as error:
            _log.warning("%s", error)
            return  # the last one says that it has ended
        _log.warning("the device is back in another format; recording goes on in %s", recorder.path)
        self._recorders.append(recorder)
        self._heard, self._start_sample = False, self._origin
        # Its end takes as long as the disk needs.
        self._endings = [ending for ending in self._endings if ending.is_alive()]
        self._endings.append(threading.Thread(target=last.end, name="spotter-recording-end", daemon=True))
        self._endings[-1].start()

    def _free(self) -> Path:
        """Return the next numbered name, that of no file that is there unless it may be written over."""
        number = len(self._recorders) + 1
        while True:
            path = self._first.with_name(f"{self._first.stem}-{number}{self._first.suffix}")
            taken = path in self.paths or (not self._force and (path.exists() or notes_path(path).exists()))
            if not taken:
                return path
            number += 1
