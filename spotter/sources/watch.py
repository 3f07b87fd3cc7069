"""What tells a device that has gone from one that is late: time without a sign of life, and the device's own clock."""

from __future__ import annotations

from typing import Final

LONGEST_LOSS_S: Final = 60.0  # clocks may be set; a loss is believed up to this
_TICK_S: Final = 0.25
_SHORTEST_LOSS_S: Final = 0.1
_PRECISE_S: Final = 0.005
_LATE_S: Final = 0.02
_JUMP_S: Final = 0.05


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


class DeviceClock:
    """Finds audio that the driver lost without saying so: its clock went on, and no frames came for it.

    Some systems make that clock up from the moment of the call, so that a call which is merely late looks like a
    loss. A clock is trusted once it has stayed with the audio while a call was late or early; before that a jump
    counts only where more audio is missing than time has passed since the last call, which lateness cannot be.
    """

    def __init__(self) -> None:
        self._end_s = 0.0  # when the last block's last frame was recorded
        self._came_s = 0.0  # when that block came
        self._trusted = False

    def missing_s(self, began_s: float, now_s: float, length_s: float, *, flagged: bool) -> float:
        """Return how much is missing right before a block.

        Parameters
        ----------
        began_s, now_s : float
            When its first frame was recorded, and the time of the call, on the device's clock.
        length_s : float
            Of the block.
        flagged : bool
            The driver says that it lost something; then any jump is believed.
        """
        end, came = self._end_s, self._came_s
        self._end_s, self._came_s = began_s + length_s, now_s
        if not end:
            return 0.0
        jump, late = began_s - end, now_s - came - length_s
        if flagged:
            return jump
        if -_PRECISE_S < jump < _PRECISE_S:
            self._trusted = self._trusted or not -_LATE_S < late < _LATE_S
            return 0.0
        believed = _SHORTEST_LOSS_S < jump <= LONGEST_LOSS_S and (self._trusted or jump - late > _JUMP_S)
        return jump if believed else 0.0
