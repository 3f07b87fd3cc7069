"""Keywords in audio that is all there: samples in, detections out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.events import Detection, Event
from spotter.judge import Network
from spotter.model import Model
from spotter.pipeline import Spotter
from spotter.settings import DecoderConfig, with_threshold
from spotter.sources import check_format


def spot(
    samples: npt.NDArray[np.float32] | npt.NDArray[np.int16],
    sample_rate: int,
    model: str | Path | Network = "commands",
    *,
    hop_ms: float | None = None,
    threshold: float | Mapping[str, float] | None = None,
    decoder: DecoderConfig | None = None,
) -> list[Detection]:
    """Return the keywords heard in audio in hand, which begins and ends in silence.

    Parameters
    ----------
    samples : float32 or int16, shape (samples,) or (samples, channels)
        Full scale is -1..1, or that of int16.
    sample_rate : int
        Hz; any.
    model : str, Path or Model
        A shipped name, a folder, or an opened model.
    hop_ms, threshold, decoder
        As in `Listener`.

    Raises
    ------
    BadInputError
        Samples of another shape or type, or that are not finite.
    """
    audio = _as_floats(np.asarray(samples))
    if not np.isfinite(audio).all():
        raise BadInputError("the samples hold NaN or infinite values; replace them first")
    channels = 1 if audio.ndim == 1 else audio.shape[1]
    sample_rate = check_format(sample_rate, channels)
    network = Model.open(model) if isinstance(model, str | Path) else model
    spotter = Spotter(
        network,
        sample_rate=sample_rate,
        channels=channels,
        hop_ms=hop_ms,
        decoder=with_threshold(decoder or network.decoder, threshold, network.keywords),
        padded=True,
    )
    events: list[Event] = []
    for at in range(0, len(audio), sample_rate):
        spotter.write(audio[at : at + sample_rate])
        events.extend(spotter.events())
    events.extend(spotter.finish())
    return [e for e in events if isinstance(e, Detection)]


def _as_floats(samples: npt.NDArray[Any]) -> Floats:
    if samples.ndim not in (1, 2):
        raise BadInputError(f"samples of shape {samples.shape} are no audio; give (samples,) or (samples, channels)")
    if samples.dtype == np.int16:
        return samples.astype(np.float32) / np.float32(32_768)
    if not np.issubdtype(samples.dtype, np.floating):
        raise BadInputError(f"samples of type {samples.dtype} are not understood; give float32 (-1..1) or int16")
    return samples.astype(np.float32)
