"""What would have been heard with other settings: kept scores through the decoder, from where they begin.

The same `Decoder` that decides while listening, and the same `Explainer`; so with the settings in use this gives
what was heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from spotter.arrays import Floats
from spotter.decoder import Decoder
from spotter.explain import Explanation, Moment
from spotter.explainer import Explainer
from spotter.page.kept import Rows
from spotter.settings import DecoderConfig

_WORTH: Final = np.float32(0.49)  # of a threshold: a little less than what an explainer calls near


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """What the decoder said of some windows."""

    smoothed: Floats  # shape (windows, keywords)
    noise_share: Floats  # shape (windows,), of the thresholds that sufficed
    found: list[Explanation]  # events, and what was held back, in the order in which that was certain


class Replay:
    """One run of the decoder over kept windows; goes on where it was.

    Parameters
    ----------
    labels, keywords : of the model
    config : the settings to try
    hop_samples : samples between two windows
    """

    def __init__(self, labels: Sequence[str], keywords: Sequence[str], config: DecoderConfig, hop_samples: int) -> None:
        self.config = config
        self.next = 0  # number of the window that comes next
        self._decoder = Decoder(labels, keywords, config, hop_samples)
        self._explainer = Explainer(labels, config, hop_samples)
        self._columns = [labels.index(keyword) for keyword in keywords]
        self._worth = _WORTH * np.array([config.threshold_of(keyword) for keyword in keywords], np.float32)
        self._near = True  # the last window was worth an explanation

    def go_on(self, rows: Rows) -> Replayed:
        """Decide the next windows; those that are not kept any more are passed over as after a gap."""
        smoothed = np.empty((len(rows), len(self._columns)), np.float32)
        share = np.empty(len(rows), np.float32)
        anew = rows.anew.tolist()
        if len(rows) and rows.first != self.next:
            anew[0] = True
        ends, loudest, floors = rows.ends.tolist(), rows.loudest_dbfs.tolist(), rows.floor_dbfs.tolist()
        for n, scores in enumerate(rows.scores):
            if anew[n]:
                self._decoder.gap()
            self._decoder.step(scores, ends[n], loudest[n], floors[n])
            self._decoder.smoothed.take(self._columns, out=smoothed[n])
            share[n] = self.config.share_in_noise(loudest[n] - floors[n])
            self._explain(ends[n], loudest[n], scores, smoothed[n], share[n])
        self.next = rows.first + len(rows)
        found = list(self._explainer.found)
        self._explainer.found.clear()
        return Replayed(smoothed, share, found)

    def finish(self) -> list[Explanation]:
        """Return what was still rising when the stream ended."""
        self._explainer.finish()
        found = list(self._explainer.found)
        self._explainer.found.clear()
        return found

    def _explain(self, end: int, loudest: float, scores: Floats, smoothed: Floats, share: float) -> None:
        """Show the explainer the window; with reasons only where it would do something with them."""
        worth = self._worth * share
        near = bool((smoothed >= worth).any() or (scores.take(self._columns) >= worth).any())
        verdicts = self._decoder.verdicts(scores, end) if near or self._near else ()
        self._near = near  # the first window after a rise tells the explainer that it is over
        self._explainer.see(Moment(end, loudest, scores, smoothed, verdicts))
