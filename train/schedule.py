"""How fast a run learns, step by step."""

from __future__ import annotations

import math

from train.recipe import Recipe


def learning_rate(recipe: Recipe, step: int) -> float:
    """A linear warm-up, then half a cosine down to a hundredth."""
    peak, warm = recipe.learning_rate, recipe.warm_up
    if step < warm:
        return peak * (0.05 + 0.95 * step / warm)
    share = min(1.0, (step - warm) / max(1, recipe.steps - warm))
    return peak * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * share)))
