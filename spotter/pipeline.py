"""The stages joined: samples in, events out; no thread, no clock, no device."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.decoder import Decoder
from spotter.errors import BadInputError
from spotter.events import Detection, Event, Gap, Health, Skipped
from spotter.explain import Moment
from spotter.health import HealthMonitor
from spotter.resample import Resampler
from spotter.ring import Lost, Ring
from spotter.settings import SAMPLE_RATE, DecoderConfig, FrontendConfig
from spotter.span import word_span
from spotter.tape import Tape
from spotter.windows import Stretch, Window, Windows

RING_S = 8.0  # how far the reader may fall behind the writer before audio is lost
_LONGEST_HOP_MS = 1_000
_USUAL_HOP_MS = 100.0
_LOUDEST = 1e6  # full scale is 1
_TAIL_S = 0.6  # of silence after a recording, so that a word at its very end is decided


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


class Spotter:
    """Samples in, events out.

    Parameters
    ----------
    model : Model
        An opened model; several may share its weights.
    sample_rate, channels
        Of the blocks that will be written.
    hop_ms : float, optional
        Time between two windows; left out, the valid one nearest to 100 ms.
    decoder : DecoderConfig, optional
        In the place of the model's own settings.
    padded : bool
        The recording begins and ends in silence, so that a word at its very edge counts; for files.
        A live stream has a past that nobody knows: its first window ends when `context` is filled.
    channel : int, optional
        The one that is heard, counted from 1; left out: the mean of all.
    ring_seconds : float
        How far the reader may fall behind the writer before audio is lost.
    tap : callable, optional
        Is shown each window and its scores, shape (labels,), both valid during the call only.
    explain : callable, optional
        Is shown each window's decision with its reasons, before the events of that window come;
        `spotter.explainer.Explainer.see` is one. Reasons are worked out only where this is given.

    Attributes
    ----------
    too_late : callable, optional
        Is told before windows are judged how many seconds of audio wait after them, and says whether to leave
        these out; `spotter.overload.Overload` is one. All audio is taken in all the same.
    health : HealthMonitor, optional
        Finds what cannot be the sound of a working microphone; `Health` events come, and nothing else changes.
    tape : Tape, optional
        Is told everything that is read; `spotter.record.Recorder` is one.
    """

    def __init__(
        self,
        model: Network,
        *,
        sample_rate: int = SAMPLE_RATE,
        channels: int = 1,
        hop_ms: float | None = None,
        decoder: DecoderConfig | None = None,
        padded: bool = False,
        channel: int | None = None,
        ring_seconds: float = RING_S,
        tap: Callable[[Window, Floats], None] | None = None,
        explain: Callable[[Moment], object] | None = None,
    ) -> None:
        self.labels, self.keywords = model.labels, model.keywords
        self.hop_samples = hop_for(model, hop_ms)
        self._rate = sample_rate
        self._padded = padded
        self._tap = tap
        self._explain = explain
        self.too_late: Callable[[float], bool] | None = None
        self.health: HealthMonitor | None = None
        self.tape: Tape | None = None
        self._channel = channel
        self._resampler = Resampler(sample_rate, channels, channel)  # also says what is wrong with rate or channels
        self.ring = Ring(int(sample_rate * ring_seconds), channels)
        self._windows = Windows(model.frontend, model.context, self.hop_samples)
        self._scorer = model.scorer(self.hop_samples)
        self._many = self._scorer if isinstance(self._scorer, ManyScorer) else None
        self._decoder = Decoder(model.labels, model.keywords, decoder or model.decoder, self.hop_samples)
        self.scores = np.zeros(len(model.labels), np.float32)
        self._start()

    def _start(self) -> None:
        self.windows = 0  # judged so far
        self.detections = 0
        self.lost_samples = 0  # at 16 kHz
        self.skipped_windows = 0  # left out since it was too late for them
        self.skipped_samples = 0  # of stream time, at 16 kHz
        self.level_dbfs = -120.0  # of the last hop
        self.scores[:] = 0.0  # of the last window
        self._working: Iterator[Event] | None = None  # what `events` is in the middle of
        self._origin = 0  # where the stream of the present device began, at 16 kHz
        self._device_frames = 0  # read of it so far, lost ones included
        self._earlier_overflows = 0  # of the rings before this one
        self._gap_from: int | None = None  # where a gap began that is not reported yet
        self._reason = ""
        self._skipping: tuple[int, int] | None = None  # windows left out just now, and the end of the last
        self._fresh = True  # nothing came in this segment
        self._begun = False  # nothing came at all
        self._found: deque[Health] = deque()  # not reported yet
        self._windows.begin(0)

    @property
    def position(self) -> int:
        """Samples of stream time read so far."""
        return self._origin + round(self._device_frames * SAMPLE_RATE / self._rate)

    @property
    def overflows(self) -> int:
        """How often audio was lost since the reader was late."""
        return self._earlier_overflows + self.ring.overflows

    @property
    def smoothed(self) -> Floats:
        """Smoothed scores of the last window, shape (labels,)."""
        return self._decoder.smoothed

    def write(self, block: Floats) -> None:
        """Store a block, shape (frames,) or (frames, channels); only copies, the audio callback may call it."""
        self.ring.write(block)

    def events(self) -> Iterator[Event]:
        """Work through everything that was written; yield what was heard.

        A loop that is left early finds the rest at its next call.
        """
        if self._working is None:
            self._working = self._work()
        yield from self._drain()

    def _drain(self) -> Iterator[Event]:
        while self._working is not None:
            event = next(self._working, None)
            if event is None:
                self._working = None
            else:
                yield event

    def _work(self) -> Iterator[Event]:
        while (piece := self.ring.read()) is not None:
            if self.tape is not None:
                _keep(self.tape, piece)
            if isinstance(piece, Lost):
                yield from self._lose(piece.frames, piece.reason)
            elif np.minimum.reduce(piece, axis=None) >= -_LOUDEST and np.maximum.reduce(piece, axis=None) <= _LOUDEST:
                yield from self._hear(piece)
            else:  # NaN is neither
                yield from self._hear_usable(piece)

    def finish(self) -> Iterator[Event]:
        """Yield what is left to be heard when no more will be written."""
        self.ring.flush()
        yield from self.events()
        self._working = self._end()
        yield from self._drain()

    def miss(self, samples: int, reason: str) -> Iterator[Event]:
        """Let stream time go on by so many samples at 16 kHz that nobody recorded; yield what was heard before.

        Everything that was written must have been read. The gap is reported when audio comes again, or at the end.
        """
        if self.tape is not None:
            self.tape.miss(samples, reason)
        self._working = self._miss(samples, reason)
        yield from self._drain()

    def take(self, ring: Ring, sample_rate: int, channels: int) -> None:
        """Go on with what another stream writes into a ring of its own, at its own rate; right after `miss`."""
        self._origin, self._device_frames = self.position, 0
        self._earlier_overflows += self.ring.overflows
        self._rate, self.ring = sample_rate, ring
        self._resampler = Resampler(sample_rate, channels, self._channel)
        if self.tape is not None:
            self.tape.begin(sample_rate, channels)

    def _miss(self, samples: int, reason: str) -> Iterator[Event]:
        yield from self._break_off(reason)
        self._origin += samples

    def _end(self) -> Iterator[Event]:
        begun = not self._fresh
        if begun and self._gap_from is None:
            yield from self._judge(self._resampler.finish())
        if begun and self._padded:
            tail = round(_TAIL_S * SAMPLE_RATE) + self.hop_samples
            yield from self._judge(np.zeros(tail, np.float32))
        yield from self._skipped()
        yield from self._due()
        if self._gap_from is not None:
            yield self._gap()

    def reset(self) -> None:
        """Be as new; while nothing is being written."""
        self.ring.reset()
        self._resampler.reset()
        self._scorer.reset()
        self._decoder.reset()
        if self.health is not None:
            self.health.reset()
        self._start()

    def _hear(self, frames: Floats) -> Iterator[Event]:
        if self._gap_from is not None:
            yield self._gap()
        if self._fresh:
            yield from self._lead_in()
        self._device_frames += len(frames)
        samples = self._resampler.push(frames)
        if self.health is not None:
            self._found.extend(self.health.hear(samples))
        yield from self._judge(samples)

    def _hear_usable(self, frames: Floats) -> Iterator[Event]:
        """NaN, infinite and absurdly large samples are no sound: a gap is in their place."""
        good = np.asarray(_usable(frames).all(axis=1))
        edges = [0, *(np.flatnonzero(good[1:] != good[:-1]) + 1).tolist(), len(good)]
        for first, last in pairwise(edges):
            if good[first]:
                yield from self._hear(frames[first:last])
            else:
                yield from self._lose(last - first, "invalid")

    def _lead_in(self) -> Iterator[Event]:
        """Before a padded recording lies as much silence as a window needs."""
        self._fresh = False
        if self._padded and not self._begun:
            context = self._windows.context_samples
            self._windows.begin(self.position - context)
            yield from self._judge(np.zeros(context, np.float32))
        self._begun = True

    def _lose(self, frames: int, reason: str) -> Iterator[Event]:
        """Frames are missing here: finish what was before, then begin anew when audio comes."""
        yield from self._break_off(reason)
        self._device_frames += frames

    def _break_off(self, reason: str) -> Iterator[Event]:
        if self._gap_from is None and not self._fresh:
            yield from self._judge(self._resampler.finish())
            yield from self._skipped()
            yield from self._due()
        if self._gap_from is not None and reason != self._reason:
            yield self._gap()
        if self._gap_from is None:
            self._gap_from = self.position
        self._reason = reason

    def _gap(self) -> Gap:
        begin = self.position if self._gap_from is None else self._gap_from
        samples = max(1, self.position - begin)  # a frame of a faster device may be less; it is missing all the same
        gap = Gap(time_sample=self.position, samples=samples, reason=self._reason)
        self.lost_samples += samples
        self._gap_from, self._reason = None, ""
        self._windows.begin(self.position)
        self._resampler.reset()
        self._scorer.reset()
        self._decoder.gap()
        if self.health is not None:
            self.health.begin(self.position)
        self._fresh = True
        return gap

    def _judge(self, samples: Floats) -> Iterator[Event]:
        for stretch in self._windows.stretches(samples):
            if self.too_late is not None and self._leaves_out(stretch, self.too_late):
                continue
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
                if self._found:
                    yield from self._due(end)
                loudest, floor = stretch.loudest_dbfs[number], stretch.floor_dbfs[number]
                heard = self._decoder.step(self.scores, end, loudest, floor)
                if self._explain is not None:
                    self._explain(self._moment(end, loudest))
                for fired in heard:
                    self.detections += 1
                    yield self._detection(fired.keyword, fired.score, stretch.window(number))

    def _due(self, end_sample: float = float("inf")) -> Iterator[Health]:
        """Yield what was found of the sound up to a position, so that events come in the order of their times."""
        while self._found and self._found[0].time_sample <= end_sample:
            yield self._found.popleft()

    def _leaves_out(self, stretch: Stretch, too_late: Callable[[float], bool]) -> bool:
        end = stretch.end_sample + (len(stretch) - 1) * stretch.hop_samples
        waiting = self.ring.waiting / self._rate + (self.position - end) / SAMPLE_RATE
        if not too_late(waiting):
            return False
        count = self._skipping[0] if self._skipping else 0
        self._skipping = count + len(stretch), end
        self.level_dbfs = stretch.levels_dbfs[-1]
        return True

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
            self.tape.skip(end, count)
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
        begin = window.end_sample - self._windows.context_samples
        return Detection(
            keyword=keyword,
            score=score,
            time_sample=window.end_sample,
            start_sample=max(0, begin + first),
            end_sample=min(window.end_sample, begin + last),
        )


def _keep(tape: Tape, piece: Floats | Lost) -> None:
    if isinstance(piece, Lost):
        tape.lose(piece.frames, piece.reason)
    else:
        tape.hear(piece)


def _usable(samples: Floats) -> npt.NDArray[np.bool_]:
    """Which samples can be worked with; their squares must stay finite."""
    return np.asarray(np.abs(samples) <= _LOUDEST)


def hop_for(model: Network, hop_ms: float | None) -> int:
    """Samples of the hop that is asked for, or of the valid one nearest to 100 ms."""
    unit = int(np.lcm(model.step, model.frontend.hop_samples))
    unit_ms = unit * 1_000 / SAMPLE_RATE
    if hop_ms is None:
        return unit * max(1, round(_USUAL_HOP_MS / unit_ms))
    count = hop_ms / unit_ms
    if not (0 < hop_ms <= _LONGEST_HOP_MS) or abs(count - round(count)) > 1e-6 or round(count) < 1:
        raise BadInputError(
            f"a hop of {hop_ms:g} ms is not possible with this model; give a multiple of {unit_ms:g} ms "
            f"up to {_LONGEST_HOP_MS} ms: {unit_ms:g}, {2 * unit_ms:g}, {3 * unit_ms:g} …"
        )
    return unit * round(count)
