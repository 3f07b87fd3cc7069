"""One client's conversation: frames in, answers out; no socket, thread or clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from spotter.errors import BadInputError, SpotterError
from spotter.events import Skipped
from spotter.pipeline import Spotter
from spotter.serving.lateness import Lateness
from spotter.serving.stream import PIECE_S, WIDTH, ClientStream, piece_frames

if TYPE_CHECKING:
    from typing_extensions import TypeIs
    from wyoming.event import Event

    from spotter.arrays import Floats
    from spotter.events import Detection
    from spotter.judge import Network
    from spotter.serving.frames import Frame
    from spotter.serving.words import Word, Words
    from spotter.settings import DecoderConfig

_MOST_SAMPLES: Final = 1_536_000  # a second, all channels together


class Service:
    """What all clients share.

    Parameters
    ----------
    words : Words
        What is offered.
    networks : sequence of Network
        Of each model, what its streams are judged with.
    decoders : sequence of DecoderConfig
        Of each model.
    hop_ms : float, optional
        As for `Spotter`.
    """

    def __init__(
        self,
        words: Words,
        networks: Sequence[Network],
        decoders: Sequence[DecoderConfig],
        hop_ms: float | None = None,
    ) -> None:
        self.words = words
        self._networks, self._decoders, self._hop_ms = networks, decoders, hop_ms
        self.info = words.info().event()

    def spotter(self, model: int, sample_rate: int, channels: int) -> Spotter:
        """Begin a stream; it begins and ends in silence, as a client's does."""
        return Spotter(
            self._networks[model],
            sample_rate=sample_rate,
            channels=channels,
            hop_ms=self._hop_ms,
            decoder=self._decoders[model],
            padded=True,
            ring_seconds=2 * piece_frames(sample_rate, channels) / max(1, sample_rate),
        )


