"""One own word from its material: head, threshold, and what both are worth, judged by what a head did not see.

Everything is fitted `FOLDS` times with a part of the recordings (by session) and a part of the bank (by
speaker) left out, then once with all; the parts left out set the threshold and tell recall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.settings import SAMPLE_RATE
from train.own.bank import FOLDS, KINDS, Bank, Packed
from train.own.calibrate import Heard, Tail
from train.own.head import HeadFit, fit_line, place_scores
from train.own.material import Material
from train.own.windows import Line, peaks, some

_APART_S: Final = 1.0  # two false accepts within that are one
_MOST_SUSPECTED: Final = 6
_SUSPECTED_ABOVE: Final = 0.25  # so many of the word's own recordings score lower
_FEWEST_SESSIONS: Final = 3  # that can be left out in turn
_BEFORE_END_S: Final = 0.2  # the last window of a block that nothing is heard in, for an utterance of no length
_LONGER: Final = 1.05  # than its recording, that a copy may be
_PLACES_OF_PARTS: Final = slice(1, None, 2)  # windows of a block that are negatives


@dataclass(frozen=True, slots=True, kw_only=True)
class WordFit:
    """How a word is fitted.

    spliced_share : of the copies, in front of which other speech is put
    part_weight : of a window that holds a part of the utterance, where one of the bank counts 1
    """

    head: HeadFit = field(default_factory=HeadFit)
    spliced_share: float = 0.5
    part_weight: float = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Scores of what was left out: false accepts, recordings as they are and in noise; and how they were left out.

    suspected : segments of the bank in which somebody may say the word, which were not counted
    """

    tail: Tail
    quiet: Heard
    noisy: Heard
    left_out: str  # "session" or "recording"
    suspected: npt.NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))  # see `without_the_word`


def cross_fit(
    material: Material, others: Floats, bank: Bank, settings: WordFit, rng: np.random.Generator, *, share: float = 1.0
) -> Judged:
    """Fit with parts left out and judge by these.

    others : float32, shape (n, embeddings, size), blocks of the other own words
    share : of the recordings that are fitted to, which is used
    """
    clips = len(material.copies)
    parts, left_out = folds(material.sessions, rng)
    quiet, noisy = np.full(clips, np.nan, np.float32), np.full(clips, np.nan, np.float32)
    tops: list[Floats] = []
    places: list[npt.NDArray[np.intp]] = []
    for fold in range(FOLDS):
        mine = np.flatnonzero(parts != fold)
        if share < 1.0:
            mine = rng.permutation(mine)[: max(2, round(share * len(mine)))]
        line = fit(material, mine, others, bank, bank.fold != fold, settings, rng)
        held = np.flatnonzero(parts == fold)
        if held.size:
            quiet[held] = place_scores(material.copies[held, 0], line).max(axis=1)
            noisy[held] = place_scores(material.noisy[held], line).max(axis=1)
        scores, segments = _tops(line, bank, bank.fold == fold)
        tops.append(scores)
        places.append(segments)
    found, where = np.concatenate(tops), np.concatenate(places)
    order = np.argsort(-found, kind="stable")
    counted, suspected = without_the_word(found[order], quiet)
    tail = Tail(counted, bank.hours("speech", "noise", "music"))
    return Judged(tail, Heard(quiet), Heard(noisy), left_out, where[order[:suspected]])


def without_the_word(tops: Floats, heard: Floats) -> tuple[Floats, int]:
    """Leave out the peaks that are as high as the word's own recordings: somebody may have said it there.

    Hours of speech by strangers hold everyday words, and nobody has marked them. More than `_MOST_SUSPECTED` are not
    left out: that is a word that sounds like much else. `fit` can do without their segments.

    Parameters
    ----------
    tops : scores of background, highest first
    heard : scores of recordings that were left out of the fit
    """
    suspected = int((tops > np.quantile(heard, _SUSPECTED_ABOVE)).sum())
    suspected = suspected if suspected <= _MOST_SUSPECTED else 0
    return tops[suspected:], suspected


