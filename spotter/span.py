"""Where in a window the word lies that was just heard: an estimate from the energy of its frames."""

from __future__ import annotations

import numpy as np

from spotter.arrays import Floats
from spotter.settings import FrontendConfig

_PAUSE_MS = 120.0  # a stop's closure inside a word is shorter
_LATEST_MS = 800.0  # a decision comes within that of the word's loudest moment
_LONGEST_MS = 1_000.0  # of a word; of a phrase, all but so much of what its model looks at:
_BEFORE_MS = 500.0


def word_span(frames: Floats, config: FrontendConfig) -> tuple[int, int]:
    """First sample of the word and first after it, counted from the start of the window.

    Parameters
    ----------
    frames : float32, shape (frames, bins)
        The deciding window. The span grows from the loudest frame of its last 0.8 s over pauses of up
        to 120 ms, down to 20 dB below that frame or 6 dB above the floor, whichever is higher.
    """
    frames = frames[:, : config.own_bins]
    power = np.exp((frames - config.offset) / config.gain) if config.kind == "log_mel" else np.square(frames)
    loud = power[:, 2:].sum(axis=1)
    per_ms = config.sample_rate / config.hop_samples / 1_000.0
    reach = min(len(loud), round(_LATEST_MS * per_ms))
    peak = len(loud) - reach + int(np.argmax(loud[len(loud) - reach :]))
    floor = float(np.percentile(loud, 10))
    active = loud >= max(loud[peak] * 0.01, min(floor * 4.0, loud[peak] * 0.5))
    pause, longest = round(_PAUSE_MS * per_ms), max(round(_LONGEST_MS * per_ms), len(loud) - round(_BEFORE_MS * per_ms))
    last = _grow(active, peak, 1, pause, longest)
    first = _grow(active, peak, -1, pause, longest)
    first = max(first, last - longest)
    return first * config.hop_samples, last * config.hop_samples + config.frame_samples


def _grow(active: np.ndarray[tuple[int], np.dtype[np.bool_]], peak: int, step: int, pause: int, longest: int) -> int:
    """Furthest active frame in one direction with no pause longer than `pause` on the way."""
    edge = at = peak
    while 0 <= at + step < len(active) and abs(at + step - edge) <= pause and abs(at + step - peak) <= longest:
        at += step
        if active[at]:
            edge = at
    return edge
