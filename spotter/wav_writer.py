"""A WAV file of float32 that can be read while it grows, whatever ends its writing.

The header says how much there is, and is brought up to date every few seconds: what comes after that is lost to other
programs if the process is killed. Past 2 GiB, where some readers take a size for a negative number, the file becomes
an RF64 file in place (EBU Tech 3306): the room for its 64-bit sizes is there from the start, as a chunk JUNK.
"""

from __future__ import annotations

import os
import struct
from typing import Final

from spotter.arrays import Floats

_FLOAT: Final = 3  # WAVE_FORMAT_IEEE_FLOAT
_SAMPLE_BYTES: Final = 4
_RF64_FROM: Final = 0x7FFF_0000
_IN_DS64: Final = 0xFFFF_FFFF
HEADER_BYTES: Final = 92


class WavWriter:
    """Writes frames at the end of a file.

    Parameters
    ----------
    descriptor : int
        Of an empty file that is open for writing; it stays the caller's.
    sample_rate, channels : int
        Of what is written.

    Attributes
    ----------
    frames : int
        Written so far.
    """

    def __init__(self, descriptor: int, sample_rate: int, channels: int) -> None:
        self.sample_rate, self.channels = sample_rate, channels
        self.frames = 0
        self._file = descriptor
        self._frame_bytes = _SAMPLE_BYTES * channels
        self._bytes = 0
        self._write(header(0, sample_rate, channels), 0)

    def write(self, frames: Floats) -> None:
        """Write frames, shape (frames, channels); `OSError` where they cannot be, and then what fits is there."""
        data = memoryview(frames.astype("<f4", copy=False).tobytes())
        try:
            while data:
                done = self._write(data, HEADER_BYTES + self._bytes)
                self._bytes += done
                data = data[done:]
        finally:
            self.frames = self._bytes // self._frame_bytes

    def update(self) -> None:
        """Have the header say how much there is; `OSError` where it cannot be written."""
        self._write(header(self.frames, self.sample_rate, self.channels), 0)

    def _write(self, data: bytes | memoryview, at: int) -> int:
        os.lseek(self._file, at, os.SEEK_SET)
        return os.write(self._file, data)


def header(frames: int, sample_rate: int, channels: int) -> bytes:
    """Return the bytes before the samples: RIFF, or RF64 where they are too many for it."""
    frame_bytes = _SAMPLE_BYTES * channels
    size = frames * frame_bytes
    wide = size >= _RF64_FROM
    riff_size = HEADER_BYTES - 8 + size
    if wide:
        begin = struct.pack("<4sI4s4sIQQQI", b"RF64", _IN_DS64, b"WAVE", b"ds64", 28, riff_size, size, frames, 0)
    else:
        begin = struct.pack("<4sI4s4sI28x", b"RIFF", riff_size, b"WAVE", b"JUNK", 28)
    sound = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, _FLOAT, channels, sample_rate, sample_rate * frame_bytes, frame_bytes, 32
    )
    fact = struct.pack("<4sII", b"fact", 4, _IN_DS64 if wide else frames)
    return begin + sound + fact + struct.pack("<4sI", b"data", _IN_DS64 if wide else size)