def fit(
    material: Material,
    clips: npt.NDArray[np.intp],
    others: Floats,
    bank: Bank,
    segments: npt.NDArray[np.bool_],
    settings: WordFit,
    rng: np.random.Generator,
) -> Line:
    """Fit to some of the recordings, and some segments of the bank."""
    blocks = material.copies[clips]
    per_clip = blocks.shape[1]
    flat = blocks.reshape(-1, *blocks.shape[2:])
    if bank.packed is not None:
        flat = bank.packed.kept(flat)
    seconds = np.repeat(material.seconds[clips], per_clip)
    flat = spliced(flat, seconds, material.window, bank, segments, settings.spliced_share, rng)
    parts_of = material.parts.reshape(len(material.copies), -1, *material.parts.shape[1:])[clips]
    parts_of = parts_of.reshape(-1, *material.parts.shape[1:])
    negatives = np.concatenate((parts_of, others))
    if bank.packed is not None:
        negatives = bank.packed.kept(negatives)
    places = range(*_PLACES_OF_PARTS.indices(negatives.shape[1] - material.window + 1))
    windows = np.concatenate([negatives[:, p : p + material.window].reshape(len(negatives), -1) for p in places])
    weight = np.where(np.arange(len(negatives)) < len(parts_of), np.float32(settings.part_weight), np.float32(1))
    background = some(bank.embeddings, bank.length, segments)
    line = fit_line(flat, material.window, background, windows, np.tile(weight, len(places)), settings.head, rng)
    return line if bank.packed is None else blind(line, bank.packed)


def blind(line: Line, packed: Packed) -> Line:
    """Return a line with the same scores of a packed bank that does not see what is not kept there."""
    kept = packed.kept_weights(line.weights)
    return Line(kept, line.bias + float(((line.weights - kept) @ packed.center).sum()))


def spliced(
    blocks: Floats,
    seconds: Floats,
    window: int,
    bank: Bank,
    segments: npt.NDArray[np.bool_],
    share: float,
    rng: np.random.Generator,
) -> Floats:
    """Put other speech before the utterance in a share of the blocks, so that silence before it tells nothing.

    Embeddings of the bank take the place of those that hear nothing of the utterance yet.
    """
    speech = some(bank.embeddings, bank.length, segments & (bank.kind == KINDS.index("speech")))
    out = blocks.copy()
    for at in np.flatnonzero(rng.random(len(blocks)) < share).tolist():
        free = int(np.floor((_BEFORE_END_S - seconds[at] * _LONGER) * SAMPLE_RATE / bank.step)) + window
        ends = np.flatnonzero(speech.place >= free) if free > 0 else np.empty(0, np.intp)
        if ends.size:
            end = int(rng.choice(ends))
            out[at, :free] = speech.embeddings[end - free : end]
    return out


def folds(sessions: Sequence[str], rng: np.random.Generator) -> tuple[npt.NDArray[np.intp], str]:
    """Which fold each recording is left out with: whole sessions where there are enough, else single recordings."""
    names = sorted(set(sessions))
    if len(names) >= _FEWEST_SESSIONS:
        counts = np.zeros(FOLDS)
        of: dict[str, int] = {}
        for name in sorted(rng.permutation(names).tolist(), key=lambda n: -sessions.count(n)):
            of[name] = int(counts.argmin())
            counts[of[name]] += sessions.count(name)
        return np.array([of[s] for s in sessions], np.intp), "session"
    return rng.permutation(np.arange(len(sessions)) % FOLDS), "recording"


def _tops(line: Line, bank: Bank, segments: npt.NDArray[np.bool_]) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Peak scores over what is heard for hours, not over single words one after another; and in which segments."""
    wanted = np.flatnonzero(segments & (bank.kind != KINDS.index("words")))
    if not wanted.size:
        return np.empty(0, np.float32), np.empty(0, np.intp)
    scores = line.scores(some(bank.embeddings, bank.length, np.isin(np.arange(len(bank.length)), wanted)))
    at = peaks(scores, round(_APART_S * SAMPLE_RATE / bank.step), 300)
    return scores[at], np.repeat(wanted, bank.length[wanted])[at]
