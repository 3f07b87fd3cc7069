"""The device's own clock against its frames: finds audio that the driver lost without saying so."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from spotter.clock import elapsed_s

_LONGEST_LOSS_S: Final = 60.0  # of what a clock says that does not go as ours does
_SHORTEST_LOSS_S: Final = 0.1
_PRECISE_S: Final = 0.005
_LATE_S: Final = 0.02
_JUMP_S: Final = 0.05
_STRETCH_S: Final = 1.0  # of audio
_PACE: Final = 0.8  # what had waited comes many times as fast as it was recorded
_BEHIND_S: Final = 0.25
_STOOD_STILL_S: Final = 1.0
_DRIFT: Final = 1e-3  # between two clocks, at most


class DeviceClock:
    """Finds audio that the driver lost without saying so: its clock went on, and no frames came for it.

    Some systems make that clock up from the moment of the call, so that a call which is merely late looks like a
    loss. A clock is trusted once it has stayed with the audio while a call was late or early; before that a jump
    counts only where more audio is missing than time has passed since the last call, which lateness cannot be.

    Others take the time of day for it, which may be set: then nothing was lost, and it counts from there on.

    Parameters
    ----------
    elapsed_s, time_of_day_s : callable
        Our own clocks: one that nobody sets, and one that may be set.
    """

    def __init__(
        self, elapsed_s: Callable[[], float] = elapsed_s, time_of_day_s: Callable[[], float] = time.time
    ) -> None:
        self._clock, self._time_of_day = elapsed_s, time_of_day_s
        self._end_s = 0.0  # when the last block's last frame was recorded
        self._came_s = 0.0  # when that block came
        self._came_here_s = 0.0  # the same on our own clock
        self._day_began_s = 0.0  # when our own clock was at 0
        self._trusted = False
        self._pace = _Pace()
        self._to_make_up_s = 0.0  # of a loss that is known, and that the device's clock does not know yet

    def missing_s(self, began_s: float, now_s: float, length_s: float, *, flagged: bool) -> float:
        """Return how much is missing right before a block; of a clock that makes no sense, a minute at most.

        Parameters
        ----------
        began_s, now_s : float
            When its first frame was recorded, and the time of the call, on the device's clock.
        length_s : float
            Of the block.
        flagged : bool
            The driver says that it lost something; then any jump is believed.
        """
        here = self._clock()
        day_began = self._time_of_day() - here
        end, came = self._end_s, self._came_s
        passed, was_set = here - self._came_here_s, abs(day_began - self._day_began_s) > _JUMP_S
        self._end_s, self._came_s = began_s + length_s, now_s
        self._came_here_s, self._day_began_s = here, day_began
        jump, late = (began_s - end, now_s - came - length_s) if end and not was_set else (0.0, 0.0)
        stood_still = end > 0.0 and passed - length_s > _STOOD_STILL_S
        # Who stood still for an hour, and finds that the clock went on by that hour, has lost it.
        keeps_pace = -_JUMP_S < now_s - came - passed < _JUMP_S and began_s <= now_s
        longest = math.inf if keeps_pace else _LONGEST_LOSS_S
        if flagged:
            missing = min(jump, longest)
        elif stood_still:
            # Some of what was recorded meanwhile has been kept, and comes at once now; how much, its pace will show.
            self._trusted = self._trusted or -_PRECISE_S < jump < _PRECISE_S
            missing = 0.0
        else:
            missing = self._believed_s(jump, late, longest)
        behind, gained = self._pace.look(here, length_s, jump, missing)
        if not behind or not self._trusted:
            return missing
        self._to_make_up_s = max(0.0, behind - gained)
        self._pace.lost(behind)
        return missing + behind

    def _believed_s(self, jump: float, late: float, longest: float) -> float:
        """Return how much of a jump that nobody flags is a loss."""
        if -_PRECISE_S < jump < _PRECISE_S:
            self._trusted = self._trusted or not -_LATE_S < late < _LATE_S
            return 0.0
        known = min(jump, self._to_make_up_s) if jump > 0.0 else 0.0  # a jump may be no number
        self._to_make_up_s -= known
        jump -= known
        believed = _SHORTEST_LOSS_S < jump <= longest and (self._trusted or jump - late > _JUMP_S)
        return jump if believed else 0.0


class _Pace:
    """How far the audio is behind our own clock although it comes no faster than it is recorded.

    A sound server whose queue ran over while nobody fetched goes on with what it records now. PulseAudio's clock
    jumps at the first call then, or takes the audio for old and makes up for it by 0.05 s in each block of 0.05 s.
    """

    def __init__(self) -> None:
        self._audio_s = 0.0  # what came, and what was lost
        self._least_s = math.inf  # that our clock was ahead of it
        self._gained_s = 0.0  # by the device's clock, while the audio is behind
        self._begin()

    def _begin(self, here_s: float = 0.0) -> None:
        self._began_s = here_s
        self._length_s = 0.0
        self._least_now_s = math.inf

    def lost(self, seconds: float) -> None:
        """Take note of audio that will never come."""
        self._audio_s += seconds
        self._gained_s = 0.0

    def look(self, here_s: float, length_s: float, jump_s: float, missing_s: float) -> tuple[float, float]:
        """Take a block; return how much must be missing, mostly 0, and by how much the device's clock agrees.

        Parameters
        ----------
        here_s : float
            When it came, on our clock.
        length_s : float
            Of the block.
        jump_s, missing_s : float
            By how much the device's clock jumped before it, and what of that is known to be lost.
        """
        if not math.isfinite(jump_s):
            return 0.0, 0.0
        self._audio_s += length_s + max(0.0, missing_s)
        ahead = here_s - self._audio_s
        self._least_s = min(ahead, self._least_s + _DRIFT * length_s)
        self._least_now_s = min(self._least_now_s, ahead)
        self._length_s += length_s
        self._gained_s += jump_s - missing_s
        if self._length_s < _STRETCH_S:
            return 0.0, 0.0
        at_pace = here_s - self._began_s > _PACE * self._length_s
        behind = self._least_now_s - self._least_s
        self._begin(here_s)
        if behind <= _BEHIND_S:
            self._gained_s = 0.0
        return (behind if at_pace and self._gained_s > _SHORTEST_LOSS_S else 0.0), self._gained_s
