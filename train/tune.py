"""Decoder settings for a wanted number of false accepts an hour: the search, on counts alone.

Of few false accepts no threshold should be made: beyond the highest threshold that still lets twenty through,
their number is continued as falling by the same factor with each step of the threshold's logit (an
exponential tail of peaks over a threshold, Pickands 1975), and a keyword's part of it is drawn towards an
equal share. What is measured and what is expected must both be within the budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.stats import chi2

from spotter.settings import DecoderConfig
from train.tune_tally import AXES, Doubles, Ints, Tally

_STEP: Final = 0.1  # of the logit
LOGITS: Final[Doubles] = np.round(np.arange(-0.8, 7.0 + _STEP / 2, _STEP), 6)
THRESHOLDS: Final[Doubles] = np.round(1.0 / (1.0 + np.exp(-LOGITS)), 4)  # 0.31 to 0.9991
_ENOUGH = 20  # false accepts that a tail is continued from
_FAR = 1e-9
_CONFIDENCE = 0.95
_HALVINGS = 20
_MOSTLY = 2 / 3
_TRIED = 12  # settings, the best with one threshold for all, for which thresholds by keyword are searched


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What is wanted.

    weights : of the parts whose recall counts, by name. counted : the parts whose false accepts count.
    spread : how far a keyword's threshold may be from the common one, in units of the logit.
    floor : float64, shape (keywords,), thresholds that are not gone below, or None; without words to be found
    thresholds are only raised, from there.
    """

    weights: Mapping[str, float]
    counted: tuple[str, ...]
    spread: float = 1.0
    floor: Doubles | None = None


@dataclass(frozen=True, slots=True)
class Curves:
    """What is gained and what it costs, each of shape (keywords, settings, thresholds).

    found : parts of the weighted recall. gain : the same less words reported twice. false : events that were
    counted. expected : the same as the tail says.
    """

    found: Doubles
    gain: Doubles
    false: Doubles
    expected: Doubles
    hours: float
    error: float  # standard error of a recall of one half


@dataclass(frozen=True, slots=True)
class Choice:
    """Settings, and what they come to on what they were chosen from."""

    setting: int
    at: tuple[int, ...]  # index of each keyword's threshold
    gain: float
    recall: float
    false: float
    expected: float


def curves(tally: Tally, aim: Aim) -> Curves:
    """Weigh the blocks of a tally."""
    names = np.array(tally.names)
    shape = tally.found.shape[1:]
    found, gain, variance, total = np.zeros(shape), np.zeros(shape), 0.0, 0.0
    for name, weight in aim.weights.items():
        here = names == name
        said = int(tally.said[here].sum())
        if said and weight > 0.0:
            hits = tally.found[here].sum(axis=0)
            found += weight / said * hits
            gain += weight / said * (hits - tally.twice[here].sum(axis=0))
            variance += weight**2 * 0.25 / said
            total += weight
    if total:
        found, gain = found / total, gain / total
    if aim.floor is not None:
        raised = LOGITS[None, :] - _logit(aim.floor)[:, None]
        gain = gain + np.where(raised > -_STEP / 2, -np.abs(raised), -np.inf)[:, None, :]
    counted = np.isin(names, aim.counted)
    false = tally.false[counted].sum(axis=0).astype(np.float64)
    hours = float(tally.seconds[counted].sum()) / 3_600
    return Curves(found, gain, false, expected(false), hours, float(np.sqrt(variance)) / max(total, _FAR))


def expected(false: Doubles) -> Doubles:
    """Continue counts, shape (keywords, settings, thresholds), by an exponential tail where they are few."""
    total = false.sum(axis=0)
    count = total.shape[1]
    enough = total >= _ENOUGH
    last = np.where(enough.any(axis=1), count - 1 - enough[:, ::-1].argmax(axis=1), 0)  # (settings,)
    steps = np.arange(count)[None, :] - last[:, None]
    above = np.where(steps > 0, total, 0.0).sum(axis=1)
    start = np.take_along_axis(total, last[:, None], axis=1)[:, 0]
    factor = above / np.maximum(above + start, _FAR)  # of a geometric tail: maximum likelihood
    level = np.where(steps > 0, start[:, None] * factor[:, None] ** np.maximum(steps, 0), total)
    where = np.minimum(np.arange(count)[None, :], last[:, None])
    own = np.take_along_axis(false, np.broadcast_to(where, false.shape), axis=2)
    share = (own + 1.0) / (np.take_along_axis(total, where, axis=1) + len(false))
    return np.asarray(level * share)


