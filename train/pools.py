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
    whole : a recording of its own, laid down with its surroundings; not a piece of speech
    by_word : items of each word, recorded or cut out of sentences that hold keywords
    said : the same by synthetic voices
    aligned : other words cut out of sentences by alignment, by word
    fragments : items cut out of running speech at its dips
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
    whole: npt.NDArray[np.bool_]
    by_word: Mapping[str, Ints]
    said: Mapping[str, Ints]
    aligned: Mapping[str, Ints]
    fragments: Ints
    speech: Ints
    noise: Ints
    hard: Ints


@dataclass(frozen=True, slots=True)
class Pieces:
    """Parts of a bank's recordings that are items too.

    rows : intp, shape (n, 3): recording, first frame, last frame (exclusive)
    words : the word of each; "" for a piece that nobody knows the word of
    """

    bank: Bank
    rows: Ints
    words: Sequence[str]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Words recorded on their own: one word for each of the bank's recordings, and which are on this side."""

    bank: Bank
    words: Sequence[str]
    chosen: npt.NDArray[np.bool_]
    synthetic: bool = False


def pools(
    frames: Floats,
    offsets: Mapping[int, int],
    recorded: Sequence[Recorded],
    pieces: Sequence[Pieces],
    speech: tuple[Bank, npt.NDArray[np.bool_]],
    noise: tuple[Bank, npt.NDArray[np.bool_]],
    labels: tuple[str, ...],
) -> Pools:
    """List what the banks can give; the masks choose one side of the split.

    offsets : where each bank, by its `id`, begins in `frames`
    """
    unknown = labels.index(UNKNOWN)
    parts: list[_Items] = []
    places: dict[str, dict[str, list[int]]] = {"recorded": {}, "said": {}, "aligned": {}, "fragments": {"": []}}
    count = 0

    def add(bank: Bank, item: Ints, first: Ints, last: Ints, level: Floats, words: Sequence[str], kind: str) -> None:
        nonlocal count
        label = np.array([labels.index(w) if w in labels else unknown for w in words], np.intp)
        whole = np.full(len(item), kind in ("recorded", "said"))
        at = offsets[id(bank)]
        parts.append(
            (bank.start[item] + at, bank.length[item], first, last, label, level, bank.quiet[item] + at, whole)
        )
        for number, word in enumerate(words):
            into = kind if kind != "aligned" or word not in labels else "recorded"
            places[into].setdefault(word, []).append(count + number)
        count += len(item)

    for r in recorded:
        bank = r.bank
        keep = np.flatnonzero(r.chosen & (bank.level > FULL_SCALE * _FAINTEST) & (bank.length > _SHORTEST))
        kind = "said" if r.synthetic else "recorded"
        words = [r.words[i] for i in keep.tolist()]
        add(bank, keep, bank.word_start[keep], bank.word_end[keep], bank.level[keep], words, kind)
    for p in pieces:
        level = levels(p.bank, p.rows)
        keep = np.flatnonzero((level > FULL_SCALE * _FAINTEST) & (p.bank.length[p.rows[:, 0]] > _SHORTEST))
        kept: list[int] = keep.tolist()
        for kind, mine in (
            ("fragments", [i for i in kept if not p.words[i]]),
            ("aligned", [i for i in kept if p.words[i]]),
        ):
            rows = p.rows[mine]
            add(p.bank, rows[:, 0], rows[:, 1], rows[:, 2], level[mine], [p.words[i] for i in mine], kind)
    start, length, word_start, word_end, label, level, quiet, whole = (
        np.concatenate(c) for c in zip(*parts, strict=True)
    )
    items = {kind: {w: np.asarray(v, np.intp) for w, v in found.items()} for kind, found in places.items()}
    return Pools(
        frames=frames,
        start=start,
        length=length,
        word_start=word_start,
        word_end=word_end,
        label=label,
        level=level,
        quiet=quiet,
        whole=whole,
        by_word=items["recorded"],
        said=items["said"],
        aligned=items["aligned"],
        fragments=items["fragments"][""],
        speech=_stretches(speech[0], speech[1], offsets[id(speech[0])]),
        noise=_stretches(noise[0], noise[1], offsets[id(noise[0])]),
        hard=np.empty(0, np.intp),  # nothing was mined yet
    )


_Items: TypeAlias = tuple[Ints, Ints, Ints, Ints, Ints, Floats, Ints, npt.NDArray[np.bool_]]


def levels(bank: Bank, rows: Ints) -> Floats:
    """Mean over each piece of the power summed over bands, shape (n,)."""
    total = np.concatenate(([0.0], np.cumsum(bank.frames.sum(axis=1), dtype=np.float64)))
    first, last = bank.start[rows[:, 0]] + rows[:, 1], bank.start[rows[:, 0]] + rows[:, 2]
    return np.asarray((total[last] - total[first]) / np.maximum(1, last - first), np.float32)


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
