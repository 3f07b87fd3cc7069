"""Samples in hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.sources import check_format


class Samples:
    """A recording that is in memory already.

    Parameters
    ----------
    samples : float32, shape (frames,) or (frames, channels); or int16, which is divided by 32768
        Full scale is -1..1.
    sample_rate : int
        Hz.
    block_samples : int, optional
        Frames in a block; left out: about a second.
    """

    padded: Final = True

    def __init__(
        self,
        samples: npt.ArrayLike,
        sample_rate: int = 16_000,
        *,
        block_samples: int | None = None,
        name: str = "samples",
    ) -> None:
        self.name = name
        self._samples = as_frames(samples)
        self.channels = self._samples.shape[1]
        self.sample_rate = check_format(sample_rate, self.channels)
        self._block = block_samples or self.sample_rate

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return len(self._samples)

    def blocks(self) -> Iterator[Floats]:
        """Yield the samples in order, shape (frames, channels)."""
        for at in range(0, len(self._samples), self._block):
            yield self._samples[at : at + self._block]


def as_frames(samples: npt.ArrayLike) -> Floats:
    """Return samples as float32 of shape (frames, channels); an int16 x becomes x / 32768."""
    array = np.asarray(samples)
    if array.dtype == np.int16:
        array = array.astype(np.float32) / np.float32(32_768)
    elif array.dtype.kind != "f":
        raise BadInputError(f"samples of type {array.dtype} have no agreed full scale; give float32 in -1..1 or int16")
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] < 1:
        raise BadInputError(f"samples of shape {array.shape} are no recording; give (frames,) or (frames, channels)")
    return array.astype(np.float32, copy=False)
