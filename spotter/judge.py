"""What the windows of one stream say: 16 kHz samples in, detections out, in the order of their times."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Protocol, runtime_checkable

import numpy as np

from spotter.arrays import Floats
from spotter.decoder import Decoder
from spotter.events import Detection, Event, Health, Skipped
from spotter.explain import Moment
from spotter.settings import DecoderConfig, FrontendConfig
from spotter.sources import LeftOut
from spotter.span import word_span
from spotter.tape import Tape
from spotter.windows import Stretch, Window, Windows


class Scorer(Protocol):
    """One stream's state of a network."""

    def score(self, frames: Floats, new: int) -> Floats:
        """Scores, shape (labels,), of the window that ends now; `new` frames came since the last call."""

    def reset(self) -> None:
        """Be as new."""


@runtime_checkable
class ManyScorer(Scorer, Protocol):
    """One that can also work through many windows in one call."""

    def score_hops(self, frames: Floats, hops: int) -> Floats:
        """Scores, shape (hops, labels), of the windows of so many hops, whose frames are the last."""


class Network(Protocol):
    """What the pipeline wants of a model."""

    labels: tuple[str, ...]
    keywords: tuple[str, ...]
    frontend: FrontendConfig
    decoder: DecoderConfig
    context: int
    step: int

    def scorer(self, hop_samples: int) -> Scorer:
        """Make the state for one stream."""