def choose(
    curves: Curves, tally: Tally, aim: Aim, per_hour: float, present: DecoderConfig, *, single: bool
) -> Choice | None:
    """Settings with the most gain within the budget; None where no setting is within it.

    The present settings stay unless others gain more than half a standard error.

    Parameters
    ----------
    per_hour : float
        False accepts, all keywords together.
    single : bool
        One threshold for all keywords.
    """
    budget = per_hour * curves.hours + _FAR
    every = range(len(tally.configs))
    found = [c for s in every if (c := _common(curves, s, budget))]
    if not single:
        best_first = sorted(found, key=lambda c: -c.gain)[:_TRIED]
        tried = [c.setting for c in best_first] if aim.floor is None else every
        found = [c for s in tried if (c := _by_keyword(curves, s, budget, aim))]
    if not found:
        return None
    best = max(c.gain for c in found)
    near = [c for c in found if c.gain >= best - curves.error / 2]
    return min(near, key=lambda c: (_changes(tally.configs[c.setting], present), -c.gain))


def nearest(curves: Curves) -> Choice:
    """The fewest false accepts an hour that there are, one threshold for all; of equals what gains most."""
    worst = np.maximum(curves.false.sum(axis=0), curves.expected.sum(axis=0))
    gain = np.where(worst <= worst.min() + _FAR, curves.gain.sum(axis=0), -np.inf)
    setting, at = np.unravel_index(int(gain.argmax()), gain.shape)
    return _choice(curves, int(setting), np.full(len(curves.gain), int(at)))


def for_recall(
    curves: Curves, tally: Tally, aim: Aim, recall: float, present: DecoderConfig, *, single: bool
) -> tuple[float, Choice] | None:
    """The smallest budget per hour, and its choice, that finds so much; None where none does."""
    budgets = np.geomspace(0.01, 3_600.0, 128)
    low, high, best = 0, len(budgets) - 1, None
    while low <= high:
        middle = (low + high) // 2
        choice = choose(curves, tally, aim, float(budgets[middle]), present, single=single)
        if choice is not None and choice.recall >= recall - _FAR:
            best, high = (float(budgets[middle]), choice), middle - 1
        else:
            low = middle + 1
    return best


def config_of(tally: Tally, choice: Choice, floor: Doubles | None = None) -> DecoderConfig:
    """The settings as the manifest has them; the most frequent threshold is the common one.

    floor : as in `Aim`; the thresholds that were counted may lie a little below it.
    """
    values = [float(tally.thresholds[i]) for i in choice.at]
    if floor is not None:
        values = [max(v, float(f)) for v, f in zip(values, floor, strict=True)]
    common = max(sorted(set(values)), key=values.count)
    own = {k: v for k, v in zip(tally.keywords, values, strict=True) if v != common}
    return replace(tally.configs[choice.setting], threshold=common, thresholds=own)


@dataclass(frozen=True, slots=True)
class Halves:
    """Thresholds by keyword against one for all: chosen on one half of the blocks, compared on the other.

    gains : float64, recall gained at the same number of false accepts, in each comparison.
    """

    gains: Doubles

    @property
    def pays(self) -> bool:
        """Whether thresholds by keyword are better, on the average and mostly."""
        return bool(self.gains.size and self.gains.mean() > 0.0 and (self.gains > 0.0).mean() >= _MOSTLY)


