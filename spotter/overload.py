"""When a machine is too slow for its model: which windows to leave out, so that listening is up to date again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

_LATE_S: Final = 1.5  # of audio that waits
# Audio that waited since a program or a device stood still is worked off much faster than it was said; only who
# stays late is too slow.
_PATIENCE_S: Final = 2.0
_UP_TO_DATE_S: Final = 0.3


class Overload:
    """Told how much audio waits, says whether to leave windows out until little does."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._late_since: float | None = None
        self._skipping = False

    def __call__(self, waiting_s: float) -> bool:
        """Whether to leave out the windows that are due, after which so much audio waits."""
        if self._skipping:
            self._skipping = waiting_s > _UP_TO_DATE_S
        elif waiting_s <= _LATE_S:
            self._late_since = None
        elif self._late_since is None:
            self._late_since = self._clock()
        elif self._clock() - self._late_since > _PATIENCE_S:
            self._skipping, self._late_since = True, None
        return self._skipping
