"""The choice for a target, whether thresholds by keyword are worth having, and what other targets would give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from spotter.errors import BadInputError
from spotter.settings import DecoderConfig
from train.tune import Aim, Choice, Curves, choose, for_recall, halves, nearest
from train.tune_tally import Tally

TARGETS: Final = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)  # false accepts an hour, rows of the table


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A number of false accepts an hour, or a recall; and whether thresholds may differ by keyword."""

    false_per_hour: float | None = None
    recall: float | None = None
    by_keyword: Literal["auto", "always", "never"] = "auto"


@dataclass(frozen=True, slots=True)
class Found:
    """The choice, the false accepts an hour that it was made for, and why its thresholds are by keyword or not."""

    per_hour: float
    choice: Choice
    reason: str
    single: bool


def find(
    tally: Tally, curves: Curves, aim: Aim, wanted: Wanted, present: DecoderConfig, rng: np.random.Generator
) -> Found:
    """Choose; `BadInputError` names the nearest where no setting reaches the target."""

    def best(*, single: bool) -> tuple[float, Choice]:
        if wanted.recall is not None:
            found = for_recall(curves, tally, aim, wanted.recall, present, single=single)
            if found is None:
                raise BadInputError(_finds_less(curves, tally, aim, wanted.recall, present))
            return found
        target = wanted.false_per_hour or 0.0
        choice = choose(curves, tally, aim, target, present, single=single)
        if choice is None:
            raise BadInputError(_lets_more_through(curves, tally, target))
        return target, choice

    if aim.floor is not None:
        reason = "no words to be found were given: thresholds were only raised, keyword by keyword"
        return Found(*best(single=False), reason, single=False)
    if wanted.by_keyword == "always":
        return Found(*best(single=False), "thresholds by keyword, as asked for", single=False)
    common = best(single=True)
    if wanted.by_keyword == "never":
        return Found(*common, "one threshold for all, as asked for", single=True)
    compared = halves(tally, aim, common[0], common[1].setting, rng)
    if not compared.gains.size:
        return Found(*common, "one threshold for all, since the recordings are too few to be halved", single=True)
    figures = (
        f"{compared.gains.mean():+.2%} found at equal false accepts on the halves that they were not chosen from, "
        f"better in {(compared.gains > 0).mean():.0%} of {compared.gains.size}"
    )
    if compared.pays:
        return Found(*best(single=False), f"thresholds by keyword: {figures}", single=False)
    return Found(
        *common, f"one threshold for all, since thresholds by keyword are not surely better: {figures}", single=True
    )


def ladder(
    tally: Tally, curves: Curves, aim: Aim, present: DecoderConfig, found: Found
) -> list[tuple[float, Choice | None]]:
    """Choices for other targets, with that which was made among them; None where no setting reaches one."""
    others: list[tuple[float, Choice | None]] = [
        (target, choose(curves, tally, aim, target, present, single=found.single))
        for target in TARGETS
        if target != found.per_hour
    ]
    return sorted([*others, (found.per_hour, found.choice)], key=lambda pair: pair[0])


def _lets_more_through(curves: Curves, tally: Tally, wanted: float) -> str:
    near = nearest(curves)
    rate = max(near.false, near.expected) / curves.hours
    return (
        f"no setting that was tried keeps {wanted:g} false accepts an hour: the nearest is {rate:.2g} "
        f"({near.false:.0f} heard in {curves.hours:.3g} h) at the threshold {tally.thresholds[near.at[0]]:g}, which "
        f"finds {near.recall:.0%}; give --target-fa {rate * 1.01:.2g} or more, or train for it"
    )


def _finds_less(curves: Curves, tally: Tally, aim: Aim, wanted: float, present: DecoderConfig) -> str:
    most = choose(curves, tally, aim, 1e9, present, single=True)
    recall = most.recall if most else 0.0
    rate = most.false / curves.hours if most else 0.0
    return (
        f"no setting that was tried finds {wanted:.1%}: the nearest is {recall:.1%} at {rate:.2g} false accepts an "
        f"hour; give --target-recall {int(recall * 1_000) / 1_000:g} or less, or train for it"
    )
