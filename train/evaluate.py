"""A model on clips and on streams, through the listener's own pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spotter.arrays import Floats
from spotter.decoder import Decoder
from spotter.events import Detection
from spotter.model import Model
from spotter.pipeline import Spotter
from spotter.settings import SAMPLE_RATE, SILENCE, UNKNOWN, DecoderConfig
from spotter.windows import Window
from train.answers import Answers
from train.bank import read
from train.data import Row
from train.hearing import Hearing
from train.metrics import Matched, match, together
from train.progress import track
from train.streams import Stream

_MORE = 2  # windows that are kept beside those that smoothing looks at


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model said of a stream, kept so that settings can be tried without running it again.

    ends : intp, shape (windows,), end samples. levels, floors : float32, shape (windows,), dBFS.
    scores : float32, shape (windows, labels).
    """

    ends: np.ndarray[tuple[int], np.dtype[np.intp]]
    levels: Floats
    floors: Floats
    scores: Floats
    seconds: float


def score(model: Model, samples: Floats, *, hop_ms: float | None = None, padded: bool = True) -> Scored:
    """Run the pipeline over samples; keep each window's scores."""
    taps: list[tuple[int, float, float, Floats]] = []

    def tap(window: Window, scores: Floats) -> None:
        taps.append((window.end_sample, window.loudest_dbfs, window.floor_dbfs, scores.copy()))

    spotter = Spotter(model, hop_ms=hop_ms, padded=padded, tap=tap)
    for at in range(0, len(samples), SAMPLE_RATE):
        spotter.write(samples[at : at + SAMPLE_RATE])
        for _ in spotter.events():
            pass
    for _ in spotter.finish():
        pass
    ends, levels, floors, scores = zip(*taps, strict=True)
    heard = (np.array(levels, np.float32), np.array(floors, np.float32), np.stack(scores))
    return Scored(np.array(ends), *heard, len(samples) / SAMPLE_RATE)


def decode(model: Model, scored: Scored, config: DecoderConfig, hop_samples: int) -> list[Detection]:
    """Detections that a decoder with other settings makes of the same scores."""
    decoder = Decoder(model.labels, model.keywords, config, hop_samples)
    out: list[Detection] = []
    windows = zip(scored.ends.tolist(), scored.levels.tolist(), scored.floors.tolist(), scored.scores, strict=True)
    for end, level, floor, scores in windows:
        out.extend(
            Detection(keyword=f.keyword, score=f.score, time_sample=end, start_sample=end - SAMPLE_RATE, end_sample=end)
            for f in decoder.step(scores, end, level, floor)
        )
    return out


def worth_a_look(model: Model, scored: Scored, config: DecoderConfig) -> Scored:
    """The windows that can change what is decided, and those about them that smoothing looks at.

    A keyword can fire only where its smoothed score reaches the threshold, and be armed again only below a
    share of it; where for longer than the smoothing no score reaches that share, nothing changes.
    """
    columns = [model.labels.index(k) for k in model.keywords]
    if not len(scored.ends) or not columns:
        return scored
    lowest = 0.99 * config.noise_share * config.rearm * min(config.threshold_of(k) for k in model.keywords)
    hop = int(np.diff(scored.ends[:2])[0]) if len(scored.ends) > 1 else 1
    around = int(np.ceil(config.smooth_ms * SAMPLE_RATE / 1_000 / hop)) + _MORE
    active = ~(scored.scores[:, columns].max(axis=1) < lowest)  # scores that are no numbers count
    total = np.concatenate(([0], np.cumsum(active)))
    at = np.arange(len(active))
    keep = total[np.minimum(len(active), at + around + 1)] > total[np.maximum(0, at - around)]
    return Scored(scored.ends[keep], scored.levels[keep], scored.floors[keep], scored.scores[keep], scored.seconds)


def judge(model: Model, streams: Sequence[tuple[Stream, Scored]], config: DecoderConfig, hop_samples: int) -> Matched:
    """Match the detections of several streams with their words, all in one count."""
    return together(match(decode(model, s, config, hop_samples), t.words, model.keywords) for t, s in streams)


def clip_label(model: Model, samples: Floats) -> str:
    """The one label of a clip: that with the highest score of `Model.predict`."""
    return model.labels[int(model.predict(samples[: model.context - 1]).argmax())]


def clips(rows: Sequence[Row], keywords: Sequence[str], rng: np.random.Generator) -> list[Row]:
    """All clips of the keywords, and as many of the other words as a keyword has on average."""
    mine = [r for r in rows if r.word in keywords]
    others = [replace(r, word=UNKNOWN) for r in rows if r.word not in keywords]
    some = rng.permutation(len(others))[: max(1, len(mine) // max(1, len(keywords)))]
    return mine + [others[i] for i in sorted(some)]


def silences(rows: Sequence[Row], count: int, rng: np.random.Generator) -> list[Floats]:
    """Pieces of one second of noise at drawn levels, as the data set's own silence class has them."""
    recordings = [read(r.path) for r in rows]
    out = []
    for _ in range(count):
        recording = recordings[int(rng.integers(len(recordings)))]
        at = int(rng.integers(0, max(1, len(recording) - SAMPLE_RATE)))
        out.append(recording[at : at + SAMPLE_RATE] * np.float32(rng.uniform(0.0, 1.0)))
    return out


def ask(hearing: Hearing, rows: Sequence[Row], pieces: Sequence[Floats] = ()) -> Answers:
    """Hear clips, whose `word` is the label that is right, and pieces of noise, which are silence."""
    model = hearing.model
    scores = [hearing.scores(read(r.path)) for r in track(rows, total=len(rows), what="clips")]
    scores += [hearing.scores(p) for p in pieces]
    true = tuple(r.word for r in rows) + (SILENCE,) * len(pieces)
    speakers = tuple(r.speaker for r in rows) + ("",) * len(pieces)
    rows_of_scores = np.array(scores, np.float32).reshape(-1, len(model.labels))
    return Answers(model.labels, model.keywords, true, speakers, rows_of_scores)
