"""The aligner behind a seam: pocketsphinx (Huggins-Daines et al. 2006; BSD), or a test's stand-in.

Its wheel carries an acoustic model and a dictionary of English. A decoder is not shared by processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from spotter.settings import SAMPLE_RATE

Samples = npt.NDArray[np.int16]


class Aligner(Protocol):
    """What finds the words: pocketsphinx, or a test's stand-in."""

    def knows(self, word: str) -> bool:
        """Whether the dictionary has `word`."""

    def segments(self, words: Sequence[str], samples: Samples) -> list[tuple[str, int, int]] | None:
        """(word, first frame, last frame), pauses among them; None where words and sound do not fit."""


class Sphinx:
    """pocketsphinx with the English model of its wheel; loads in a second."""

    def __init__(self) -> None:
        import pocketsphinx

        self._decoder: Any = pocketsphinx.Decoder(samprate=SAMPLE_RATE, loglevel="FATAL", lm=None)

    def knows(self, word: str) -> bool:
        """Whether the dictionary has `word`."""
        return self._decoder.lookup_word(word) is not None

    def segments(self, words: Sequence[str], samples: Samples) -> list[tuple[str, int, int]] | None:
        """(word, first frame, last frame), pauses among them; None where words and sound do not fit."""
        self._decoder.set_align_text(" ".join(words))
        self._decoder.reinit_feat()  # forgets the noise of the recording before
        self._decoder.start_utt()
        self._decoder.process_raw(samples.tobytes(), full_utt=True)
        try:
            self._decoder.end_utt()
        except RuntimeError:
            return None
        found = self._decoder.seg()
        return None if found is None else [(s.word, s.start_frame, s.end_frame) for s in found]
