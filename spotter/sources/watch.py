"""What tells a device that has gone from one that is late: time without a sign of life."""

from __future__ import annotations

from typing import Final

_TICK_S: Final = 0.25


class Watch:
    """Seconds since something last moved, counted only while we ourselves were awake to look.

    A process that was stopped, or a machine that slept, finds on waking that nothing came for long; the device
    gets its time to go on, and what it kept meanwhile is heard.
    """

    def __init__(self) -> None:
        self._count = -1
        self._looked = 0.0
        self._quiet_s = 0.0

    def quiet_s(self, count: int, now_s: float) -> float:
        """Return for how long `count` has been the same; to be asked several times a second."""
        if count != self._count:
            self._count, self._quiet_s = count, 0.0
        else:
            self._quiet_s += min(now_s - self._looked, _TICK_S)
        self._looked = now_s
        return self._quiet_s