class Judge:
    """Cuts windows, has the network score them and the decoder decide.

    Parameters
    ----------
    model, decoder, hop_samples
        What judges, its settings, and how often.
    tap, explain
        As for `spotter.pipeline.Spotter`.
    waiting_s : callable
        From the end of a window, in samples of stream time, to how many seconds of audio wait after it.

    Attributes
    ----------
    too_late : callable, optional
        Is told how much waits, and says whether to leave the windows that are due out.
    left_out : sequence of LeftOut
        Windows to leave out in any case.
    found : deque of Health
        What else is to be reported, in the order of time.
    sound : callable, optional
        Is shown what is judged: the position of the first sample, and 16 kHz samples, shape (samples,), which hold
        during the call only. They follow on what it was shown before unless something is missing; the silence
        before a recording has positions below 0.
    """

    def __init__(
        self,
        model: Network,
        decoder: DecoderConfig,
        hop_samples: int,
        waiting_s: Callable[[int], float],
        *,
        tap: Callable[[Window, Floats], None] | None,
        explain: Callable[[Moment], object] | None,
    ) -> None:
        self.hop_samples = hop_samples
        self.context_samples = model.context
        self.too_late: Callable[[float], bool] | None = None
        self.left_out: Sequence[LeftOut] = ()
        self.tape: Tape | None = None
        self.sound: Callable[[int, Floats], object] | None = None
        self._position = 0  # of the next sample
        self._waiting_s, self._tap, self._explain = waiting_s, tap, explain
        self._windows = Windows(model.frontend, model.context, hop_samples)
        self._scorer = model.scorer(hop_samples)
        self._many = self._scorer if isinstance(self._scorer, ManyScorer) else None
        self._decoder = Decoder(model.labels, model.keywords, decoder, hop_samples)
        self.scores = np.zeros(len(model.labels), np.float32)
        self._start()

    def _start(self) -> None:
        self.windows = 0  # judged so far
        self.detections = 0
        self.skipped_windows = 0
        self.skipped_samples = 0
        self.level_dbfs = -120.0  # of the last hop
        self.scores[:] = 0.0  # of the last window
        self.found: deque[Health] = deque()
        self._skipping: tuple[int, int] | None = None  # windows left out just now, and the end of the last

    @property
    def smoothed(self) -> Floats:
        """Smoothed scores of the last window, shape (labels,)."""
        return self._decoder.smoothed

    def begin(self, position: int) -> None:
        """Begin a segment at a position of the stream."""
        self._windows.begin(position)
        self._position = position

    def begin_after_gap(self, position: int) -> None:
        """Begin a segment after a gap, which nothing may bridge."""
        self.begin(position)
        self._scorer.reset()
        self._decoder.gap()

    def reset(self) -> None:
        """Be as new."""
        self._scorer.reset()
        self._decoder.reset()
        self._start()

    def hear(self, samples: Floats) -> Iterator[Event]:
        """Take 16 kHz samples, shape (samples,); yield what the windows say that they complete."""
        if self.sound is not None:
            self.sound(self._position, samples)
        self._position += len(samples)
        for stretch in self._windows.stretches(samples):
            for part, leave_out in self._parts(stretch):
                if leave_out:
                    self._leave_out(part)
                else:
                    yield from self._judge(part)

    def pause(self) -> Iterator[Event]:
        """Yield what is to be reported before a gap, or at the end."""
        yield from self._skipped()
        yield from self._due()

    def _judge(self, stretch: Stretch) -> Iterator[Event]:
        anew = self._skipping is not None
        if anew:
            yield from self._skipped()
        for number, scores in enumerate(self._scores(stretch, anew=anew)):
            self.scores[:] = scores
            self.level_dbfs = stretch.levels_dbfs[number]
            self.windows += 1
            if self._tap is not None:
                self._tap(stretch.window(number), self.scores)
            end = stretch.end_sample + number * stretch.hop_samples
            if self.found:
                yield from self._due(end)
            loudest, floor = stretch.loudest_dbfs[number], stretch.floor_dbfs[number]
            heard = self._decoder.step(self.scores, end, loudest, floor)
            if self._explain is not None:
                self._explain(self._moment(end, loudest))
            for fired in heard:
                self.detections += 1
                yield self._detection(fired.keyword, fired.score, stretch.window(number))

    def _parts(self, stretch: Stretch) -> Iterator[tuple[Stretch, bool]]:
        """Cut a stretch where windows begin or cease to be left out."""
        if self.left_out:
            out = [any(end in places for places in self.left_out) for end in stretch.ends]
            edges = [0, *(n for n in range(1, len(out)) if out[n] != out[n - 1]), len(out)]
            yield from ((stretch.part(first, last), out[first]) for first, last in pairwise(edges))
        else:
            yield stretch, self.too_late is not None and self.too_late(self._waiting_s(stretch.ends[-1]))

    def _leave_out(self, stretch: Stretch) -> None:
        count = self._skipping[0] if self._skipping else 0
        self._skipping = count + len(stretch), stretch.ends[-1]
        self.level_dbfs = stretch.levels_dbfs[-1]

    def _due(self, end_sample: float = float("inf")) -> Iterator[Health]:
        """Yield what was found of the sound up to a position, so that events come in the order of their times."""
        while self.found and self.found[0].time_sample <= end_sample:
            yield self.found.popleft()

    def _skipped(self) -> Iterator[Skipped]:
        """Report the windows that were left out, all together; the decoder forgets as after a gap."""
        if self._skipping is None:
            return
        (count, end), self._skipping = self._skipping, None
        samples = count * self.hop_samples
        self.skipped_windows += count
        self.skipped_samples += samples
        self._decoder.gap()
        if self.tape is not None:
            self.tape.skip(end, count, samples)
        yield Skipped(time_sample=end, windows=count, samples=samples)

    def _anew(self, stretch: Stretch) -> Iterator[Floats]:
        """Scores after windows were left out: a network with state sees all that the first one depends on."""
        self._scorer.reset()
        for number in range(len(stretch)):
            window = stretch.window(number)
            yield self._scorer.score(window.frames, window.new if number else len(window.frames))

    def _scores(self, stretch: Stretch, *, anew: bool) -> Iterable[Floats]:
        """Scores, shape (labels,), of each window in turn, valid until the next."""
        if anew:
            return self._anew(stretch)
        if len(stretch) == 1:
            return (self._scorer.score(stretch.frames, stretch.new),)
        if self._many and stretch.new == stretch.hop_frames:
            return self._many.score_hops(stretch.frames, len(stretch))
        windows = (stretch.window(number) for number in range(len(stretch)))
        return (self._scorer.score(window.frames, window.new) for window in windows)

    def _moment(self, end_sample: int, loudest_dbfs: float) -> Moment:
        verdicts = self._decoder.verdicts(self.scores, end_sample)
        return Moment(end_sample, loudest_dbfs, self.scores.copy(), self.smoothed.copy(), verdicts)

    def _detection(self, keyword: str, score: float, window: Window) -> Detection:
        first, last = word_span(window.frames, self._windows.config)
        begin = window.end_sample - self.context_samples
        return Detection(
            keyword=keyword,
            score=score,
            time_sample=window.end_sample,
            start_sample=max(0, begin + first),
            end_sample=min(window.end_sample, begin + last),
        )
