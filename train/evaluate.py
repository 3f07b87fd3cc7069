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
from train.answers import Answers
from train.bank import read
from train.data import Row
from train.hearing import Hearing
from train.metrics import Matched, match
from train.progress import track
from train.streams import Stream


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model said of a stream, kept so that settings can be tried without running it again.

    ends : intp, shape (windows,), end samples. levels : float32, shape (windows,), dBFS.
    scores : float32, shape (windows, labels).
    """

    ends: np.ndarray[tuple[int], np.dtype[np.intp]]
    levels: Floats
    scores: Floats
    seconds: float


def score(model: Model, samples: Floats, *, hop_ms: float | None = None, padded: bool = True) -> Scored:
    """Run the pipeline over samples; keep each window's scores."""
    taps: list[tuple[int, float, Floats]] = []
    spotter = Spotter(
        model, hop_ms=hop_ms, padded=padded, tap=lambda w, s: taps.append((w.end_sample, w.loudest_dbfs, s.copy()))
    )
    for at in range(0, len(samples), SAMPLE_RATE):
        spotter.write(samples[at : at + SAMPLE_RATE])
        for _ in spotter.events():
            pass
    for _ in spotter.finish():
        pass
    ends, levels, scores = zip(*taps, strict=True)
    return Scored(np.array(ends), np.array(levels, np.float32), np.stack(scores), len(samples) / SAMPLE_RATE)


def decode(model: Model, scored: Scored, config: DecoderConfig, hop_samples: int) -> list[Detection]:
    """Detections that a decoder with other settings makes of the same scores."""
    decoder = Decoder(model.labels, model.keywords, config, hop_samples)
    out: list[Detection] = []
    for end, level, scores in zip(scored.ends.tolist(), scored.levels.tolist(), scored.scores, strict=True):
        out.extend(
            Detection(keyword=f.keyword, score=f.score, time_sample=end, start_sample=end - SAMPLE_RATE, end_sample=end)
            for f in decoder.step(scores, end, level)
        )
    return out


def judge(model: Model, streams: Sequence[tuple[Stream, Scored]], config: DecoderConfig, hop_samples: int) -> Matched:
    """Match the detections of several streams with their words, all in one count."""
    parts = [match(decode(model, s, config, hop_samples), stream.words, model.keywords) for stream, s in streams]
    return Matched(
        tuple(f for p in parts for f in p.found),
        tuple(m for p in parts for m in p.missed),
        tuple(d for p in parts for d in p.duplicates),
        tuple(f for p in parts for f in p.false),
    )


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
