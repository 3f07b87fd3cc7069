"""What viewers are shown of one listener, and what they may have done."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict, deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from spotter.explain import Explanation, number
from spotter.page.kept import KEPT_S, Kept
from spotter.page.marks import Marks
from spotter.page.messages import Mark, Try
from spotter.page.picture import Picture
from spotter.page.whatif import Replay
from spotter.pipeline import hop_for
from spotter.running import is_live
from spotter.settings import SAMPLE_RATE, DecoderConfig
from spotter.user_settings import save_own, settings_file

if TYPE_CHECKING:
    from spotter.listener import Listener

_MOST_NOTICES: Final = 200
_MOST_MARKS: Final = 1_000


class Shown:
    """Follows a listener from before it starts; its parts are looked at by the thread that serves the page.

    Parameters
    ----------
    listener : Listener
        Which has not started.
    model : Model
        With its own settings, which the user's file goes before.
    clips : Path
        Where clips of what is marked go.
    seconds : float
        How much of the stream is kept.
    """

    def __init__(self, listener: Listener, model: Any, clips: Path, seconds: float = KEPT_S) -> None:
        self.listener, self.model = listener, model
        self.live = is_live(listener.source)
        self.hop_samples = hop_for(model, listener.hop_ms)
        self.kept = Kept(len(model.labels), self.hop_samples, seconds)
        self.picture = Picture(self.kept, model.frontend)
        self.columns = [model.labels.index(keyword) for keyword in model.keywords]
        self.marks = Marks(clips, model, listener.source.name, self.kept, listener.time_of_day if self.live else None)
        self.notices: deque[dict[str, Any]] = deque(maxlen=_MOST_NOTICES)
        self.noticed = 0  # so many in all
        self.marked: OrderedDict[tuple[str, int], bool] = OrderedDict()
        self._writing = threading.Lock()  # files are read and written again, and viewers may ask at once
        listener.tap, listener.sound = self.kept.judged, self.kept.sound

    @property
    def over(self) -> bool:
        """Whether no more will come."""
        return self.listener.spotter is not None and not self.listener.running

    @property
    def in_use(self) -> DecoderConfig:
        """The settings that the listener decides by."""
        return self.listener.decoder

    def replay(self, wanted: Try | None) -> Replay:
        """Begin a run of the decoder with other settings, or with those in use."""
        config = self.in_use
        if wanted is not None:
            config = dataclasses.replace(
                config, thresholds=dict(wanted.thresholds), smooth_ms=wanted.smooth_ms, margin=wanted.margin
            )
        return Replay(self.model.labels, self.model.keywords, config, self.hop_samples)

    def greeting(self) -> dict[str, Any]:
        """Return what a viewer is told at first."""
        return {
            "type": "greeting",
            "model": self.model.name,
            "keywords": list(self.model.keywords),
            "live": self.live,
            "source": self._source,
            "seconds": self.kept.seconds,
            "sample_rate": SAMPLE_RATE,
            "hop": self.hop_samples,
            "column": self.picture.hop_samples,
            "bands": self.picture.bands,
            "in_use": self._told(self.in_use),
            "of_model": self._told(self.model.decoder),
            "settings_file": str(settings_file()),
            "clips": str(self.marks.folder),
            "marks": [[keyword, time, right] for (keyword, time), right in self.marked.items()],
        }

    def status(self) -> dict[str, Any]:
        """Return how listening goes."""
        listener, spotter = self.listener, self.listener.spotter
        status: dict[str, Any] = {
            "type": "status",
            "waiting": listener.waiting,
            "over": self.over,
            "source": self._source,
        }
        if spotter is not None:
            lost = getattr(listener.source, "overflow_flags", 0)
            status |= {
                "rate": getattr(listener.source, "sample_rate", 0),
                "channels": getattr(listener.source, "channels", 0),
                "detections": spotter.detections,
                "overflows": spotter.overflows + lost,
                "lost_s": round(spotter.lost_samples / SAMPLE_RATE, 2),
                "skipped_s": round(spotter.skipped_samples / SAMPLE_RATE, 2),
            }
        return status

    def save(self, wanted: Try) -> dict[str, Any]:
        """Write settings into the user's file; return what to tell all viewers, or raise `BadInputError`."""
        with self._writing:
            path = save_own(
                self.model.name,
                self.model.decoder,
                wanted.thresholds,
                smooth_ms=wanted.smooth_ms,
                margin=wanted.margin,
            )
        return {"type": "saved", "path": str(path)}

    def mark(self, mark: Mark, score: float, threshold: float) -> dict[str, Any]:
        """Write a mark; return what to tell all viewers, or raise `BadInputError`."""
        key = mark.keyword, mark.time_sample
        with self._writing:
            path = self.marks.mark(*key, score, threshold, right=mark.right)
        self.marked[key] = mark.right
        while len(self.marked) > _MOST_MARKS:
            self.marked.popitem(last=False)
        values = {"keyword": mark.keyword, "time": mark.time_sample, "right": mark.right, "clip": path.name}
        return {"type": "marked", **values}

    def tell(self, notice: dict[str, Any]) -> None:
        """Tell all viewers."""
        self.notices.append(notice)
        self.noticed += 1

    @property
    def _source(self) -> str:
        name = self.listener.source.name  # of a device: another, where it has come back as another
        return name if self.live else Path(name).name

    def _told(self, config: DecoderConfig) -> dict[str, Any]:
        thresholds = {keyword: config.threshold_of(keyword) for keyword in self.model.keywords}
        return {"thresholds": thresholds, "smooth_ms": config.smooth_ms, "margin": config.margin}


def told(explanation: Explanation) -> dict[str, Any]:
    """Return what a viewer is told of a decision; times in samples."""
    verdict = explanation.verdict
    return {
        "keyword": verdict.keyword,
        "time": explanation.end_sample,
        "rule": verdict.rule,
        "why": explanation.why,
        "score": number(verdict.smoothed),
        "threshold": round(verdict.threshold, 4),
    }