def halves(tally: Tally, aim: Aim, per_hour: float, setting: int, rng: np.random.Generator) -> Halves:
    """Cut the blocks of every part in halves, some times at random, and compare both ways."""
    one = tally.only(setting)
    gains = []
    for _ in range(_HALVINGS):
        half = _half(one, rng)
        for chosen, held in ((half, ~half), (~half, half)):
            ours, theirs = curves(one.of(chosen), aim), curves(one.of(held), aim)
            own = choose(ours, one, aim, per_hour, one.configs[0], single=False)
            if own is None:
                continue
            there = _choice(theirs, 0, np.array(own.at))
            order = np.argsort(theirs.expected[:, 0].sum(axis=0), kind="stable")
            cost, gain = theirs.expected[:, 0].sum(axis=0)[order], theirs.gain[:, 0].sum(axis=0)[order]
            gains.append(there.gain - float(np.interp(there.expected, cost, np.maximum.accumulate(gain))))
    return Halves(np.array(gains))


def hours_to_prove(count: int, per_hour: float) -> float:
    """Hours with no more than `count` false accepts that prove fewer than `per_hour`, at 95%; of none 3.0 / target."""
    return float(chi2.ppf(_CONFIDENCE, 2 * (count + 1)) / 2.0 / per_hour)


def _half(tally: Tally, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    names = np.array(tally.names)
    half = np.zeros(len(names), np.bool_)
    for name in sorted(set(tally.names)):
        own = rng.permutation(np.flatnonzero(names == name))
        half[own[: (len(own) + int(rng.integers(2))) // 2]] = True
    return half


def _common(curves: Curves, setting: int, budget: float) -> Choice | None:
    """The best threshold for all keywords; of equals the highest."""
    gain, false, cost = (a[:, setting].sum(axis=0) for a in (curves.gain, curves.false, curves.expected))
    fits = (false <= budget) & (cost <= budget) & np.isfinite(gain)
    if not fits.any():
        return None
    at = int(np.flatnonzero(fits & (gain >= gain[fits].max() - _FAR))[-1])
    return _choice(curves, setting, np.full(len(curves.gain), at))


def _by_keyword(curves: Curves, setting: int, budget: float, aim: Aim) -> Choice | None:
    """Thresholds by keyword, not far from the best common one; or that, where they are not better."""
    gain, false, cost = (a[:, setting] for a in (curves.gain, curves.false, curves.expected))
    common = _common(curves, setting, budget)
    top = gain.shape[1] - 1
    if aim.floor is not None:
        low, high = np.zeros(len(gain), np.intp), np.full(len(gain), top)
    elif common is None:
        return None
    else:
        steps = round(aim.spread / _STEP)
        low, high = np.maximum(np.array(common.at) - steps, 0), np.minimum(np.array(common.at) + steps, top)
    own = _choice(curves, setting, _lowered(gain, false, cost, low, high, budget))
    if own.false > budget or own.expected > budget or not np.isfinite(own.gain):
        return common
    return own if common is None or own.gain > common.gain + _FAR else common


def _lowered(gain: Doubles, false: Doubles, cost: Doubles, low: Ints, at: Ints, budget: float) -> Ints:
    """Lower thresholds while the budget lasts, always where most is gained for what it costs."""
    at = at.copy()
    keyword, index = np.arange(len(gain)), np.arange(gain.shape[1])
    while True:
        now = (a[keyword, at] for a in (gain, false, cost))
        more, events, costs = (a - n[:, None] for a, n in zip((gain, false, cost), now, strict=True))
        fits = (index >= low[:, None]) & (index < at[:, None]) & (more > _FAR)
        fits &= (false[keyword, at].sum() + events <= budget) & (cost[keyword, at].sum() + costs <= budget)
        if not fits.any():
            return at
        worth = np.where(fits, more / np.maximum(costs, _FAR), -np.inf)[:, ::-1]  # of equals the highest threshold
        k, back = np.unravel_index(int(worth.argmax()), worth.shape)
        at[k] = gain.shape[1] - 1 - int(back)


def _choice(curves: Curves, setting: int, at: Ints) -> Choice:
    keyword = np.arange(len(at))
    arrays = (curves.gain, curves.found, curves.false, curves.expected)
    sums = [float(a[keyword, setting, at].sum()) for a in arrays]
    return Choice(setting, tuple(at.tolist()), *sums)


def _changes(config: DecoderConfig, present: DecoderConfig) -> int:
    return sum(getattr(config, n) != getattr(present, n) for n in AXES)


def _logit(share: Doubles) -> Doubles:
    return np.asarray(np.log(share / (1.0 - share)))
