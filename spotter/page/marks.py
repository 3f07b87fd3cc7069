"""What somebody said of an event, beside a clip of it, where `python -m train review` finds both.

A clip is named and described as those of `listen --save`; in its JSON file, `mark` is "right" (the word was said) or
"wrong" (it was not).
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from spotter.clip_files import clip_name, model_facts, plain, save, write_over
from spotter.errors import BadInputError
from spotter.model_folders import user_models_folder
from spotter.page.kept import Kept
from spotter.saving import AFTER_S, BEFORE_S
from spotter.settings import SAMPLE_RATE

_MOST_REMEMBERED: Final = 1_000
_SAME_S: Final = 60.0  # clocks are read twice


def user_clips_folder() -> Path:
    """Return where marked clips go if nothing else is said; it need not exist."""
    return user_models_folder().parent / "clips"


class Marks:
    """Writes marks.

    Parameters
    ----------
    folder : Path
        Where clips go; made with the first.
    model, source : what hears, and the name of what is heard
    time_of_day : callable, optional
        From seconds of stream time to when, in UTC, they were recorded; for a live source.
    """

    def __init__(
        self, folder: Path, model: Any, source: str, kept: Kept, time_of_day: Callable[[float], datetime] | None
    ) -> None:
        self.folder = folder
        self._model, self._source, self._kept, self._time_of_day = model_facts(model), source, kept, time_of_day
        self._written: OrderedDict[tuple[str, int], Path] = OrderedDict()

    def mark(self, keyword: str, time_sample: int, score: float, threshold: float, *, right: bool) -> Path:
        """Write a mark, and the clip if it is not there yet; return the clip's path.

        Raises
        ------
        BadInputError
            The audio is not kept any more, or cannot be written.
        """
        answer = "right" if right else "wrong"
        time_s = time_sample / SAMPLE_RATE
        about: dict[str, Any] = {
            "keyword": keyword,
            "time": round(time_s, 4),
            "score": round(score, 4),
            "threshold": round(threshold, 4),
            "source": self._source,
        }
        if self._time_of_day is not None:
            about["wall"] = self._time_of_day(time_s).isoformat(timespec="milliseconds")
        try:
            path = self._written.get((keyword, time_sample)) or self._saved(about)
            if path is not None and path.exists() and self._add(path, answer):
                return self._remember(keyword, time_sample, path)
            begin, samples = clip(self._kept, time_sample)
            if not len(samples):
                raise BadInputError(f"the audio of {time_s:.1f} s is not kept any more; mark events while it is there")
            about |= {"clip_start": round(begin / SAMPLE_RATE, 4), "model": self._model, "mark": answer}
            self.folder.mkdir(parents=True, exist_ok=True)
            sound = samples.astype(np.float32) / np.float32(32_768.0)
            return self._remember(keyword, time_sample, save(self.folder, clip_name(about), sound, about))
        except OSError as error:
            raise BadInputError(
                f"the mark cannot be written to {self.folder} ({error.strerror}); make room, or check its rights"
            ) from None

    def _saved(self, about: dict[str, Any]) -> Path | None:
        """Return the clip of the same event that `listen --save` wrote into the folder."""
        for beside in self.folder.glob(f"{plain(about['keyword'])}_*.json") if self.folder.is_dir() else ():
            values = _read(beside)
            same = all(values.get(key) == about[key] for key in ("keyword", "time", "source"))
            if same and _near(values.get("wall"), about.get("wall")) and beside.with_suffix(".wav").exists():
                return beside.with_suffix(".wav")
        return None

    def _add(self, path: Path, answer: str) -> bool:
        beside = path.with_suffix(".json")
        values = _read(beside)
        if values:
            text = json.dumps({**values, "mark": answer}, ensure_ascii=False, indent=2)
            write_over(beside, f"{text}\n".encode())
        return bool(values)

    def _remember(self, keyword: str, time_sample: int, path: Path) -> Path:
        self._written[keyword, time_sample] = path
        while len(self._written) > _MOST_REMEMBERED:
            self._written.popitem(last=False)
        return path


def clip(kept: Kept, time_sample: int) -> tuple[int, np.ndarray[Any, np.dtype[np.int16]]]:
    """Return where the clip of a decision begins, and its samples; it bridges no gap, and may be empty."""
    begin = max(kept.begin, time_sample - round(BEFORE_S * SAMPLE_RATE))
    end = min(kept.end, time_sample + round(AFTER_S * SAMPLE_RATE))
    for first, last in kept.gaps(begin, end):
        begin, end = (last, end) if last <= time_sample else (begin, min(end, first))
    return begin, kept.audio(begin, end)


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _near(one: object, other: object) -> bool:
    if not (isinstance(one, str) and isinstance(other, str)):
        return one is other
    try:
        return abs((datetime.fromisoformat(one) - datetime.fromisoformat(other)).total_seconds()) < _SAME_S
    except (ValueError, TypeError):
        return False
