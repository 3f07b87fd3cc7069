"""Streams as two public tests of keyword spotting build theirs, from the recordings at hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.settings import SAMPLE_RATE
from train.bank import read
from train.data import Row
from train.metrics import Word
from train.streams import Stream, audible, span

_TENSORFLOW_S = 600
_MLPERF_S = 1_200
_MLPERF_WORDS = 50


def tensorflow(rows: Sequence[Row], keywords: Sequence[str], noise: Sequence[Row], rng: np.random.Generator) -> Stream:
    """600 s, a word about every 3 s, 30% of them no keyword, background at a volume up to 0.1.

    The rule of tensorflow/examples/speech_commands/generate_streaming_test_wav.py (TensorFlow, Apache-2.0):
    each second a drawn piece of a drawn noise recording, fading over 0.25 s into the next; the clip of a
    word begins up to 2 s after each multiple of 3 s, at the volume it was recorded with. A word's span
    here is where its clip is within 30 dB of its loudest; the rule itself knows only where the clip begins.
    """
    samples = np.zeros(_TENSORFLOW_S * SAMPLE_RATE, np.float32)
    recordings = [r for r in (read(row.path) for row in noise) if len(r) > 2 * SAMPLE_RATE]
    for second in range(_TENSORFLOW_S if recordings else 0):
        recording = recordings[int(rng.integers(len(recordings)))]
        at = int(rng.integers(0, len(recording) - SAMPLE_RATE))
        piece = recording[at : at + 3 * SAMPLE_RATE // 2] * np.float32(rng.uniform(0.0, 0.1))
        _lay(samples, second * SAMPLE_RATE, piece, SAMPLE_RATE // 4)
    by_word = {k: [r for r in rows if r.word == k] for k in keywords}
    others = [r for r in rows if r.word not in keywords]
    known = [k for k in keywords if by_word[k]]
    if not known:
        raise BadInputError(f"there is no recording of {', '.join(keywords)}; give others with --keywords")
    words = []
    for number in range(_TENSORFLOW_S // 3):
        start = number * 3 * SAMPLE_RATE + int(rng.integers(2 * SAMPLE_RATE))
        unknown = bool(rng.integers(100) < 30) and bool(others)
        pool = others if unknown else by_word[known[int(rng.integers(len(known)))]]
        clip, row = _audible_one(pool, rng)
        clip = clip[: min(SAMPLE_RATE, len(samples) - start)]
        first, last = span(clip)
        _lay(samples, start, clip, 500)
        words.append(Word(row.word, (start + first) / SAMPLE_RATE, (start + last) / SAMPLE_RATE))
    return Stream(np.clip(samples, -1.0, 1.0), tuple(words))


def mlperf(keywords: Sequence[Row], speech: Sequence[Row], noise: Sequence[Row], rng: np.random.Generator) -> Stream:
    """20 minutes: 50 keywords in the first ten over silence, voices and music; one reader alone in the last ten.

    The rule of MLPerf Tiny's streaming wake word, v1.3 (mlcommons/tiny, benchmark/training/streaming_wakeword/
    build_long_wav_def.py and build_long_wav.py, Apache-2.0): from 100 to 300 s eight voices at once, each at a
    root mean square of 0.05; from 300 to 600 s two pieces of music at 0.5; from 600 s one voice at 0.5. The
    gaps between words are exponential with a mean of 7 s and longer than 3 s, then stretched so that the last
    word comes at 570 s; each word is cut to where it exceeds 5% of its peak and laid at a root mean square of
    0.5 to 0.75; the whole is brought to a peak of 1. The original has one wake word, "marvin", and MUSAN's
    recordings; here they are the keywords, speech and noise or music at hand, repeated where they are short.
    """
    if not keywords:
        raise BadInputError("there is no recording of a keyword; give others with --keywords")
    samples = np.zeros(_MLPERF_S * SAMPLE_RATE, np.float32)
    for begin, end, rows, level in (
        *((100, 300, speech, 0.05),) * 8,
        (300, 450, noise, 0.5),
        (450, 600, noise, 0.5),
        (600, 1_200, speech, 0.5),
    ):
        piece = _joined(rows, (end - begin) * SAMPLE_RATE, rng)
        samples[begin * SAMPLE_RATE : end * SAMPLE_RATE] += np.float32(level / max(1e-9, float(piece.std()))) * piece
    gaps = rng.exponential(7.0, 40 * _MLPERF_WORDS)
    starts = np.cumsum(gaps[gaps > 3.0][:_MLPERF_WORDS])
    starts *= 0.475 * _MLPERF_S / starts[-1]
    words = []
    for start_s in starts:
        clip, row = _audible_one(keywords, rng)
        loud = np.flatnonzero(clip > 0.05 * clip.max())
        clip = clip[loud[0] : loud[-1] + 1]
        start = int(start_s * SAMPLE_RATE)
        level = rng.uniform(0.5, 0.75)
        samples[start : start + len(clip)] += np.float32(level / max(1e-9, float(clip.std()))) * clip
        words.append(Word(row.word, start / SAMPLE_RATE, (start + len(clip)) / SAMPLE_RATE))
    return Stream(samples / np.abs(samples).max(), tuple(words))


def _audible_one(rows: Sequence[Row], rng: np.random.Generator) -> tuple[Floats, Row]:
    for _ in range(100):
        row = rows[int(rng.integers(len(rows)))]
        clip = read(row.path)
        if audible(clip):
            return clip, row
    raise BadInputError(f"nothing is heard in the recordings of {rows[0].word!r}; give others")


def _joined(rows: Sequence[Row], length: int, rng: np.random.Generator) -> Floats:
    """Recordings in drawn order, one after the other, from the first again where they are too short."""
    pieces: list[Floats] = []
    total = 0
    for i in rng.permutation(len(rows)):
        pieces.append(read(rows[int(i)].path))
        total += len(pieces[-1])
        if total >= length:
            break
    return np.resize(np.concatenate(pieces), length)


def _lay(samples: Floats, start: int, piece: Floats, ramp: int) -> None:
    """Add a piece that fades in and out over `ramp` samples; what is beyond the end is left out."""
    shape = np.ones(len(piece), np.float32)
    n = min(ramp, len(piece) // 2)
    shape[:n] = np.arange(n, dtype=np.float32) / n
    shape[len(piece) - n :] = np.arange(n, 0, -1, dtype=np.float32) / n
    room = max(0, min(len(piece), len(samples) - start))
    samples[start : start + room] += (piece * shape)[:room]
