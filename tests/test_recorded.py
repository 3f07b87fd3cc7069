"""Audio in hand: what `spot` takes and refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spotter.errors import BadInputError
from spotter.recorded import spot
from tests.fakes import ScriptedModel, recording

TALK = recording((1.5, "yes"), (3.0, "no"), seconds=4.5)


def test_a_rate_may_be_a_whole_float() -> None:
    rate: Any = 16_000.0
    assert [d.keyword for d in spot(TALK, rate, ScriptedModel())] == ["yes", "no"]


@pytest.mark.parametrize("rate", ["16000", 16_000.5, float("nan"), None])
def test_a_rate_that_is_none_is_refused_in_a_sentence(rate: Any) -> None:
    with pytest.raises(BadInputError, match="sample rate of"):
        spot(TALK, rate, ScriptedModel())


def test_turned_samples_are_refused_with_the_shape_that_is_wanted() -> None:
    with pytest.raises(BadInputError, match=r"72000 channels .* shape \(samples, channels\)"):
        spot(np.stack([TALK, TALK]), 16_000, ScriptedModel())