class Session:
    """One client's state.

    Parameters
    ----------
    service : Service
        Shared with the other clients.
    say : callable
        Takes a sentence for the log, one a problem.
    """

    def __init__(self, service: Service, say: Callable[[str], None]) -> None:
        self._service, self._say = service, say
        self._wanted, _ = service.words.named(())
        self._answers: dict[str, Callable[[Frame], Iterator[Event | float]]] = {
            "describe": self._describe,
            "detect": self._detect,
            "audio-start": self._start,
            "audio-stop": self._stop,
            "ping": self._ping,
        }
        self._stream: ClientStream | None = None
        self._format: tuple[int | None, ...] | None = None  # that the stream has, or had when it was refused
        self._shape: tuple[object, ...] | None = None  # the same, as the last chunk said it
        self._announced: dict[str, Any] = {}  # what `audio-start` said
        self._heard = False  # whether anything was, since the stream began
        self._lateness, self._came_s = Lateness(), 0.0  # of audio, in all streams
        self._late = False  # whether windows are left out now
        self.skipped_s = 0.0  # of audio in which nothing was decided for that, so far

    def look(self, now_s: float, waiting_bytes: int) -> None:
        """Be told of a moment of a steady clock, and how much came that is not worked through.

        From then on windows are left out, or judged again.
        """
        if self._stream is not None:
            waiting_s = waiting_bytes / (self._stream.frame_bytes * self._stream.rate)
            self._late = self._lateness.look(now_s, self._came_s, waiting_s)

    def rest(self) -> None:
        """Be told that nothing waits."""
        self._lateness.rest()

    def hear(self, frame: Frame, *, more: bool = False) -> Iterator[Event | float]:
        """Take a frame; yield answers, and after each piece of audio how many seconds it was: there others may go on.

        Where `more` frames are there already, audio may wait for them, or for `settle`. What is not for a wake-word
        service is passed over, as the protocol asks.
        """
        if frame.type == "audio-chunk":
            return self._chunk(frame, more=more)
        answer = self._answers.get(frame.type)
        return answer(frame) if answer else iter(())

    def settle(self) -> Iterator[Event | float]:
        """Work through the audio that waited for more; yield as `hear` does."""
        return iter(()) if self._stream is None else self._work(self._stream, self._stream.pieces(more=False))

    def _describe(self, _: Frame) -> Iterator[Event]:
        yield self._service.info

    def _ping(self, frame: Frame) -> Iterator[Event]:
        from wyoming.ping import Pong

        text = frame.data.get("text")
        # JSON may hold half a character ("\\ud800"), which cannot be sent back.
        yield Pong(text=text.encode(errors="replace").decode() if isinstance(text, str) else None).event()

    def _detect(self, frame: Frame) -> Iterator[Event]:
        names = frame.data.get("names") or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            yield self._problem("names is no list of texts; send the names of wake words, or none", "bad-names")
            return
        self._wanted, unknown = self._service.words.named(names)
        self._forget()
        if unknown:
            there = ", ".join(self._service.words.by_name)
            missing = ", ".join(repr(name[:40]) for name in unknown[:5])
            yield self._problem(f"no wake word called {missing}; there are {there}", "unknown-wake-word")

    def _start(self, frame: Frame) -> Iterator[Event]:
        self._forget()
        self._announced = frame.data
        yield from ()

    def _stop(self, _: Frame) -> Iterator[Event | float]:
        if self._stream is not None:
            yield from self._work(self._stream, self._stream.rest())
            yield from self._told(self._stream, self._stream.finish())
        if not self._heard:
            from wyoming.wake import NotDetected

            yield NotDetected().event()
        self._forget()

    def _chunk(self, frame: Frame, *, more: bool) -> Iterator[Event | float]:
        said = frame.data.get
        shape: tuple[object, ...] = (said("rate"), said("width"), said("channels"))
        if None in shape and self._announced:
            shape = tuple(frame.data.get(key, self._announced.get(key)) for key in ("rate", "width", "channels"))
        if shape != self._shape:
            self._shape = shape
            yield from self._take_format(tuple(value if _is_whole(value) else None for value in shape))
        if self._stream is None:  # nobody wants a word of it, or it cannot be heard, which was said
            return
        timestamp = said("timestamp")
        if not _is_whole(timestamp):
            begin = self._announced.get("timestamp")
            timestamp = (begin if _is_whole(begin) else 0) + self._stream.milliseconds
        if len(frame.payload) % self._stream.frame_bytes:
            self._stream = None
            sentence = f"{len(frame.payload)} bytes of audio are no whole frames; send whole ones"
            yield self._problem(sentence, "bad-audio")
            return
        self._stream.take(frame.payload, timestamp)
        self._came_s += len(frame.payload) / (self._stream.frame_bytes * self._stream.rate)
        yield from self._work(self._stream, self._stream.pieces(more=more))

    def _work(self, stream: ClientStream, pieces: Iterator[Floats]) -> Iterator[Event | float]:
        for piece in pieces:
            yield from self._told(stream, stream.hear(piece))
            yield len(piece) / stream.rate

    def _take_format(self, wanted: tuple[int | None, ...]) -> Iterator[Event | float]:
        """Begin a stream where the format is another one than before."""
        if wanted == self._format:
            return
        self._stream, self._format = None, wanted
        try:
            self._stream = self._begin(*wanted)
        except SpotterError as problem:
            yield self._problem(str(problem), "bad-audio")
            return
        yield PIECE_S  # it takes as long as some audio does: others have their turn

    def _begin(self, rate: int | None, width: int | None, channels: int | None) -> ClientStream | None:
        if rate is None or width is None or channels is None:
            raise BadInputError("audio came without its rate, width and channels; send whole numbers with it")
        if width != WIDTH:
            raise BadInputError(f"samples of {width} bytes are not taken; send 16-bit PCM, of 2 bytes")
        if rate * channels > _MOST_SAMPLES:
            raise BadInputError(
                f"{channels} channels at {rate} Hz are more than {_MOST_SAMPLES} samples a second; send fewer channels"
            )
        models = sorted({word.model for word in self._wanted})
        spotters = {model: self._service.spotter(model, rate, channels) for model in models}
        for spotter in spotters.values():
            spotter.judge.too_late = lambda _: self._late
        return ClientStream(spotters, rate, channels) if spotters else None

    def _told(self, stream: ClientStream, events: Iterator[tuple[int, Detection | Skipped]]) -> Iterator[Event]:
        from wyoming.wake import Detection as Answer

        for model, detection in events:
            if isinstance(detection, Skipped):
                self.skipped_s += detection.seconds
                continue
            word: Word = self._service.words.by_keyword[model][detection.keyword]
            if word in self._wanted:
                self._heard = True
                yield Answer(name=word.name, timestamp=stream.timestamp(detection.time_sample)).event()

    def _problem(self, sentence: str, code: str) -> Event:
        from wyoming.error import Error

        self._say(sentence)
        return Error(text=sentence, code=code).event()

    def _forget(self) -> None:
        """Begin anew: what was heard has nothing to do with what comes."""
        self._stream, self._format, self._shape, self._announced, self._heard = None, None, None, {}, False


def _is_whole(value: object) -> TypeIs[int]:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63
