"""How well a few recordings do: fit to some of a phrase's recordings, listen to the others and to hours of speech."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from spotter.arrays import Floats
from spotter.backbone import Backbone
from spotter.events import Detection, Event
from spotter.model import Model
from spotter.pipeline import Spotter
from spotter.settings import SAMPLE_RATE
from train.own.bank import Bank
from train.own.clips import Clip, utterance
from train.own.fit_words import Fitted, fit_words
from train.own.save import DECODER, save_words

SNR_DB: Final = 10.0
_BEFORE_S, _AFTER_S = 2.0, 0.7  # of noise around a recording
_MOST = 150  # recordings that are listened to


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one fit did.

    missed, missed_in_noise : of `heard` recordings that were not fitted to
    false_accepts : in `hours` of audio without the phrase
    """

    phrase: str
    recordings: int
    heard: int
    missed: int
    missed_in_noise: int
    false_accepts: int
    hours: float
    promised_per_hour: float
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What synthetic voices said: recordings of words, and negatives."""

    words: Mapping[str, Sequence[Clip]]
    negatives: Sequence[Floats]


def trial(
    phrase: str,
    clips: Sequence[Clip],
    count: int,
    backbone: Backbone,
    bank: Bank,
    *,
    background: Sequence[Floats],
    noise: Sequence[Floats],
    target_fa_per_hour: float,
    seed: int,
    said: Said | None = None,
) -> Trial:
    """Fit to `count` recordings that are drawn, with the threshold that the fit itself sets, and listen.

    Parameters
    ----------
    background : sequence of float32, shape (samples,)
        Audio without the phrase, of people whom neither the bank nor the fit has heard.
    noise : sequence of float32, shape (samples,)
        For recordings in noise, 10 dB under the utterance.
    said : Said, optional
        Fit to these instead, with `count` 0.
    """
    rng = np.random.default_rng([seed, count])
    order = rng.permutation(len(clips))
    chosen, others = [clips[n] for n in order[:count]], [clips[n] for n in order[count:][:_MOST]]
    if said is not None:
        chosen = list(said.words[phrase])
    fitted = fit_words(
        {phrase: chosen},
        backbone,
        bank,
        negatives=said.negatives if said else (),
        target_fa_per_hour=target_fa_per_hour,
        seed=seed,
    )
    with tempfile.TemporaryDirectory() as folder:
        model = _model(Path(folder) / "trial", fitted, backbone)
        missed = sum(not detections(model, clip.samples) for clip in others)
        noisy = sum(not detections(model, in_noise(clip.samples, noise, rng)) for clip in others)
        false = sum(len(detections(model, samples)) for samples in background)
    return Trial(
        phrase=phrase,
        recordings=count,
        heard=len(others),
        missed=missed,
        missed_in_noise=noisy,
        false_accepts=false,
        hours=sum(map(len, background)) / SAMPLE_RATE / 3_600,
        promised_per_hour=float(fitted.words[phrase]["false_accepts"]["expected_per_hour"]),
        seconds=fitted.seconds,
    )


def _model(folder: Path, fitted: Fitted, backbone: Backbone) -> Model:
    return save_words(folder, fitted, backbone, decoder=DECODER, training={})


def detections(model: Model, recording: Floats) -> list[str]:
    """What a model reports in a recording that begins and ends in silence: keywords, in their order."""
    spotter = Spotter(model, padded=True)
    events: list[Event] = []
    for at in range(0, len(recording), SAMPLE_RATE):
        spotter.write(recording[at : at + SAMPLE_RATE])
        events += spotter.events()
    return [event.keyword for event in (*events, *spotter.finish()) if isinstance(event, Detection)]


def in_noise(samples: Floats, noise: Sequence[Floats], rng: np.random.Generator) -> Floats:
    """Lay a recording into a piece of noise, so loud that the utterance is `SNR_DB` over it."""
    before, after = round(_BEFORE_S * SAMPLE_RATE), round(_AFTER_S * SAMPLE_RATE)
    length = before + len(samples) + after
    begin, end = utterance(samples)
    speech = float(np.sqrt(np.mean(np.square(samples[begin:end])))) if end > begin else 1e-3
    for _ in range(100):
        source = noise[int(rng.integers(len(noise)))]
        begins = int(rng.integers(max(1, len(source) - length)))
        piece = np.resize(source, length) if len(source) <= length else source[begins : begins + length]
        under = float(np.sqrt(np.mean(np.square(piece[before + begin : before + max(end, begin + 1)]))))
        if under > 1e-5:  # no stretch of silence
            break
    mixed = piece * np.float32(speech / max(under, 1e-9) * 10.0 ** (-SNR_DB / 20.0))
    mixed[before : before + len(samples)] += samples
    peak = float(np.abs(mixed).max())
    return np.asarray(mixed / max(1.0, peak), np.float32)
