"""What a decoder would report of cached scores, counted for many settings and thresholds in one pass.

Thresholds differ by keyword and keywords do not block each other, so each keyword is played once, with every
setting and threshold side by side in arrays. Smoothing and gate are the listener's own: `Decoder` does them.
What is counted here is the same as `train.evaluate.judge` counts, setting by setting.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from spotter.decoder import Decoder
from spotter.settings import SAMPLE_RATE, UNKNOWN, DecoderConfig
from train.evaluate import Scored
from train.metrics import LATE_S, Word

_BLOCK_S = 60.0
_NEVER = -(2**60)
AXES = ("gate_dbfs", "smooth_ms", "noise_share", "margin", "rearm", "refractory_ms")  # of a grid

Ints: TypeAlias = npt.NDArray[np.intp]
Doubles: TypeAlias = npt.NDArray[np.float64]
Counts: TypeAlias = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Part:
    """A recording, what is said in it, and what the model says of it; those of one name are counted together."""

    name: str
    words: tuple[Word, ...]
    scored: Scored


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The decoder settings that are tried, each with each; all else stays as in `base`."""

    base: DecoderConfig
    gate_dbfs: tuple[float, ...]
    smooth_ms: tuple[float, ...]
    noise_share: tuple[float, ...]
    margin: tuple[float, ...]
    rearm: tuple[float, ...]
    refractory_ms: tuple[float, ...]

    def configs(self) -> tuple[DecoderConfig, ...]:
        """All of them, in the order of a tally's axis of settings."""
        return tuple(
            replace(self.base, **dict(zip(AXES, values, strict=True)))
            for values in itertools.product(*(getattr(self, name) for name in AXES))
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of what is reported, block by block: blocks of about a minute, so that halves can be compared.

    names : the name of each block's part. seconds : float64, shape (blocks,).
    said : int32, shape (blocks, keywords), words that could be found.
    found, false, twice : int32, shape (blocks, keywords, settings, thresholds); a word counts in the block of
    its end. thresholds : float64, shape (thresholds,), ascending.
    """

    names: tuple[str, ...]
    seconds: Doubles
    said: Counts
    found: Counts
    false: Counts
    twice: Counts
    keywords: tuple[str, ...]
    configs: tuple[DecoderConfig, ...]
    thresholds: Doubles

    def of(self, blocks: npt.NDArray[np.bool_]) -> Tally:
        """Only these blocks, shape (blocks,)."""
        names = tuple(n for n, kept in zip(self.names, blocks, strict=True) if kept)
        arrays = (self.said, self.found, self.false, self.twice)
        said, found, false, twice = (a[blocks] for a in arrays)
        return replace(
            self, names=names, seconds=self.seconds[blocks], said=said, found=found, false=false, twice=twice
        )

    def only(self, setting: int) -> Tally:
        """Only this setting."""
        found, false, twice = (a[:, :, [setting]] for a in (self.found, self.false, self.twice))
        return replace(self, found=found, false=false, twice=twice, configs=(self.configs[setting],))


def tally(
    parts: Sequence[Part],
    labels: Sequence[str],
    keywords: Sequence[str],
    grid: Grid,
    thresholds: Doubles,
    hop_samples: int,
) -> Tally:
    """Play every part with every setting of the grid and every threshold, shape (thresholds,), ascending."""
    blocks = [max(1, round(p.scored.seconds / _BLOCK_S)) for p in parts]
    first = np.concatenate(([0], np.cumsum(blocks)))
    axes = (len(grid.margin), len(grid.rearm), len(grid.refractory_ms), len(thresholds))
    outer = list(itertools.product(grid.gate_dbfs, grid.smooth_ms, grid.noise_share))
    shape = (int(first[-1]), len(keywords), len(outer), *axes)
    found, false, twice = (np.zeros(shape, np.int32) for _ in range(3))
    said = np.zeros((int(first[-1]), len(keywords)), np.int32)
    for number, part in enumerate(parts):
        for word in part.words:
            if word.word in keywords:
                said[first[number] + _block(word.end, part, blocks[number]), keywords.index(word.word)] += 1
        contrasts = (part.scored.levels - part.scored.floors).astype(np.float64).tolist()
        for at, (gate, smooth, noise_share) in enumerate(outer):
            config = replace(grid.base, gate_dbfs=gate, smooth_ms=smooth, noise_share=noise_share)
            smoothed = smoothed_scores(part.scored, labels, keywords, config, hop_samples)
            # In noise a share of the threshold suffices: the score over that share is compared with all of it.
            share = np.array([config.share_in_noise(c) for c in contrasts])
            for k, keyword in enumerate(keywords):
                counts = [a[first[number] : first[number + 1], k, at] for a in (found, false, twice)]
                score, lead = _leads(smoothed, labels, keywords, keyword)
                _play(part, keyword, score / share, lead, grid, thresholds, counts)
    whole = (int(first[-1]), len(keywords), len(grid.configs()), len(thresholds))
    names = tuple(p.name for p, n in zip(parts, blocks, strict=True) for _ in range(n))
    seconds = np.repeat([p.scored.seconds / n for p, n in zip(parts, blocks, strict=True)], blocks)
    flat = [a.reshape(whole) for a in (found, false, twice)]
    return Tally(names, seconds, said, flat[0], flat[1], flat[2], tuple(keywords), grid.configs(), thresholds)


def smoothed_scores(
    scored: Scored, labels: Sequence[str], keywords: Sequence[str], config: DecoderConfig, hop_samples: int
) -> Doubles:
    """What the decoder compares with its thresholds, float64, shape (windows, labels)."""
    decoder = Decoder(labels, keywords, config, hop_samples)
    out = np.empty(scored.scores.shape, np.float64)
    for at, (end, level) in enumerate(zip(scored.ends.tolist(), scored.levels.tolist(), strict=True)):
        decoder.step(scored.scores[at], end, level)
        out[at] = decoder.smoothed
    return out


def _leads(smoothed: Doubles, labels: Sequence[str], keywords: Sequence[str], keyword: str) -> tuple[Doubles, Doubles]:
    """A keyword's smoothed scores, and how far they are ahead of all that it has to be ahead of."""
    score = smoothed[:, labels.index(keyword)]
    rivals = [i for i, label in enumerate(labels) if label != keyword and (label in keywords or label == UNKNOWN)]
    return score, score - smoothed[:, rivals].max(axis=1) if rivals else np.full(len(score), np.inf)


def _block(seconds: float, part: Part, blocks: int) -> int:
    return min(blocks - 1, max(0, int(seconds / part.scored.seconds * blocks)))


def _play(
    part: Part,
    keyword: str,
    score: Doubles,
    lead: Doubles,
    grid: Grid,
    thresholds: Doubles,
    counts: Sequence[Counts],
) -> None:
    """Play one keyword; add to `counts` (found, false, twice), each (blocks, margins, rearms, refractories, …)."""
    found, false, twice = counts
    blocks = len(found)
    own = sorted((w for w in part.words if w.word == keyword), key=lambda w: w.start)
    starts, ends = np.array([w.start for w in own]), np.array([w.end for w in own])
    shape = found.shape[1:]
    taken = np.zeros((len(own), *shape), np.bool_)
    rearm = np.array([[r * t for t in thresholds.tolist()] for r in grid.rearm])[:, None, :]
    margin = np.array(grid.margin)[:, None, None, None]
    wait = np.array([round(ms * SAMPLE_RATE / 1_000) for ms in grid.refractory_ms])[:, None]
    armed, last = np.ones(shape, np.bool_), np.full(shape, _NEVER)
    least, nearest, before = thresholds[0], min(grid.margin), -1
    for at in np.flatnonzero(score >= rearm.min()).tolist():
        if at != before + 1:
            armed[:] = True  # it was below everything in between
        before = at
        armed |= score[at] < rearm
        if score[at] < least or lead[at] < nearest:
            continue
        end = int(part.scored.ends[at])
        fires = armed & (thresholds <= score[at]) & (margin <= lead[at]) & (end - last >= wait)
        if not fires.any():
            continue
        armed &= ~fires
        last[fires] = end
        time = end / SAMPLE_RATE
        here = np.flatnonzero((starts < time) & (time <= ends + LATE_S)).tolist()
        for word in here:
            new = fires & ~taken[word]
            taken[word] |= new
            fires &= ~new
            found[_block(ends[word], part, blocks)] += new
        (twice if here else false)[_block(time, part, blocks)] += fires
