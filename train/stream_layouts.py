"""How words lie in a stream: inside running speech, right after one another; and noise without any."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spotter.arrays import Floats
from spotter.settings import SAMPLE_RATE
from train.bank import read
from train.data import Row
from train.metrics import Word
from train.streams import Stream, audible, room_tone, span

_CUT = 160  # 10 ms: how softly a word is set into speech
_SEEK = 4_000  # 0.25 s: how far a word's place may move to where the speaker is quietest
_FRAME = 320


def noises(rows: Sequence[Row], rng: np.random.Generator) -> Stream:
    """Each recording at a drawn level, then 10 s of a quiet room and 2 s of digital silence."""
    pieces: list[Floats] = []
    for row in rows:
        clip = read(row.path)
        rms = float(np.sqrt(np.mean(np.square(clip)))) + 1e-9
        loud = clip * np.float32(10 ** (rng.uniform(-45.0, -15.0) / 20) / rms)
        pieces += [np.clip(loud, -1.0, 1.0), room_tone(rng, 10 * SAMPLE_RATE), np.zeros(2 * SAMPLE_RATE, np.float32)]
    return Stream(np.concatenate(pieces), ())


def in_running_speech(rows: Sequence[Row], spoken: Sequence[Row], rng: np.random.Generator) -> Stream:
    """Set each word into running speech, at the quietest moment within a quarter of a second of a drawn one.

    The speech is cut there and goes on after the word, which is as loud as the speech around it, give or
    take 3 dB. Another speaker than that of the sentence says it.
    """
    words: list[Word] = []
    pieces: list[Floats] = []
    at, length = 0, 0
    talk = _talk(spoken, rng, round(len(rows) * 6.0 * SAMPLE_RATE))
    for row in rows:
        cut = at + round(rng.uniform(3.0, 6.0) * SAMPLE_RATE)
        if cut + _SEEK >= len(talk):
            break
        cut = _quietest(talk, cut)
        word = _said(row)
        if word is None:
            continue
        around = talk[max(0, cut - SAMPLE_RATE) : cut + SAMPLE_RATE]
        gain = _rms(around) / _rms(word) * 10 ** (rng.uniform(-3.0, 3.0) / 20)
        word *= np.float32(min(gain, 0.99 / float(np.abs(word).max())))
        pieces += [_soft(talk[at:cut].copy()), _soft(word)]
        length += cut - at
        words.append(Word(row.word, length / SAMPLE_RATE, (length + len(word)) / SAMPLE_RATE))
        length += len(word)
        at = cut
    pieces.append(talk[at : at + 2 * SAMPLE_RATE])
    return Stream(np.clip(np.concatenate(pieces), -1.0, 1.0), tuple(words))


def in_groups(rows: Sequence[Row], rng: np.random.Generator) -> Stream:
    """Two to four words right after one another (up to 0.1 s between them), then a pause of 2 to 4 s; a quiet room.

    One group in three is the same recording again and again.
    """
    words: list[Word] = []
    laid: list[tuple[int, Floats]] = []
    at, number = 2 * SAMPLE_RATE, 0
    while number < len(rows):
        count = int(rng.integers(2, 5))
        group = list(rows[number : number + count])
        number += count
        if rng.random() < 1 / 3:
            group = group[:1] * count
        gain_db = rng.uniform(-32.0, -20.0)
        for row in group:
            word = _said(row)
            if word is None:
                continue
            word *= np.float32(min(10 ** (gain_db / 20) / _rms(word), 0.99 / float(np.abs(word).max())))
            laid.append((at, _soft(word)))
            words.append(Word(row.word, at / SAMPLE_RATE, (at + len(word)) / SAMPLE_RATE))
            at += len(word) + round(rng.uniform(0.0, 0.1) * SAMPLE_RATE)
        at += round(rng.uniform(2.0, 4.0) * SAMPLE_RATE)
    samples = room_tone(rng, at)
    for start, word in laid:
        samples[start : start + len(word)] += word
    return Stream(np.clip(samples, -1.0, 1.0), tuple(words))


def _said(row: Row) -> Floats | None:
    """A clip cut to its word; None where nothing is heard in it."""
    clip = read(row.path)
    if not audible(clip):
        return None
    first, last = span(clip)
    return clip[first:last].copy()


def _talk(rows: Sequence[Row], rng: np.random.Generator, length: int) -> Floats:
    """Recordings in drawn order, each cut to what is said, one after the other."""
    pieces: list[Floats] = []
    total = 0
    for i in rng.permutation(len(rows)):
        clip = read(rows[int(i)].path)
        if audible(clip):
            first, last = span(clip)
            pieces.append(clip[first:last])
            total += last - first
        if total >= length:
            break
    return np.concatenate(pieces)[:length]


def _quietest(samples: Floats, middle: int) -> int:
    """Where the quietest 20 ms begin, near `middle`."""
    start = max(0, middle - _SEEK)
    frames = samples[start : start + 2 * _SEEK // _FRAME * _FRAME]
    power = np.square(frames[: len(frames) // _FRAME * _FRAME].reshape(-1, _FRAME)).mean(axis=1)
    return start + int(power.argmin()) * _FRAME + _FRAME // 2


def _soft(samples: Floats) -> Floats:
    """Fade both ends over 10 ms, in place."""
    n = min(_CUT, len(samples) // 2)
    ramp = np.linspace(0.0, 1.0, n, dtype=np.float32)
    samples[:n] *= ramp
    samples[len(samples) - n :] *= ramp[::-1]
    return samples


def _rms(samples: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(samples)))) + 1e-9
