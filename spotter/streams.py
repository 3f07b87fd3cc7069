"""Many streams on one machine: each is heard as if it were alone, and all take turns on one network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from spotter.pipeline import Spotter
from spotter.settings import SAMPLE_RATE, DecoderConfig

if TYPE_CHECKING:
    from spotter.events import Event
    from spotter.model import Model
    from spotter.scorers import Scorer

RING_S: Final = 2.0  # how far a stream may fall behind; also how much of it is worked through before others have a turn


class Together:
    """A model whose streams take turns on one network, for `Spotter` in the place of the model.

    A stream then takes a third of the memory, and where there are many, the network's weights stay in the processor's
    cache. Scores are those of a stream alone, to the bit.
    """

    def __init__(self, model: Model) -> None:
        self.labels, self.keywords = model.labels, model.keywords
        self.frontend, self.decoder = model.frontend, model.decoder
        self.context, self.step = model.context, model.step
        self._model = model

    def scorer(self, hop_samples: int) -> Scorer:
        """Make the state for one stream."""
        return self._model.scorer(hop_samples, shared=True)


class Streams:
    """Holds many streams, for one thread that works through them.

    Parameters
    ----------
    model : Model
        Its weights serve all of them.
    hop_ms, decoder
        As for `Spotter`.
    ring_seconds : float
        Audio that may wait in each stream; what comes beyond that is lost, and reported as a `Gap`.

    Examples
    --------
    >>> streams = Streams(Model.open("commands"))
    >>> kitchen, hall = streams.open(), streams.open(sample_rate=48_000, channels=2)
    >>> kitchen.write(block)  # any thread, one a stream
    >>> for stream, event in streams.events():  # as often as audio comes
    ...     print("hall" if stream is hall else "kitchen", event)
    """

    def __init__(
        self,
        model: Model,
        *,
        hop_ms: float | None = None,
        decoder: DecoderConfig | None = None,
        ring_seconds: float = RING_S,
    ) -> None:
        self._network = Together(model)
        self._hop_ms, self._decoder, self._ring_seconds = hop_ms, decoder, ring_seconds
        self._open: dict[int, Spotter] = {}  # by identity
        self._left: int | None = None  # which of them a loop was left in

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self._open)

    def open(
        self, *, sample_rate: int = SAMPLE_RATE, channels: int = 1, channel: int | None = None, padded: bool = False
    ) -> Spotter:
        """Begin a stream; write its blocks into what comes back.

        Parameters
        ----------
        sample_rate, channels, channel, padded
            As for `Spotter`.

        Raises
        ------
        BadInputError
            A rate or a number of channels that cannot be heard.
        """
        stream = Spotter(
            self._network,
            sample_rate=sample_rate,
            channels=channels,
            channel=channel,
            padded=padded,
            hop_ms=self._hop_ms,
            decoder=self._decoder,
            ring_seconds=self._ring_seconds,
        )
        self._open[id(stream)] = stream
        return stream

    def events(self) -> Iterator[tuple[Spotter, Event]]:
        """Give each stream in which audio waits one turn; yield what was heard, and in which.

        A loop that is left early finds the rest at its next call.
        """
        for key, stream in tuple(self._open.items()):
            if key in self._open and (stream.ring.waiting or key == self._left):  # it may have been closed meanwhile
                self._left = key
                for event in stream.events():
                    yield stream, event
                self._left = None

    def close(self, stream: Spotter) -> list[Event]:
        """End a stream; return what is left to be heard in it."""
        self._open.pop(id(stream), None)
        return list(stream.finish())
