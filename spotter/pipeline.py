"""The stages joined: samples in, events out; no thread, no clock, no device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.events import Event, Gap
from spotter.explain import Moment
from spotter.health import HealthMonitor
from spotter.judge import Judge, Network
from spotter.resample import Resampler
from spotter.ring import Lost, Ring
from spotter.settings import SAMPLE_RATE, DecoderConfig
from spotter.tape import Tape
from spotter.windows import Window

RING_S = 8.0  # how far the reader may fall behind the writer before audio is lost
_LONGEST_HOP_MS = 1_000
_USUAL_HOP_MS = 100.0
_LOUDEST = 1e6  # full scale is 1
_TAIL_S = 0.6  # of silence after a recording, so that a word at its very end is decided


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
    judge : Judge
        What cuts and judges the windows; its `too_late` and `left_out` say which of them to leave out. All audio is
        taken in all the same.
    health : HealthMonitor, optional
        Finds what cannot be the sound of a working microphone; `Health` events come, and nothing else changes.
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
        self.health: HealthMonitor | None = None
        self._channel = channel
        self._resampler = Resampler(sample_rate, channels, channel)  # also says what is wrong with rate or channels
        self.ring = Ring(int(sample_rate * ring_seconds), channels)
        self.judge = Judge(model, decoder or model.decoder, self.hop_samples, self._waiting_s, tap=tap, explain=explain)
        self._start()

    def _start(self) -> None:
        self.lost_samples = 0  # at 16 kHz
        self._working: Iterator[Event] | None = None  # what `events` is in the middle of
        self._origin = 0  # where the stream of the present device began, at 16 kHz
        self._device_frames = 0  # read of it so far, lost ones included
        self._earlier_overflows = 0  # of the rings before this one
        self._gap_from: int | None = None  # where a gap began that is not reported yet
        self._reason = ""
        self._fresh = True  # nothing came in this segment
        self._begun = False  # nothing came at all
        self.judge.begin(0)

    @property
    def position(self) -> int:
        """Samples of stream time read so far."""
        return self._origin + round(self._device_frames * SAMPLE_RATE / self._rate)

    @property
    def overflows(self) -> int:
        """How often audio was lost since the reader was late."""
        return self._earlier_overflows + self.ring.overflows

    @property
    def windows(self) -> int:
        """How many were judged so far."""
        return self.judge.windows

    @property
    def detections(self) -> int:
        """How many there were so far."""
        return self.judge.detections

    @property
    def skipped_windows(self) -> int:
        """How many were left out since it was too late for them."""
        return self.judge.skipped_windows

    @property
    def skipped_samples(self) -> int:
        """In how much of the stream nothing was decided for that, at 16 kHz."""
        return self.judge.skipped_samples

    @property
    def level_dbfs(self) -> float:
        """Root mean square of the last hop."""
        return self.judge.level_dbfs

    @property
    def scores(self) -> Floats:
        """Scores of the last window, shape (labels,)."""
        return self.judge.scores

    @property
    def smoothed(self) -> Floats:
        """Smoothed scores of the last window, shape (labels,)."""
        return self.judge.smoothed

    @property
    def tape(self) -> Tape | None:
        """Is told everything that is read; `spotter.record.Recorder` is one."""
        return self.judge.tape

    @tape.setter
    def tape(self, tape: Tape | None) -> None:
        self.judge.tape = tape

    def _waiting_s(self, end_sample: int) -> float:
        """How many seconds of audio wait after a position of the stream."""
        return self.ring.waiting / self._rate + (self.position - end_sample) / SAMPLE_RATE

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
            yield from self.judge.hear(self._resampler.finish())
        if begun and self._padded:
            tail = round(_TAIL_S * SAMPLE_RATE) + self.hop_samples
            yield from self.judge.hear(np.zeros(tail, np.float32))
        yield from self.judge.pause()
        if self._gap_from is not None:
            yield self._gap()

    def reset(self) -> None:
        """Be as new; while nothing is being written."""
        self.ring.reset()
        self._resampler.reset()
        self.judge.reset()
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
            self.judge.found.extend(self.health.hear(samples))
        yield from self.judge.hear(samples)

    def _hear_usable(self, frames: Floats) -> Iterator[Event]:
        """NaN, infinite and absurdly large samples are no sound: a gap is in their place."""
        good = np.asarray(_usable(frames).all(axis=1))
        edges = [0, *(np.flatnonzero(good[1:] != good[:-1]) + 1).tolist(), len(good)]
        for first, last in pairwise(edges):
            if good[first]:
                yield from self._hear(frames[first:last])
            else:
                yield from self._lose(last - first, "invalid")
                if self.health is not None:
                    yield from self.health.miss(round((last - first) * SAMPLE_RATE / self._rate))

    def _lead_in(self) -> Iterator[Event]:
        """Before a padded recording lies as much silence as a window needs."""
        self._fresh = False
        if self._padded and not self._begun:
            context = self.judge.context_samples
            self.judge.begin(self.position - context)
            yield from self.judge.hear(np.zeros(context, np.float32))
        self._begun = True

    def _lose(self, frames: int, reason: str) -> Iterator[Event]:
        """Frames are missing here: finish what was before, then begin anew when audio comes."""
        yield from self._break_off(reason)
        self._device_frames += frames

    def _break_off(self, reason: str) -> Iterator[Event]:
        if self._gap_from is None and not self._fresh:
            yield from self.judge.hear(self._resampler.finish())
            yield from self.judge.pause()
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
        self._resampler.reset()
        self.judge.begin_after_gap(self.position)
        if self.health is not None:
            self.health.begin(self.position)
        self._fresh = True
        return gap


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
