"""A sound file, read in blocks of about a second, so that memory stays constant however long it is."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError, SpotterError
from spotter.sources.headers import promised_frames
from spotter.sources.libraries import install_line
from spotter.sources.riff import WavHeader, read_wav_header
from spotter.stderr import without_chatter

if TYPE_CHECKING:
    from soundfile import SoundFile

_log = logging.getLogger(__name__)

_UNKNOWN_LENGTH: Final = 1 << 62  # libsndfile says 2**63 - 1 where it cannot know
_WORTH_SAYING_S: Final = 0.05  # encoders round the length of compressed files


class AudioFile:
    """Anything that `soundfile` reads, at any rate and with any number of channels.

    Parameters
    ----------
    path : str or path
        The file; it is looked at now and read by `blocks`, which may be called again.

    Raises
    ------
    BadInputError
        Missing, a folder, empty, not audio, or without a single sample.
    """

    padded = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.name = os.fspath(path)
        self._promised: int | None = None  # frames
        self._filter: Callable[[], AbstractContextManager[None]] = nullcontext
        self._wav = self._look()
        file = self._open()
        self.sample_rate: int = file.samplerate
        self.channels: int = file.channels
        self.frames: int | None = file.frames if file.frames < _UNKNOWN_LENGTH else None
        # A pipe can be opened once only, so its reading goes on where looking at it ended.
        self._pipe = None if self.path.is_file() else file
        if not self._pipe:
            file.close()
        if self.frames == 0:
            raise BadInputError(f"{self.name!r} holds no samples; give a recording")

    def blocks(self) -> Iterator[Floats]:
        """Yield the samples in order, shape (frames, channels), each valid until the next.

        Raises
        ------
        BadInputError
            After the last block that could be decoded, when the rest could not.
        """
        buffer = np.empty((self.sample_rate, self.channels), np.float32)
        done = 0
        pipe, self._pipe = self._pipe, None
        with pipe or self._open() as file:
            while True:
                with self._filter():
                    block, problem = _read(file, buffer)
                done += len(block)
                if len(block):
                    yield block
                if problem:
                    raise BadInputError(
                        f"{self.name!r} cannot be decoded after {done / self.sample_rate:.2f} s ({problem}); "
                        "what came before was used: get the file anew"
                    )
                if not len(block):
                    break
        self._say_shortfall(done)

    def _look(self) -> WavHeader | None:
        """Tell apart what soundfile calls a system error; see what the header promises."""
        if not self.name:
            raise BadInputError("no file name given; give an audio file")
        try:
            if self.path.is_dir():
                raise BadInputError(f"{self.name!r} is a folder; give an audio file")
            if not self.path.exists():
                raise BadInputError(f"there is no file {self.name!r}; check the path")
            if not self.path.is_file():  # a pipe: only soundfile may read it
                return None
            if not self.path.stat().st_size:
                raise BadInputError(f"{self.name!r} is empty; give a recording")
            if _is_mp3(self.path):
                self._filter = _without_mpg123
            self._promised = promised_frames(self.path)
            return read_wav_header(self.path)
        except (OSError, ValueError) as error:
            if isinstance(error, BadInputError):
                raise
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise BadInputError(f"{self.name!r} cannot be read ({reason}); check the path and its rights") from error

    def _open(self) -> SoundFile:
        soundfile = load_soundfile()
        # As bytes, since names need not be UTF-8.
        source: str | bytes | io.RawIOBase = str(self.path) if sys.platform == "win32" else os.fsencode(self.path)
        if self._wav and self._wav.promised is None and self._wav.present:
            source = _WithSize(self.path, self._wav)
        try:
            with self._filter():
                file: SoundFile = soundfile.SoundFile(source)
        except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a name that ends in .raw
            reason = getattr(error, "error_string", "") or "no header"
            raise BadInputError(
                f"{self.name!r} is no audio file that can be read ({reason.rstrip('.')}); "
                "give WAV, FLAC, Ogg, MP3 or another format that libsndfile knows"
            ) from error
        return file

    def _say_shortfall(self, done: int) -> None:
        missing_s = self._wav.missing_s if self._wav else 0.0
        promised = self._promised or self.frames
        if not missing_s and promised and (promised - done) / self.sample_rate >= _WORTH_SAYING_S:
            missing_s = (promised - done) / self.sample_rate
        if missing_s:
            _log.warning(
                "%r is %.2f s shorter than its header says; the %.2f s that are there were used",
                self.name,
                missing_s,
                done / self.sample_rate,
            )


def load_soundfile() -> Any:
    """Import soundfile, which loads libsndfile.

    Raises
    ------
    SpotterError
        One of the two is missing; with the command that installs it.
    """
    try:
        import soundfile
    except ImportError:
        raise SpotterError("the package soundfile is missing; run `python -m pip install soundfile`") from None
    except OSError as error:
        why = " ".join(str(error).split()).rstrip(".")
        raise SpotterError(
            f"libsndfile, which reads audio files, does not load ({why}); run `{install_line('libsndfile')}`"
        ) from None
    return soundfile


def _is_mp3(path: Path) -> bool:
    """Whether libsndfile gives it to libmpg123, by its first bytes: a tag, or the sync word of a frame."""
    with path.open("rb") as file:
        head = file.read(3)
    return head == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0)


def _without_mpg123() -> AbstractContextManager[None]:
    """Keep what libmpg123 says about files that it reads all the same from stderr; errors come as exceptions."""
    return without_chatter(
        lambda line: b"libmpg123" in line or line.startswith((b"Note: ", b"Warning: ")) or not line.strip()
    )


def _read(file: SoundFile, buffer: Floats) -> tuple[Floats, str]:
    """Read the next block; with what went wrong after its last frame, if anything."""
    import soundfile

    # soundfile raises without saying how many frames came before the trouble: the mark shows it.
    buffer.fill(np.nan)
    try:
        block: Floats = file.read(out=buffer, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        whole = int(np.count_nonzero(~np.isnan(buffer).all(axis=1)))
        return buffer[:whole], (error.error_string or "damaged data").rstrip(".")
    return block, ""


class _WithSize(io.FileIO):
    """A WAV file whose header names the size that is there; libsndfile takes a 0 at its word."""

    def __init__(self, path: Path, wav: WavHeader) -> None:
        super().__init__(path)
        self._at = wav.size_at
        most = 0xFFFF_FFFE if wav.size_bytes == 4 else wav.present
        self._size = min(wav.present, most).to_bytes(wav.size_bytes, wav.byte_order)

    def readinto(self, buffer: Any) -> int:
        """Read, with the size in its place."""
        at = self.tell()
        count = super().readinto(buffer) or 0
        for place, value in enumerate(self._size, self._at - at):
            if 0 <= place < count:
                buffer[place : place + 1] = bytes((value,))
        return count

    def __del__(self) -> None:  # soundfile leaves it open
        self.close()
