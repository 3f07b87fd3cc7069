"""How far words are apart for a backbone: between words, set against between voices that say the same word.

Embeddings of two recordings are laid over one another as they fit best (dynamic time warping, Sakoe and Chiba 1978,
symmetric), each number in units of its own spread over all of them. A ratio of 1 means that another word is no
further away than another voice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.errors import BadInputError
from train.say.choosing import Concern, part_of
from train.say.voices import Source

POOR_UNDER, RISKY_UNDER = 1.07, 1.17  # ratio: of near words 1.0 to 1.2, of unlike ones 1.3 to 1.5
_FEW: Final = (("pico", "en-US"), ("pico", "en-GB"), ("hibari", "heart"))
_PITCHES: Final = (0.87, 1.0, 1.15)  # of one voice, where there is no other
_MOST_RECORDINGS: Final = 12  # of a word
_TINY: Final = 1e-6


class Embeds(Protocol):
    """What embeds a recording: spotter.backbone.Backbone."""

    name: str
    context: int

    def embed(self, samples: Floats) -> Floats:
        """Embeddings, shape (n, size)."""


@dataclass(frozen=True, slots=True)
class Take:
    """A recording, shape (samples,) at 16 kHz, and who speaks."""

    speaker: str
    samples: Floats


@dataclass(frozen=True, slots=True)
class Apart:
    """How far two words are apart: between them, between voices within one, and the one by the other."""

    word: str
    other: str
    between: float
    within: float

    @property
    def ratio(self) -> float:
        """1 where another word is no further away than another voice."""
        return self.between / max(self.within, _TINY)


def spoken(texts: Sequence[str], sources: Sequence[Source], *, seed: int = 0) -> dict[str, list[Take]]:
    """Let the same few voices say some texts."""
    by_name = {source.name: source for source in sources}
    few = [(by_name[name], voice, 1.0) for name, voice in _FEW if name in by_name]
    if len(few) < 2:
        few = [(source, source.names()[0], pitch) for source in sources[:1] for pitch in _PITCHES]
    return {
        text: [
            Take(f"{source.name}-{voice}-{pitch:g}", source.say(text, voice, pitch=pitch, seed=seed))
            for source, voice, pitch in few
        ]
        for text in texts
    }


def recorded(folder: Path) -> dict[str, list[Take]]:
    """Some recordings of each word of a folder, by as many speakers as there are."""
    from train.bank import read
    from train.data import word_rows

    by_word: dict[str, dict[str, list[Path]]] = {}
    for row in word_rows(folder):
        by_word.setdefault(row.word, {}).setdefault(row.speaker, []).append(row.path)
    out = {}
    for word, by_speaker in by_word.items():
        turns = [(s, paths[i]) for i in range(_MOST_RECORDINGS) for s, paths in by_speaker.items() if i < len(paths)]
        out[word.replace("_", " ")] = [Take(s, read(path)) for s, path in turns[:_MOST_RECORDINGS]]
    return out


def embedded(takes: Mapping[str, Sequence[Take]], backbone: Embeds) -> dict[str, list[tuple[str, Floats]]]:
    """Embed recordings, each cut to what is said, with silence around it; numbers in units of their spread."""
    from train.own.clips import utterance

    out: dict[str, list[tuple[str, Floats]]] = {}
    around = np.zeros(backbone.context // 2, np.float32)
    for word, its in takes.items():
        for take in its:
            first, end = utterance(take.samples)
            if end > first:
                cut = np.asarray(take.samples[first:end], np.float32)
                level = np.float32(0.1 / np.sqrt(np.mean(np.square(cut)) + _TINY**2))
                rows = backbone.embed(np.concatenate([around, cut * level, around]))
                out.setdefault(word, []).append((take.speaker, rows))
        if word not in out:
            raise BadInputError(f"there is only silence in the recordings of {word!r}; record it again")
    every = np.concatenate([rows for its in out.values() for _, rows in its])
    mean, spread = every.mean(axis=0), every.std(axis=0) + _TINY
    return {word: [(s, np.asarray((rows - mean) / spread, np.float32)) for s, rows in its] for word, its in out.items()}


def apart(word: str, other: str, by_word: Mapping[str, Sequence[tuple[str, Floats]]]) -> Apart | None:
    """How far two words are apart; None where each was said only once, or always by the same voice and no other."""
    ones, others = by_word[word], by_word[other]
    between = _pairs(ones, others)
    within = [*_pairs(ones, ones), *_pairs(others, others)]
    if not between or not within:
        return None
    return Apart(word, other, float(np.median(between)), float(np.median(within)))


def _pairs(ones: Sequence[tuple[str, Floats]], others: Sequence[tuple[str, Floats]]) -> list[float]:
    """Distances between recordings of different speakers; where there is one speaker, of all different recordings."""
    pairs = [(a, b) for a, b in product(ones, others) if a[0] != b[0]]
    pairs = pairs or [(a, b) for a, b in product(ones, others) if a[1] is not b[1]]
    return [warped(a[1], b[1]) for a, b in pairs]


def warped(one: Floats, other: Floats) -> float:
    """Mean distance of two runs of embeddings, shape (n, size) and (m, size), over their best alignment."""
    steps: npt.NDArray[np.float64] = np.sqrt(
        np.mean(np.square(one[:, None].astype(np.float64) - other[None].astype(np.float64)), axis=2)
    )
    n, m = steps.shape
    whole = np.full((n + 1, m + 1), np.inf)
    whole[0, 0] = 0.0
    for i, j in product(range(n), range(m)):
        step = steps[i, j]
        whole[i + 1, j + 1] = min(whole[i, j + 1] + step, whole[i + 1, j] + step, whole[i, j] + 2.0 * step)
    return float(whole[n, m] / (n + m))


def concerns(found: Sequence[Apart], name: str, of: str, *, recorded: bool = False) -> list[Concern]:
    """What speaks against a word from its distances from others.

    name : of the backbone
    of : whose voices
    recorded : these are recordings, which differ by rooms and microphones as well: only what is very near counts
    """
    near = min((a for a in found if not part_of(a.other, a.word)), key=lambda a: a.ratio, default=None)
    if near is None or near.ratio >= (POOR_UNDER if recorded else RISKY_UNDER):
        return []
    why = f'to {name}, "{near.other}" is hardly further from it than another voice ({near.ratio:.2f} times, {of})'
    fix = f'take another, or add a word; else record "{near.other}" as well, as what it is not'
    return [Concern("poor" if near.ratio < POOR_UNDER and not recorded else "risky", why, fix)]
