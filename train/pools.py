"""What sequences are made of: words to lay down, stretches of speech and of noise, one side of the split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.settings import UNKNOWN
from train.bank import Bank

Ints: TypeAlias = npt.NDArray[np.intp]

FULL_SCALE = 38_400.0  # power summed over bands of noise with RMS 1, for the default log-mel front-end
_FAINTEST = 1e-7  # mean square under which a clip holds no word that could be heard
_SHORTEST = 20  # frames


@dataclass(frozen=True, slots=True)
class Pools:
    """What sequences are made of; `frames` holds all banks end to end, the rest are items in it.

    start, length, word_start, word_end, label, level, quiet : one row per item, a word to lay down
    by_word : items of each word
    fragments : items cut out of running speech
    speech : first frames and lengths of stretches of running speech, shape (n, 2)
    noise : the same of noise and music
    hard : first frames of sequences that fooled a model, shape (n,)
    """

    frames: Floats
    start: Ints
    length: Ints
    word_start: Ints
    word_end: Ints
    label: Ints
    level: Floats
    quiet: Ints  # shape (items, QUIET)
    by_word: Mapping[str, Ints]
    fragments: Ints
    speech: Ints
    noise: Ints
    hard: Ints


def pools(
    frames: Floats,
    words: Sequence[tuple[Bank, Sequence[str], npt.NDArray[np.bool_]]],
    speech: tuple[Bank, npt.NDArray[np.bool_]],
    fragments: Ints,
    noise: tuple[Bank, npt.NDArray[np.bool_]],
    labels: tuple[str, ...],
) -> Pools:
    """List what the banks can give; the masks choose one side of the split.

    frames : those of all banks, words first, then speech, then noise
    words : banks of words with the word of each recording
    fragments : rows (recording of the speech bank, first frame, last frame exclusive)
    """
    unknown = labels.index(UNKNOWN)
    parts: list[_Items] = []
    by_word: dict[str, list[int]] = {}
    count = offset = 0
    for bank, names, chosen in words:
        keep = np.flatnonzero(chosen & (bank.level > FULL_SCALE * _FAINTEST) & (bank.length > _SHORTEST))
        kept = [names[i] for i in keep.tolist()]
        label = np.array([labels.index(word) if word in labels else unknown for word in kept], np.intp)
        parts.append(_items(bank, keep, offset, bank.word_start[keep], bank.word_end[keep], label, bank.level[keep]))
        for at, word in enumerate(kept):
            by_word.setdefault(word, []).append(count + at)
        count += len(keep)
        offset += len(bank.frames)
    bank = speech[0]
    pieces = fragments[speech[1][fragments[:, 0]]]
    item = pieces[:, 0]
    total = np.concatenate(([0.0], np.cumsum(bank.frames.sum(axis=1), dtype=np.float64)))
    first, last = bank.start[item] + pieces[:, 1], bank.start[item] + pieces[:, 2]
    level = ((total[last] - total[first]) / np.maximum(1, last - first)).astype(np.float32)
    label = np.full(len(pieces), unknown, np.intp)
    parts.append(_items(bank, item, offset, pieces[:, 1], pieces[:, 2], label, level))
    start, length, word_start, word_end, label, level, quiet = (np.concatenate(c) for c in zip(*parts, strict=True))
    return Pools(
        frames=frames,
        start=start,
        length=length,
        word_start=word_start,
        word_end=word_end,
        label=label,
        level=level,
        quiet=quiet,
        by_word={w: np.asarray(v, np.intp) for w, v in by_word.items()},
        fragments=np.arange(count, count + len(pieces), dtype=np.intp),
        speech=_stretches(speech[0], speech[1], offset),
        noise=_stretches(noise[0], noise[1], offset + len(bank.frames)),
        hard=np.empty(0, np.intp),  # nothing was mined yet
    )


_Items: TypeAlias = tuple[Ints, Ints, Ints, Ints, Ints, Floats, Ints]


def _items(bank: Bank, keep: Ints, offset: int, first: Ints, last: Ints, label: Ints, level: Floats) -> _Items:
    """Columns of `Pools`, in its order."""
    return bank.start[keep] + offset, bank.length[keep], first, last, label, level, bank.quiet[keep] + offset


def _stretches(bank: Bank, chosen: npt.NDArray[np.bool_], offset: int) -> Ints:
    """Runs of neighbouring recordings on one side of the split: first frame and length."""
    out: list[list[int]] = []
    for i in np.flatnonzero(chosen):
        start, length = int(bank.start[i]) + offset, int(bank.length[i])
        if out and out[-1][0] + out[-1][1] == start:
            out[-1][1] += length
        else:
            out.append([start, length])
    return np.asarray(out, np.intp).reshape(-1, 2)
