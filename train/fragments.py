"""Pieces of running speech cut at dips of the level: pseudo-words, to be laid down as words alone.

A network that has heard other words only inside sentences takes any of them for a keyword when it
stands alone; these teach it thousands that are none.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from train.bank import Bank

_SHORTEST, _LONGEST = 18, 90  # frames
_FAINTER_DB = 25.0  # pieces further below the loudest moment are breath


def cut(bank: Bank, recordings: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return pieces as rows (recording, first frame, last frame exclusive), shape (pieces, 3)."""
    pieces: list[tuple[int, int, int]] = []
    for item in recordings:
        start, length = int(bank.start[item]), int(bank.length[item])
        if length < _SHORTEST * 2:
            continue
        loud = 10 * np.log10(bank.frames[start : start + length, 2:].sum(axis=1) + 1e-9)
        smooth = np.convolve(loud, np.hanning(7) / np.hanning(7).sum(), mode="same")
        dips = np.flatnonzero((smooth[1:-1] <= smooth[:-2]) & (smooth[1:-1] < smooth[2:])) + 1
        around = [smooth[max(0, d - 25) : d + 26].max() for d in dips]
        dips = dips[np.asarray(around) - smooth[dips] > 12.0] if len(dips) else dips
        for at, first in enumerate(dips):
            pieces.extend(
                (int(item), int(first), int(last))
                for last in dips[at + 1 : at + 5]
                if _SHORTEST <= last - first <= _LONGEST and smooth[first:last].max() > smooth.max() - _FAINTER_DB
            )
    return np.asarray(pieces, np.intp).reshape(-1, 3)
