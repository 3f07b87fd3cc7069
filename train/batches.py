"""Banks and augmentation to training sequences: log-mel frames, and what may be said at each step.

A sequence is longer than the network's context, so that a training step judges every window of a
second, not one. Each judgement has a set of labels that may be given: just the keyword while the
word has just ended; keyword, unknown or silence around that (nobody can say exactly when); unknown
or silence elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.settings import SILENCE, UNKNOWN
from train.augment import colour, masks
from train.augment.level import draw_levels
from train.augment.mixup import blend, draw_mixup
from train.augment.noise import draw_notes, draw_synthetic
from train.augment.shift import draw_ends
from train.bank import QUIET
from train.codes import Codes
from train.pools import FULL_SCALE, Ints, Pools
from train.recipe import Mixing

_KEYWORD, _OTHER, _FRAGMENT, _SPEECH, _NOISE, _HARD = range(6)  # kinds of sequences


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences and judgements: frames (n, frames, bins) float32, codes (n, outputs) intp."""

    frames: Floats
    codes: Ints


class Mixer:
    """Draws and mixes batches; one generator of random numbers, so that a seed gives the same batches."""

    def __init__(
        self, pools: Pools, labels: tuple[str, ...], mixing: Mixing, *, context: int, stride: int, outputs: int
    ) -> None:
        self.pools, self.labels, self.mixing = pools, labels, mixing
        self.codes = Codes(labels)
        self.outputs = outputs
        self.length = context + stride * (outputs - 1)
        self._ends = context - 1 + stride * np.arange(outputs)  # last frame of each output's window
        bins = pools.frames.shape[1]
        self._warps = colour.warps(bins, np.linspace(0.88, 1.14, 14).astype(np.float32))
        keywords = [w for w in labels if w not in (UNKNOWN, SILENCE)]
        self._keywords = [pools.by_word[w] for w in keywords if w in pools.by_word]
        self._said_keywords = [pools.said[w] for w in keywords if w in pools.said]
        weights = mixing.other_weights
        self._others = _Others({w: i for w, i in pools.by_word.items() if w not in labels}, weights)
        self._said_others = _Others({w: i for w, i in pools.said.items() if w not in labels}, weights)
        self._aligned = _Others(pools.aligned, weights)
        has = {
            _KEYWORD: bool(self._keywords),
            _OTHER: bool(self._others),
            _FRAGMENT: bool(len(pools.fragments) or self._aligned),
            _SPEECH: len(pools.speech) > 0,
            _NOISE: True,  # synthetic where there are no recordings
            _HARD: len(pools.hard) > 0,
        }
        wanted = (mixing.keywords, mixing.others, mixing.fragments, mixing.speech, mixing.noise, mixing.hard)
        self._shares = _normal([w * has[kind] for kind, w in enumerate(wanted)])
        self._second_shares = _normal([w * has[kind] for kind, w in enumerate((0.4, 0.4, 0.2))])
        # Synthetic noise, recorded noise, other voices.
        recorded = (1.0 - mixing.voices) * 0.6 * (len(pools.noise) > 0)
        self._noise_shares = _normal([(1.0 - mixing.voices) * 0.4, recorded, mixing.voices * has[_SPEECH]])

    def draw(self, rng: np.random.Generator, n: int) -> Batch:
        """Return a batch of `n` sequences in the recipe's shares."""
        kinds = rng.choice(6, n, p=self._shares)
        kinds.sort()
        power = np.empty((n, self.length, self.pools.frames.shape[1]), np.float32)
        codes = np.full((n, self.outputs), self.codes.nothing, np.intp)
        words = int(np.sum(kinds <= _FRAGMENT))
        if words:
            self._words(rng, kinds[:words], power[:words], codes[:words])
        at = words
        for kind in (_SPEECH, _NOISE, _HARD):
            count = int(np.sum(kinds == kind))
            if count:
                self._running(rng, kind, power[at : at + count], codes[at : at + count])
            at += count
        mixing = self.mixing
        if mixing.mixup:
            blend(power, codes, draw_mixup(rng, n, share=mixing.mixup))
        power *= colour.draw_gains(
            rng,
            n,
            power.shape[2],
            tilt_db=mixing.tilt_db,
            ripple_db=mixing.ripple_db,
            band_limit=mixing.band_limit,
        )
        warped = rng.random(n) < mixing.warp
        for row in np.flatnonzero(warped):
            power[row] = power[row] @ self._warps[rng.integers(len(self._warps))]
        frames = np.log(power + np.float32(1e-6))
        masks.mask(rng, frames, share=mixing.mask, value=float(np.log(1e-6)) / 2)
        order = rng.permutation(n)
        return Batch(frames[order], codes[order])

    # -- words said on their own -------------------------------------------------------------

    def _words(self, rng: np.random.Generator, kinds: Ints, power: Floats, codes: Ints) -> None:
        n, pools = len(kinds), self.pools
        main = np.array([self._item(rng, k) for k in kinds], np.intp)
        rate = np.where(rng.random(n) < self.mixing.stretch, rng.uniform(0.82, 1.2, n), 1.0)
        end = draw_ends(rng, n, self._ends[0] - 40, self._ends[-1] - 10, share=self.mixing.shift)
        t = np.arange(self.length)
        floor = pools.frames[pools.quiet[main][np.arange(n)[:, None], rng.integers(0, QUIET, (n, self.length))]]
        self._lay(power, floor, main, end, rate, whole=pools.whole[main])
        self._judge(codes, main, end, kinds)
        # A digital silence around the recording, as in files that are padded with zeros.
        bare = np.flatnonzero(rng.random(n) < self.mixing.bare)
        for row in bare:
            a = end[row] - (pools.word_end[main[row]] - 1) / rate[row]
            power[row, (t < a) | (t > a + pools.length[main[row]] / rate[row])] = 0.0
        loudness = draw_levels(rng, pools.level[main] / FULL_SCALE, share=self.mixing.level) * FULL_SCALE
        power *= (loudness / (pools.level[main] + 1e-9)).astype(np.float32)[:, None, None]
        second = np.flatnonzero(rng.random(n) < self.mixing.second)
        if len(second):
            self._second(rng, second, main, end, rate, loudness, power, codes)
        self._noise(rng, loudness, power, low=self.mixing.snr_low_db, quiet_share=self.mixing.clean)

    def _second(
        self,
        rng: np.random.Generator,
        rows: Ints,
        main: Ints,
        end: Ints,
        rate: npt.NDArray[np.float64],
        loudness: npt.NDArray[np.float64],
        power: Floats,
        codes: Ints,
    ) -> None:
        """Another word before or after the first, with a pause of 0.2 to 0.9 s between."""
        pools = self.pools
        kind = rng.choice(3, len(rows), p=self._second_shares)
        item = np.array([self._item(rng, k) for k in kind], np.intp)
        ones = np.ones(len(rows))
        gap = rng.integers(20, 90, len(rows))
        length = pools.word_end[item] - pools.word_start[item]
        main_length = (pools.word_end[main[rows]] - pools.word_start[main[rows]]) / rate[rows]
        before = rng.random(len(rows)) < 0.5
        where = np.where(before, end[rows] - main_length - gap, end[rows] + gap + length).astype(np.intp)
        extra = np.zeros((len(rows), *power.shape[1:]), np.float32)
        self._lay(extra, None, item, where, ones, whole=np.zeros(len(rows), bool))
        db = rng.uniform(-6.0, 6.0, len(rows))
        extra *= (loudness[rows] * 10 ** (db / 10) / (pools.level[item] + 1e-9)).astype(np.float32)[:, None, None]
        power[rows] += extra
        own = np.full((len(rows), self.outputs), self.codes.nothing, np.intp)
        self._judge(own, item, where, kind)
        old = codes[rows]
        codes[rows] = np.where(old == self.codes.nothing, own, old)

    def _item(self, rng: np.random.Generator, kind: int) -> int:
        mixing = self.mixing
        if kind == _KEYWORD:
            by_voices = bool(self._said_keywords and mixing.said_keywords) and rng.random() < mixing.said_keywords
            words = self._said_keywords if by_voices else self._keywords
            pool = words[rng.integers(len(words))]
        elif kind == _OTHER:
            by_voices = bool(self._said_others and mixing.said_others) and rng.random() < mixing.said_others
            pool = (self._said_others if by_voices else self._others).draw(rng)
        elif self._aligned and (not len(self.pools.fragments) or rng.random() < mixing.aligned):
            pool = self._aligned.draw(rng)
        else:
            pool = self.pools.fragments
        return int(pool[rng.integers(len(pool))])

    def _lay(
        self,
        power: Floats,
        floor: Floats | None,
        item: Ints,
        end: Ints,
        rate: npt.NDArray[np.float64],
        *,
        whole: npt.NDArray[np.bool_],
    ) -> None:
        """Write recordings so that the word's last frame lies at `end`; elsewhere the floor.

        whole: the recording's own surroundings too, not only the word.
        """
        pools = self.pools
        t = np.arange(self.length)
        position = (t[None, :] - end[:, None]) * rate[:, None] + (pools.word_end[item] - 1)[:, None]
        low = np.where(whole, 0, np.maximum(0, pools.word_start[item] - 4))
        high = np.where(whole, pools.length[item] - 1, np.minimum(pools.length[item] - 1, pools.word_end[item] + 4))
        inside = (position >= low[:, None]) & (position <= high[:, None])
        row, column = np.nonzero(inside)
        at = position[row, column]
        index = np.minimum(at.astype(np.intp), pools.length[item][row] - 2)
        share = (at - index).astype(np.float32)[:, None]
        base = pools.start[item][row] + index
        if floor is not None:
            power[:] = floor
        power[row, column] = pools.frames[base] * (1 - share) + pools.frames[base + 1] * share

    def _judge(self, codes: Ints, item: Ints, end: Ints, kinds: Ints) -> None:
        """Which labels each output may give, from how long ago the word ended."""
        delay = self._ends[None, :] - end[:, None]
        label = self.pools.label[item][:, None]
        keyword = (kinds == _KEYWORD)[:, None]
        early, late, gone = self.mixing.early, self.mixing.late, self.mixing.gone
        fits = (delay >= early) & (delay <= late)
        near = (delay >= early - 18) & (delay <= gone) & ~fits
        codes[:] = np.where(fits, label, np.where(near & keyword, self.codes.near + label, self.codes.nothing))

    # -- running speech, noise ---------------------------------------------------------------

    def _running(self, rng: np.random.Generator, kind: int, power: Floats, codes: Ints) -> None:
        n = len(power)
        if kind == _HARD:
            hard = self.pools.hard
            first = hard[rng.integers(len(hard), size=n)] + rng.integers(-30, 31, n)
            first = np.clip(first, 0, len(self.pools.frames) - self.length)
        elif kind == _NOISE and not len(self.pools.noise):
            first = np.zeros(n, np.intp)  # all of it will be synthetic
        else:
            first = self._somewhere(rng, self.pools.speech if kind == _SPEECH else self.pools.noise, n)
        power[:] = self.pools.frames[first[:, None] + np.arange(self.length)]
        mean = power.sum(axis=2).mean(axis=1)
        if kind == _NOISE:
            made = np.flatnonzero(rng.random(n) < (0.5 if len(self.pools.noise) else 1.0))
            power[made] = self._made_up(rng, len(made), power.shape[2])
            mean[made] = 1.0
            loudness = 10 ** (rng.uniform(-85.0, -18.0, n) / 10) * FULL_SCALE
            codes[:] = self.codes.silence
            codes[rng.random(n) < self.mixing.noise_open] = self.codes.nothing
        else:
            loudness = draw_levels(rng, (mean / FULL_SCALE).astype(np.float32), share=self.mixing.level) * FULL_SCALE
        power *= (loudness / (mean + 1e-9)).astype(np.float32)[:, None, None]
        if kind != _NOISE:
            self._noise(rng, loudness, power, low=3.0, quiet_share=self.mixing.running_clean)

    def _made_up(self, rng: np.random.Generator, n: int, bins: int) -> Floats:
        """Noise that no recording holds, some of it notes."""
        sound = draw_synthetic(rng, n, self.length, bins)
        if self.mixing.notes:
            rows = np.flatnonzero(rng.random(n) < self.mixing.notes)
            sound[rows] = draw_notes(rng, len(rows), self.length, bins)
        return sound

    def _somewhere(self, rng: np.random.Generator, stretches: Ints, n: int) -> Ints:
        """First frames of `n` sequences within the stretches, longer ones more often."""
        room = np.maximum(stretches[:, 1] - self.length, 1).astype(float)
        pick = rng.choice(len(stretches), n, p=room / room.sum())
        first = stretches[pick, 0] + (rng.random(n) * room[pick]).astype(np.intp)
        return np.asarray(np.clip(first, 0, len(self.pools.frames) - self.length), np.intp)

    def _noise(
        self,
        rng: np.random.Generator,
        loudness: npt.NDArray[np.float64],
        power: Floats,
        *,
        low: float,
        quiet_share: float,
    ) -> None:
        """Add noise at a drawn signal-to-noise ratio to all but `quiet_share` of the sequences."""
        n, length, bins = power.shape
        noisy = np.flatnonzero(rng.random(n) >= quiet_share)
        kind = rng.choice(3, len(noisy), p=self._noise_shares)
        snr_db = rng.uniform(low, 25.0, len(noisy))
        for k in range(3):
            rows = noisy[kind == k]
            if not len(rows):
                continue
            db = snr_db[kind == k]
            if k == 0:
                sound = self._made_up(rng, len(rows), bins)
            else:
                if k == 2:
                    db = np.maximum(db, 8.0)  # a voice as loud as the word would be a second speaker
                first = self._somewhere(rng, self.pools.noise if k == 1 else self.pools.speech, len(rows))
                sound = self.pools.frames[first[:, None] + np.arange(length)]
            gain = loudness[rows] / 10 ** (db / 10) / (sound.sum(axis=2).mean(axis=1) + 1e-9)
            power[rows] += sound * gain.astype(np.float32)[:, None, None]


class _Others:
    """Words that are no keywords: rare ones are drawn less often, but more often than they occur."""

    def __init__(self, items: Mapping[str, Ints], weights: Mapping[str, float]) -> None:
        self._items = [items[w] for w in sorted(items)]
        weight = np.array([len(items[w]) ** 0.5 * weights.get(w, 1.0) for w in sorted(items)], dtype=float)
        self._sums = np.cumsum(weight)

    def __len__(self) -> int:
        return len(self._items)

    def draw(self, rng: np.random.Generator) -> Ints:
        """Draw a word; return its items."""
        at = int(np.searchsorted(self._sums, rng.random() * self._sums[-1], side="right"))
        return self._items[min(at, len(self._items) - 1)]


def _normal(shares: Sequence[float]) -> npt.NDArray[np.float64]:
    return np.asarray(shares, np.float64) / sum(shares)
