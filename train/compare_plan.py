"""What is compared, and for how long: recipes that fit the time, so that short runs learn what they can."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from train.material import Folders
from train.networks import judgements, network
from train.recipe import Recipe

LOOKS = 8  # at the validation speakers, at least
_LOOK_STEPS = 6  # a look takes about as long as so many steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is compared, and for how long each network learns: by minutes, or by steps where those are given."""

    folders: Folders
    recipe: Recipe
    out: Path
    minutes: float = 10.0
    steps: int | None = None
    force: bool = False
    command: str = "python -m train compare"  # as it was typed


def recipe_for(recipe: Recipe, name: str, *, seed: int = 0, steps: int | None = None) -> Recipe:
    """The recipe with another network and length, without mining; what depends on the length fits a short run.

    A network that sees one whole window gets sequences with one judgement, each 0.1 to 0.4 s after its word.
    (Words that end anywhere within 0.7 s were worse in a short run, 1,000 steps of TC-ResNet8: 56 in the place of
    80% of keywords.)
    """
    options = recipe.network_options if name == recipe.network else {}
    steps = steps or recipe.steps
    check_every = max(1, min(recipe.check_every, steps // LOOKS))
    return dataclasses.replace(
        recipe,
        network=name,
        network_options=options,
        outputs=judgements(network(name, options), recipe.outputs),
        seed=seed,
        rounds=0,
        steps=max(check_every, steps // check_every * check_every),
        check_every=check_every,
        warm_up=min(recipe.warm_up, steps // 10),
        averaging=min(recipe.averaging, max(0.5, 1.0 - 10.0 / steps)),  # over a tenth of the run at most
    )


def steps_in(minutes: float, step_s: float, check_every: int) -> int:
    """Steps that so many minutes hold, looks at the validation speakers included."""
    steps = 60.0 * minutes / step_s
    every = max(1.0, min(check_every, steps / LOOKS))
    return max(LOOKS, int(steps / (1.0 + _LOOK_STEPS / every)))
