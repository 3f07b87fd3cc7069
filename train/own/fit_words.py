"""Own words from a few recordings: one head for all of them, thresholds, and figures that were not learned by heart.

Each word is fitted by itself, the others being negatives; the scores of all of them then stand side by
side under one softmax, beside `_unknown_` at zero, each moved so that its threshold comes to one half.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from spotter.arrays import Floats
from spotter.backbone import Backbone
from spotter.errors import BadInputError
from spotter.settings import SAMPLE_RATE, UNKNOWN
from train.data import spoken_words
from train.own.bank import FOLDS, KINDS, Bank
from train.own.calibrate import more_recordings
from train.own.clips import Clip
from train.own.material import Material, MaterialPlan, gather
from train.own.scene import Scene, surrounded
from train.own.windows import Line
from train.own.word import Judged, WordFit, cross_fit, fit

FEWEST_CLIPS: Final = 5
_FEW_FOR_A_CURVE: Final = 8
_MOST_OTHERS: Final = 1_000  # copies of the other words, that one is set against
_PHRASE_S: Final = 5.0  # a shorter recording is taken for a word or a phrase, and tells nothing by the hour
_AROUND_S: Final = (4.0, 0.5)  # of floor before and after it, so that it fills the longest window
_PIECE_S: Final = 20.0  # of a long recording, which goes into one fold

Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnWords:
    """How own words are fitted."""

    material: MaterialPlan = field(default_factory=MaterialPlan)
    word: WordFit = field(default_factory=WordFit)
    target_fa_per_hour: float = 0.5  # of each word
    caution: float = 1.5  # the threshold is set for so many times fewer
    curve: bool = True  # also fit to half of the recordings, to tell what more of them would bring
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """What a listener computes: standardise a window, one dense layer, softmax.

    mean, scale : float32, shape (window * size,)
    weights : float32, shape (window * size, labels)
    bias : float32, shape (labels,)
    """

    labels: tuple[str, ...]
    window: int
    mean: Floats
    scale: Floats
    weights: Floats
    bias: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A head and what is known of it.

    thresholds : by word, of its score after the softmax
    words : by word, plain data for a report; see `_report`
    """

    head: Head
    thresholds: Mapping[str, float]
    words: Mapping[str, Mapping[str, Any]]
    seconds: float


def fit_words(
    recordings: Mapping[str, Sequence[Clip]],
    backbone: Backbone,
    bank: Bank,
    *,
    negatives: Sequence[Floats] = (),
    noise: Sequence[Floats] = (),
    target_fa_per_hour: float = 0.5,
    seed: int = 0,
    settings: OwnWords | None = None,
    progress: Progress | None = None,
) -> Fitted:
    """Fit a head for words from few recordings of each.

    Parameters
    ----------
    recordings : mapping of words to clips
        At least five of each.
    bank : Bank
        Made with the same backbone.
    negatives : sequence of float32, shape (samples,)
        Recordings without the words, such as of the user's own room.
    noise : sequence of float32, shape (samples,)
        Noise to mix copies with, also heard as negatives; without it noise is made up.
    target_fa_per_hour : float
        False accepts wanted of each word, in running speech, noise and music.

    Raises
    ------
    BadInputError
        Too few recordings, one that holds only silence or something too long, or another backbone's bank.
    """
    settings = settings or OwnWords(target_fa_per_hour=target_fa_per_hour, seed=seed)
    _check(recordings, backbone, bank, settings)
    began = time.monotonic()
    say = progress or _say_nothing
    rng = np.random.default_rng(settings.seed)
    bank = _with_own(bank, backbone, negatives, noise, rng)
    material: dict[str, Material] = {}
    total, done = sum(map(len, recordings.values())), 0

    def one_more() -> None:
        nonlocal done
        done += 1
        say("recordings embedded", done, total)

    for word, clips in recordings.items():
        material[word] = gather(word, clips, backbone, settings.material, rng, noise=noise, done=one_more)
    lines: dict[str, Line] = {}
    words: dict[str, dict[str, Any]] = {}
    for at, (word, own) in enumerate(material.items()):
        others = _others(material, word, rng)
        beside = bank.without(spoken_words(word))
        judged = cross_fit(own, others, beside, settings.word, rng)
        say("words judged", at + 1, len(material))
        half = None
        if settings.curve and len(own.copies) >= _FEW_FOR_A_CURVE:
            half = cross_fit(own, others, beside, settings.word, rng, share=0.5)
        without = ~np.isin(np.arange(len(beside.length)), judged.suspected)
        line = fit(own, np.arange(len(own.copies)), others, beside, without, settings.word, rng)
        say("words fitted", at + 1, len(material))
        threshold = judged.tail.threshold(settings.target_fa_per_hour / settings.caution)
        lines[word] = line.moved(-threshold)
        words[word] = _report(own, judged, half, threshold, settings)
        words[word]["said_in_background"] = len(bank.length) - len(beside.length)
    return Fitted(_head(lines), dict.fromkeys(lines, 0.5), words, time.monotonic() - began)


def _say_nothing(_what: str, _done: int, _of: int) -> None:
    """Nobody listens."""


