"""Guides somebody through the takes: a pure state machine, samples and keys in, what is to be done out.

Its clock is the samples that came, so it runs as well in a test as at a microphone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import numpy as np

from spotter.arrays import Floats
from spotter.settings import SAMPLE_RATE
from train.recording.quality import Quality
from train.recording.takes import Heard, Manner, Step, Take

BEFORE_S: Final = 0.5  # of the countdown that belongs to the take, so that who begins early is not cut off
_AFTER_PLAYING_S: Final = 0.4  # until a room is quiet again
_FAILURES: Final = 5  # takes in a row without a word, after which nobody seems to be there

Phase: TypeAlias = Literal["ask", "count", "take", "play", "over"]


@dataclass(frozen=True, slots=True)
class Say:
    """A line that stays."""

    text: str
    tone: Literal["", "good", "bad", "ask"] = ""


@dataclass(frozen=True, slots=True)
class Keep:
    """A take that is to be written."""

    step: Step
    clip: Floats
    quality: Quality


@dataclass(frozen=True, slots=True)
class Undo:
    """The recording that was kept last is to be taken back."""

    step: Step


@dataclass(frozen=True, slots=True)
class Play:
    """A clip that is to be heard."""

    clip: Floats


@dataclass(frozen=True, slots=True)
class Move:
    """The speaker has gone elsewhere: what follows is another session."""


Action: TypeAlias = Say | Keep | Undo | Play | Move


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How the takes follow one another."""

    asks: bool  # whether somebody at a keyboard is asked; else a pause is made
    countdown_s: float = 2.0
    take_s: float = 5.0  # at most; a word ends it
    plays: bool = True


@dataclass
class Guide:
    """Where somebody is in the list of takes.

    Parameters
    ----------
    steps : what is to be said
    pace : how the takes follow one another
    """

    steps: Sequence[Step]
    pace: Pace
    kept: int = 0
    phase: Phase = "ask"
    failed: bool = False  # whether it gave up
    _left: deque[Step] = field(init=False)
    _manner: Manner | None = None
    _time: int = 0  # samples in this phase
    _before: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    _take: Take | None = None
    _last: Keep | None = None
    _playing: int = 0
    _failures: int = 0
    _moving: bool = False  # whether the manner that is asked for begins another session

    def __post_init__(self) -> None:
        self._left = deque(self.steps)

    @property
    def step(self) -> Step | None:
        """What is to be said now."""
        return self._left[0] if self._left else None

    def begin(self) -> list[Action]:
        """Say what comes first."""
        return self._next()

    def push(self, samples: Floats | None, key: str = "") -> list[Action]:
        """Take the next samples at 16 kHz, shape (samples,), or None where some were lost; and a key, if one came."""
        done = self._key(key) if key else []
        if self.phase == "over":
            return done
        if samples is None:
            if self.phase == "take":
                done += self._fail("the sound system lost a part of it: say it once more")
            return done
        self._time += len(samples)
        if self.phase == "ask":
            if not self.pace.asks and self._time >= self.pace.countdown_s * SAMPLE_RATE:
                self._enter("count")
        elif self.phase == "play":
            if self._time >= self._playing:
                done += self._next()
        elif self.phase == "count":
            self._count(samples)
        elif self._take is not None and self._take.push(samples):
            done += self._finish(self._take.heard(self._left[0].word))
        return done

    def status(self) -> str:
        """What to do now, for the line that changes."""
        if self.step is None or self.phase == "over":
            return ""
        if self.phase == "ask":
            return "Enter: go on   s: without these   q: end" if self.pace.asks else "get ready"
        if self.phase == "count":
            left = max(0.0, self.pace.countdown_s - self._time / SAMPLE_RATE)
            return f"“{self.step.word}” in {left:.0f} …" if left >= 0.5 else f"“{self.step.word}” …"
        return f"say “{self.step.word}” now" if self.phase == "take" else "this was kept   d: throw it away"

    def _enter(self, phase: Phase) -> None:
        self.phase, self._time = phase, 0
        self._before = self._before[:0]

    def _count(self, samples: Floats) -> None:
        most = round(BEFORE_S * SAMPLE_RATE)
        self._before = np.concatenate((self._before, samples))[-most:]
        if self._time >= self.pace.countdown_s * SAMPLE_RATE:
            self._take = Take(self._before, self.pace.take_s)
            self._enter("take")

    def _next(self) -> list[Action]:
        step = self.step
        if step is None:
            self._enter("over")
            return []
        if step.manner == self._manner:
            self._enter("count")
            return []
        self._manner, self._moving = step.manner, step.manner.moves
        self._enter("ask")
        takes = sum(s.manner == step.manner for s in self._left)
        return [Say(f"the next {'take' if takes == 1 else f'{takes} takes'} {step.manner.how}", "ask")]

    def _finish(self, heard: Heard) -> list[Action]:
        step = self._left[0]
        if heard.clip is None or heard.quality is None:
            return self._fail(heard.sentence)
        self._failures = 0
        self._last = keep = Keep(step, heard.clip, heard.quality)
        self.kept += 1
        self._left.popleft()
        done: list[Action] = [keep]
        if self.pace.plays:
            self._enter("play")
            self._playing = len(keep.clip) + round(_AFTER_PLAYING_S * SAMPLE_RATE)
            return [*done, Play(keep.clip)]
        return done + self._next()

    def _fail(self, sentence: str) -> list[Action]:
        self._failures += 1
        done: list[Action] = [Say(f"not kept: {sentence}", "bad")]
        if self._failures < _FAILURES:
            self._enter("count")
        elif self.pace.asks:
            self._failures = 0
            self._enter("ask")
        else:
            self.failed = True
            self._enter("over")
        return done

    def _key(self, key: str) -> list[Action]:
        if key == "q":
            self._enter("over")
            return []
        if key == "d" and self._last is not None and self.phase in ("ask", "count", "play", "take"):
            last, self._last = self._last, None
            self._left.appendleft(last.step)
            self.kept -= 1
            self._manner = last.step.manner
            self._enter("count")
            return [Undo(last.step), Say("thrown away: say it once more")]
        if key == "p" and self._last is not None and self.phase in ("ask", "play"):
            return [Play(self._last.clip)]
        return self._asked(key) if self.phase == "ask" and self.pace.asks else []

    def _asked(self, key: str) -> list[Action]:
        if key == "s" and self.step is not None:
            manner = self.step.manner
            self._left = deque(step for step in self._left if step.manner != manner)
            return self._next()
        if key in ("\n", "\r", " "):
            moved, self._moving = self._moving, False
            self._enter("count")
            return [Move()] if moved else []
        return []
