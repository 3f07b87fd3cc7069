"""A source that gives blocks when asked, through a pipeline, as fast as both can."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from spotter.events import Event
from spotter.pipeline import Spotter
from spotter.ring import Ring
from spotter.sources import Missing, Source


def pour(
    source: Source,
    spotter: Spotter,
    *,
    seconds: float | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Yield what is heard, to the end; what the source fails with is raised after all that came before it.

    Parameters
    ----------
    seconds : float, optional
        Hear no more than that.
    stopping
        Whether to end before the next block.
    """
    left = round(seconds * source.sample_rate) if seconds else None
    most = source.sample_rate  # a second at a time fits the ring, whatever the source thinks a block is
    blocks = source.blocks()
    error: Exception | None = None
    try:
        for block in blocks:
            if stopping():
                break
            if isinstance(block, Missing):
                yield from _miss(block, spotter, source.sample_rate)
                continue
            for at in range(0, len(block[:left]), most):
                spotter.write(block[:left][at : at + most])
                yield from spotter.events()
            if left is not None:
                left -= min(left, len(block))
                if not left:
                    break
    except Exception as caught:  # noqa: BLE001  raised again below
        error = caught
    finally:
        close = getattr(blocks, "close", None)
        if close:
            close()
    yield from spotter.finish()
    if error is not None:
        raise error


def _miss(missing: Missing, spotter: Spotter, sample_rate: int) -> Iterator[Event]:
    """Pass on what a recording says it lacks, as it came when it was made."""
    if missing.frames:
        spotter.ring.lose(missing.frames, missing.reason)
    else:
        spotter.ring.flush()
        yield from spotter.events()
        yield from spotter.miss(missing.samples, missing.reason)
        spotter.take(Ring(spotter.ring.capacity, spotter.ring.channels), sample_rate, spotter.ring.channels)
