"""What a WAV header promises; soundfile reports only what the file holds.

Layout: Microsoft/IBM "Multimedia Programming Interface and Data Specifications" (RIFF), and EBU Tech 3306 (RF64).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal

# Writers that cannot seek back leave 0, or about the most that the field holds
# (sox 0x7FFFF000, arecord 0x7FFFFFFF or 0x80000000, ffmpeg 0xFFFFFFFF).
_NO_PROMISE_32: Final = 0x7FFF_0000
_NO_PROMISE_64: Final = 1 << 62
_IN_DS64: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class WavHeader:
    """Where the samples lie, and how many bytes of them the header speaks of."""

    data_at: int  # byte of the first sample
    size_at: int  # byte of the field that holds the size
    size_bytes: int  # width of that field: 4 or 8
    byte_order: Literal["little", "big"]
    promised: int | None  # bytes of samples; None where a streaming writer left no number
    present: int  # bytes from `data_at` to the end of the file
    bytes_per_second: int
    frame_bytes: int

    @property
    def missing_s(self) -> float:
        """Seconds that are promised and not there."""
        if self.promised is None or self.bytes_per_second <= 0:
            return 0.0
        missing = self.promised - self.present
        return missing / self.bytes_per_second if missing >= max(1, self.frame_bytes) else 0.0


def read_wav_header(path: Path) -> WavHeader | None:
    """Walk the chunks up to the samples; None where this is no WAV file or has none."""
    with path.open("rb") as file:
        file_bytes = path.stat().st_size
        head = file.read(12)
        if len(head) < 12 or head[:4] not in (b"RIFF", b"RIFX", b"RF64", b"BW64") or head[8:] != b"WAVE":
            return None
        return _walk(file, ">" if head[:4] == b"RIFX" else "<", file_bytes)


def _walk(file: BinaryIO, order: str, file_bytes: int) -> WavHeader | None:
    rate = block = 0
    ds64: tuple[int, int] | None = None  # where the 64-bit size of the samples stands, and that size
    while len(head := file.read(8)) == 8:
        kind, size = head[:4], struct.unpack(order + "I", head[4:])[0]
        at = file.tell()
        if kind == b"fmt ":
            rate, block = struct.unpack(order + "8xIH", file.read(14).ljust(14, b"\0"))
        elif kind == b"ds64":
            ds64 = (at + 8, struct.unpack(order + "Q", file.read(16).ljust(16, b"\0")[8:])[0])
        elif kind == b"data":
            wide = ds64 is not None and size == _IN_DS64
            size_at, promised = ds64 if wide and ds64 else (at - 4, size)
            vague = promised == 0 or promised >= (_NO_PROMISE_64 if wide else _NO_PROMISE_32)
            return WavHeader(
                data_at=at,
                size_at=size_at,
                size_bytes=8 if wide else 4,
                byte_order="little" if order == "<" else "big",
                promised=None if vague else promised,
                present=max(0, file_bytes - at),
                bytes_per_second=rate,
                frame_bytes=block,
            )
        file.seek(at + size + size % 2)
    return None
