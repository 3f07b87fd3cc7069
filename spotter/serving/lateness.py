"""Whether one client's audio waits for too long, since there is more work than the machine can do."""

from __future__ import annotations

from typing import Final

from spotter.overload import Overload

_AHEAD_S: Final = 5.0  # who sends so much more than has passed does not send as it records


class Lateness:
    """Told when how much audio has come, says whether to leave windows out.

    What nobody has read waits on the client's machine, too, so it cannot be counted in bytes: who sends as it records
    sends as much as time passes, and what is missing to that since nothing waited is what waits now. One that pours a
    recording waits for its turn, and loses nothing.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        self._overload = Overload(lambda: self._now_s)
        self._idle = True
        self._base_s = 0.0  # when the stream would have begun, had it never paused
        self._pours = False

    def look(self, now_s: float, came_s: float, waiting_s: float) -> bool:
        """Whether windows are to be left out now.

        Parameters
        ----------
        now_s : float
            On a steady clock.
        came_s : float
            Of audio that was taken so far.
        waiting_s : float
            Of audio, about, that has come beside.
        """
        self._now_s = now_s
        if self._idle:
            self._idle, self._pours, self._base_s = False, False, now_s - came_s
        late_s = now_s - self._base_s - came_s
        self._pours = self._pours or waiting_s - late_s > _AHEAD_S
        return not self._pours and self._overload(late_s)

    def rest(self) -> None:
        """Be told that nothing waits: time that passes until more comes is the client's own."""
        self._idle = True
        self._overload(0.0)
