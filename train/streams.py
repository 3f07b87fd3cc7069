"""Long recordings with known word times, mixed as samples; the same seed gives the same stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from spotter.arrays import Floats
from spotter.settings import SAMPLE_RATE
from train.bank import read
from train.data import Row
from train.metrics import Word

_FRAME = 320  # 20 ms
_ROOM_TONE_DBFS = -65.0


@dataclass(frozen=True, slots=True)
class Stream:
    """Samples, shape (samples,), and the words in them."""

    samples: Floats
    words: tuple[Word, ...]

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.samples) / SAMPLE_RATE


def audible(clip: Floats) -> bool:
    """Whether anything can be heard in a clip of a word."""
    return len(clip) >= _FRAME and bool(np.abs(clip).max() > 300 / 32_768)


def span(samples: Floats) -> tuple[int, int]:
    """First and last sample (exclusive) of the 20 ms frames within 30 dB of the loudest."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = np.square(frames).mean(axis=1)
    loud = np.flatnonzero(power >= power.max() * 1e-3)
    return int(loud[0]) * _FRAME, int(loud[-1] + 1) * _FRAME


def draw_words(rows: Sequence[Row], keywords: Sequence[str], per_word: int, rng: np.random.Generator) -> list[Row]:
    """Draw so many clips of each keyword at most, and two other words for every three of them."""
    some: list[Row] = []
    for keyword in keywords:
        own = [r for r in rows if r.word == keyword]
        some += [own[i] for i in rng.permutation(len(own))[:per_word]]
    others = [r for r in rows if r.word not in keywords]
    return some + [others[i] for i in rng.permutation(len(others))[: 2 * len(some) // 3]]


def words_in_noise(
    rows: Sequence[Row],
    noise: Sequence[Row],
    rng: np.random.Generator,
    *,
    snr_db: float | None,
    room: Callable[[Floats, np.random.Generator], Floats] | None = None,
) -> Stream:
    """The words of `rows` in drawn order, one every 2 to 6 s, each at `snr_db` over the noise under it.

    The ratio is that of the root mean squares over the word's span. None: a quiet room's tone only.
    `room` makes of a word what is heard of it in a room; its span stays that of the word as it was said.
    """
    order = rng.permutation(len(rows))
    starts = np.cumsum(rng.uniform(2.0, 6.0, len(rows) + 1) * SAMPLE_RATE).astype(int)
    length = int(starts[-1] + 2 * SAMPLE_RATE)
    samples = _noise(noise, rng, length) if snr_db is not None else room_tone(rng, length)
    words, at = [], 0
    for number in order:
        clip = read(rows[number].path)
        if not audible(clip):
            continue
        first, last = span(clip)
        if room is not None:
            clip = room(clip, rng)
        start = int(starts[at])
        at += 1
        under = samples[start + first : start + last]
        own = float(np.sqrt(np.mean(np.square(clip[first:last]))))
        gain = 10 ** (rng.uniform(-32, -20) / 20) / own
        if snr_db is not None:
            gain = float(np.sqrt(np.mean(np.square(under)))) * 10 ** (snr_db / 20) / own
        gain = min(gain, 0.99 / float(np.abs(clip).max()))
        clip = clip[: length - start]
        samples[start : start + len(clip)] += np.float32(gain) * clip
        words.append(Word(rows[number].word, (start + first) / SAMPLE_RATE, (start + last) / SAMPLE_RATE))
    return Stream(np.clip(samples, -1, 1), tuple(words))


def speech(rows: Sequence[Row]) -> Iterator[Stream]:
    """Recordings without keywords, one after the other with 0.3 s of silence between, in streams of ten minutes."""
    pieces: list[Floats] = []
    length = 0
    for row in rows:
        clip = read(row.path)
        pieces += [clip, np.zeros(int(0.3 * SAMPLE_RATE), np.float32)]
        length += len(clip)
        if length > 600 * SAMPLE_RATE:
            yield Stream(np.concatenate(pieces), ())
            pieces, length = [], 0
    if pieces:
        yield Stream(np.concatenate(pieces), ())


def in_noise(stream: Stream, noise: Sequence[Row], rng: np.random.Generator, snr_db: float) -> Stream:
    """The stream `snr_db` over noise, both by the root mean squares of the whole."""
    under = _noise(noise, rng, len(stream.samples))
    ratio = float(np.sqrt(np.mean(np.square(stream.samples)) / np.mean(np.square(under))))
    return Stream(np.clip(stream.samples + np.float32(ratio * 10 ** (-snr_db / 20)) * under, -1, 1), stream.words)


def _noise(rows: Sequence[Row], rng: np.random.Generator, length: int) -> Floats:
    """Pieces of 20 s of the recordings in drawn order, at about -35 dBFS."""
    clips = [read(r.path) for r in rows]
    out = np.empty(0, np.float32)
    while len(out) < length:
        clip = clips[int(rng.integers(len(clips)))]
        at = int(rng.integers(0, max(1, len(clip) - 20 * SAMPLE_RATE)))
        piece = clip[at : at + 20 * SAMPLE_RATE]
        rms = float(np.sqrt(np.mean(np.square(piece)))) + 1e-9
        out = np.concatenate((out, piece * np.float32(10 ** (-35 / 20) / rms)))
    return out[:length]


def room_tone(rng: np.random.Generator, length: int) -> Floats:
    """What a quiet room sounds like: white noise at -65 dBFS."""
    return rng.standard_normal(length, np.float32) * np.float32(10 ** (_ROOM_TONE_DBFS / 20))