def _check(recordings: Mapping[str, Sequence[Clip]], backbone: Backbone, bank: Bank, settings: OwnWords) -> None:
    if not recordings:
        raise BadInputError("there are no recordings of a word; give at least five of one")
    for word, clips in recordings.items():
        if len(clips) < FEWEST_CLIPS:
            raise BadInputError(f"{len(clips)} recordings of {word!r} are too few; record at least {FEWEST_CLIPS}")
    if (bank.backbone, bank.step) != (backbone.name, backbone.step) or bank.embeddings.shape[1] != backbone.size:
        raise BadInputError(
            f"the bank was made with {bank.backbone}, the head is for {backbone.name}; give its own bank"
        )
    if not bank.hours("speech", "noise", "music"):
        raise BadInputError(
            "the bank holds single words only; make one with --speech and --noise, to count by the hour"
        )
    if not settings.target_fa_per_hour > 0:
        raise BadInputError(f"{settings.target_fa_per_hour} false accepts an hour cannot be aimed at; give more than 0")


def _others(material: Mapping[str, Material], word: str, rng: np.random.Generator) -> Floats:
    """Blocks of the other words, as long as this one's, both ends alike: negatives."""
    length = material[word].copies.shape[2]
    size = material[word].copies.shape[3]
    blocks = [np.empty((0, length, size), np.float32)]
    for other, its in material.items():
        if other == word:
            continue
        flat = its.copies.reshape(-1, *its.copies.shape[2:])
        missing = length - flat.shape[1]
        if missing > 0:  # a shorter window: repeat what is oldest
            flat = np.concatenate((np.repeat(flat[:, :1], missing, axis=1), flat), axis=1)
        blocks.append(flat[:, -length:])
    found = np.concatenate(blocks)
    return found[rng.permutation(len(found))[:_MOST_OTHERS]]


def _with_own(
    bank: Bank, backbone: Backbone, negatives: Sequence[Floats], noise: Sequence[Floats], rng: np.random.Generator
) -> Bank:
    """Put the user's own background into the bank, in pieces that go round the folds; of a word, with its room."""
    embeddings, length, kind = [bank.embeddings], bank.length.tolist(), bank.kind.tolist()
    fold = bank.fold.tolist()
    piece = round(_PIECE_S * SAMPLE_RATE / backbone.step)
    for what, recordings in (("speech", negatives), ("noise", noise)):
        for samples in recordings:
            short = what == "speech" and len(samples) < _PHRASE_S * SAMPLE_RATE
            found = backbone.embed(_in_room(rng, samples) if short else samples)
            found = found if bank.packed is None else bank.packed.kept(found)
            for begin in range(0, len(found), piece):
                embeddings.append(found[begin : begin + piece])
                length.append(len(embeddings[-1]))
                kind.append(KINDS.index("words" if short else what))
                fold.append(len(length) % FOLDS)
    if len(embeddings) == 1:
        return bank
    arrays = [np.asarray(a, np.intp) for a in (length, kind, fold)]
    said = (*bank.said, *[frozenset[str]()] * (len(length) - len(bank.length))) if bank.said else ()
    return replace(
        bank, embeddings=np.concatenate(embeddings), length=arrays[0], kind=arrays[1], fold=arrays[2], said=said
    )


def _in_room(rng: np.random.Generator, samples: Floats) -> Floats:
    """Put floor around a short recording, as there is around a word that is said."""
    before, after = (round(seconds * SAMPLE_RATE) for seconds in _AROUND_S)
    return surrounded(rng, Scene(samples, 0, len(samples)), before, after).samples


def _head(lines: Mapping[str, Line]) -> Head:
    """Put the words' lines side by side; a shorter window is one with zeros before it."""
    window = max(line.window for line in lines.values())
    size = next(iter(lines.values())).weights.shape[1]
    weights = np.zeros((window * size, len(lines) + 1), np.float32)
    bias = np.zeros(len(lines) + 1, np.float32)
    for at, line in enumerate(lines.values(), 1):
        weights[(window - line.window) * size :, at] = line.weights.ravel()
        bias[at] = line.bias
    mean, scale = np.zeros(window * size, np.float32), np.ones(window * size, np.float32)
    return Head((UNKNOWN, *lines), window, mean, scale, weights, bias)


def _report(own: Material, judged: Judged, half: Judged | None, threshold: float, settings: OwnWords) -> dict[str, Any]:
    """Plain data of one word: what was given, and expected recall, false accepts, and use of more recordings."""
    more = {}
    if half is not None:
        at_half = half.tail.threshold(settings.target_fa_per_hour / settings.caution)
        for name, now, before in (("quiet", judged.quiet, half.quiet), ("noise_10_db", judged.noisy, half.noisy)):
            more[name] = more_recordings(before.missed(at_half), now.missed(threshold), len(own.copies))
    return {
        "recordings": len(own.copies),
        "sessions": len(set(own.sessions)),
        "left_out_by": judged.left_out,
        "suspected_in_background": len(judged.suspected),
        "utterance_s": [float(np.min(own.seconds)), float(np.median(own.seconds)), float(np.max(own.seconds))],
        "window_embeddings": own.window,
        "copies_each": own.copies.shape[1],
        "target_fa_per_hour": settings.target_fa_per_hour,
        "false_accepts": judged.tail.promise(threshold),
        "recall": {"quiet": judged.quiet.recall(threshold), "noise_10_db": judged.noisy.recall(threshold)},
        "expected_missed": {"quiet": judged.quiet.missed(threshold), "noise_10_db": judged.noisy.missed(threshold)},
        "missed_with_more_recordings": more,
    }
