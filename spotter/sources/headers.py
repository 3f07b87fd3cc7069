"""How many frames the headers of AIFF, AU and W64 promise; soundfile reports only what the file holds.

Layouts: Apple, "Audio Interchange File Format" 1.3 (1989); Sun's .au; Sonic Foundry's (Sony's) Wave64.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, Final

# Writers that cannot seek back leave 0, or about the most that the field holds (sox 0x7F000000 bytes in AIFF).
_NO_PROMISE_32: Final = 0x7EFF_0000
_NO_PROMISE_64: Final = 1 << 62
_AU_BYTES: Final = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}  # of a sample, by encoding
_W64_GUID_REST: Final = bytes.fromhex("f3acd3118cd100c04f8edb8a")


def promised_frames(path: Path) -> int | None:
    """Return how many frames the header speaks of; None for other formats, and where it names no number."""
    with path.open("rb") as file:
        head = file.read(40)
        if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
            file.seek(12)
            return _aiff(file)
        if head[:4] == b".snd" and len(head) >= 24:
            return _au(head)
        if head[:4] == b"riff" and head[24:28] == b"wave":
            return _w64(file, path.stat().st_size)
    return None


def _aiff(file: BinaryIO) -> int | None:
    while len(head := file.read(8)) == 8:
        size = struct.unpack(">I", head[4:])[0]
        if head[:4] == b"COMM":
            channels, frames, bits = struct.unpack(">HIH", file.read(8).ljust(8, b"\0"))
            return frames if 0 < frames * channels * ((bits + 7) // 8) < _NO_PROMISE_32 else None
        file.seek(size + size % 2, 1)
    return None


def _au(head: bytes) -> int | None:
    size, encoding, _, channels = struct.unpack(">8x4I", head[:24])
    frame_bytes = _AU_BYTES.get(encoding, 0) * channels
    return size // frame_bytes if frame_bytes and 0 < size < _NO_PROMISE_32 else None


def _w64(file: BinaryIO, file_bytes: int) -> int | None:
    frame_bytes = 0
    while len(head := file.read(24)) == 24:
        kind, size = head[:4], struct.unpack("<Q", head[16:])[0] - 24
        if head[4:16] != _W64_GUID_REST or not 0 <= size < _NO_PROMISE_64:
            return None
        if kind == b"data":
            return size // frame_bytes if frame_bytes and size else None
        begin = file.tell()
        if kind == b"fmt ":
            tag, frame_bytes = struct.unpack("<H10xH", file.read(14).ljust(14, b"\0"))
            if tag not in (1, 3, 0xFFFE):  # compressed: a block is no frame
                return None
        if begin + size > file_bytes:  # the system may refuse to go there
            return None
        file.seek(begin + (size + 7) // 8 * 8)
    return None
