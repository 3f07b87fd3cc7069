"""Settings take the numbers that people have, and refuse the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spotter.errors import BadInputError
from spotter.settings import DecoderConfig, with_threshold


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.float64(0.5)])
def test_a_threshold_may_be_any_kind_of_number(value: Any) -> None:
    assert DecoderConfig(threshold=value).threshold_of("yes") == 0.5
    assert with_threshold(DecoderConfig(), {"yes": value}, ["yes"]).threshold_of("yes") == 0.5


@pytest.mark.parametrize("value", ["0.5", None, 1, 0.0, float("nan"), 0.5j])
def test_a_threshold_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(BadInputError, match="between 0 and 1"):
        DecoderConfig(threshold=value)
