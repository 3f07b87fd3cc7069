"""Raw 16-bit little-endian mono samples from a stream, such as standard input."""

from __future__ import annotations

import logging
import select
import sys
from collections.abc import Iterator
from typing import BinaryIO, Final

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.settings import SAMPLE_RATE
from spotter.sources import check_format

_log = logging.getLogger(__name__)

_LEAST_BYTES: Final = 8_192  # a Python buffer holds as much: one read must be able to empty it
_HEARTBEAT_S: Final = 0.2


class PcmStream:
    """Samples as they arrive: a block is what one read gives, so nothing waits for a full buffer.

    Parameters
    ----------
    stream : binary file
        Such as `sys.stdin.buffer`.
    sample_rate : int
        Hz of what it carries.
    """

    channels: Final = 1
    padded: Final = False  # what comes through a pipe may be a microphone

    def __init__(self, stream: BinaryIO, sample_rate: int = SAMPLE_RATE, *, name: str = "standard input") -> None:
        self.name = name
        self.sample_rate = check_format(sample_rate, self.channels)
        self._stream = stream

    def blocks(self) -> Iterator[Floats]:
        """Yield samples, shape (samples, 1); an empty block while nothing comes.

        Raises
        ------
        BadInputError
            The stream ended without a single sample.
        """
        most = max(_LEAST_BYTES, 2 * self.sample_rate)  # a second
        read = getattr(self._stream, "read1", self._stream.read)
        odd = b""
        samples = 0
        while True:
            data = read(most) if self._ready() else None
            if data is None:
                yield np.empty((0, 1), np.float32)
                continue
            if not data:
                break
            data = odd + data
            whole = len(data) // 2
            odd = data[2 * whole :]
            samples += whole
            block = np.frombuffer(data, "<i2", whole).astype(np.float32)
            block /= np.float32(32_768)
            yield block[:, None]
        if not samples:
            raise BadInputError(f"{self.name} gave no samples; pipe raw 16-bit little-endian mono PCM into it")
        if odd:
            _log.warning(
                "%s ended in the middle of a sample; the %.2f s before it were used",
                self.name,
                samples / self.sample_rate,
            )

    def _ready(self) -> bool:
        """Whether a read would come back at once; where nobody can tell, it may wait."""
        if sys.platform == "win32":
            return True
        try:
            return bool(select.select([self._stream], [], [], _HEARTBEAT_S)[0])
        except (OSError, ValueError, TypeError):  # not a real file
            return True
