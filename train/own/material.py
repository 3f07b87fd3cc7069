"""Recordings of one own word to embeddings: copies to learn from, copies to be judged by, and parts as negatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from spotter.arrays import Floats
from spotter.backbone import Backbone
from spotter.errors import BadInputError
from spotter.settings import SAMPLE_RATE
from train.own.clips import LONGEST_S, Clip, utterance
from train.own.copies import Layout, Variety, block, varied
from train.own.scene import Scene, part, surrounded

_JUDGED_SNR_DB: Final = 10.0
_VARIED_PARTS: Final = 0.5  # share
_SILENT: Final = 0.3  # of the copies, that lie in digital silence, as a recording does that is played by itself
_SLACK: Final = 1.15  # more surroundings, for copies that are sped up


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterialPlan:
    """How much is made of recordings.

    copies : of all recordings together; each recording has `fewest` to `most` of them
    lead_s : of what was before the utterance that a window sees, about; less tells a word worse from others (ADR 12)
    longest_s : of an utterance; longer ones are no keyword
    """

    copies: int = 600
    fewest: int = 12
    most: int = 30
    lead_s: float = 1.7
    longest_s: float = LONGEST_S
    part_shares: tuple[float, float] = (0.4, 0.6)  # of an utterance, that a part of it keeps
    variety: Variety = field(default_factory=Variety)


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Blocks of embeddings of one word's recordings; a block holds the windows that end near the utterance's end.

    copies : float32, shape (clips, copies, embeddings, size); number 0 is the recording as it is
    noisy : float32, shape (clips, embeddings, size), the recording in noise at 10 dB, only to be judged by
    parts : float32, shape (parts, embeddings, size), with a part of the utterance only
    sessions : of the clips
    seconds : of the utterances
    window : embeddings in a window
    """

    copies: Floats
    noisy: Floats
    parts: Floats
    sessions: tuple[str, ...]
    seconds: Floats
    window: int


def scenes(word: str, clips: Sequence[Clip], plan: MaterialPlan) -> list[Scene]:
    """Find the utterances; refuse recordings that hold none, or something too long for a keyword."""
    found = []
    for clip in clips:
        first, end = utterance(clip.samples)
        if end <= first:
            raise BadInputError(f"{clip.name or word} holds only silence; record it again or take it away")
        seconds = (end - first) / SAMPLE_RATE
        if seconds > plan.longest_s:
            raise BadInputError(
                f"the utterance in {clip.name or word} is {seconds:.1f} s long, "
                f"and {plan.longest_s:g} s is the longest for an own word; cut it, or choose a shorter phrase"
            )
        found.append(Scene(clip.samples, first, end))
    return found


def window_for(seconds: Sequence[float], backbone: Backbone, plan: MaterialPlan) -> int:
    """How many embeddings see a long utterance of the word, and about `lead_s` before it."""
    wanted = float(np.percentile(seconds, 75)) + plan.lead_s
    return max(1, round((wanted * SAMPLE_RATE - backbone.context) / backbone.step) + 1)


def gather(
    word: str,
    clips: Sequence[Clip],
    backbone: Backbone,
    plan: MaterialPlan,
    rng: np.random.Generator,
    *,
    noise: Sequence[Floats] = (),
    done: Callable[[], None] = lambda: None,
) -> Material:
    """Embed copies of each recording; `done` is called after each recording."""
    said = scenes(word, clips, plan)
    seconds = np.array([(s.end - s.first) / SAMPLE_RATE for s in said], np.float32)
    layout = Layout(window=window_for(seconds.tolist(), backbone, plan))
    each = int(np.clip(plan.copies // len(said), plan.fewest, plan.most))
    before = round((backbone.context + (layout.window + 3) * backbone.step) * _SLACK)
    after = round((layout.latest_s * SAMPLE_RATE + 2 * backbone.step) * _SLACK)
    judged = Variety(
        slowest=1.0,
        fastest=1.0,
        in_room_share=0.0,
        tilted_share=0.0,
        noisy_share=1.0,
        late_share=0.0,
        lowest_snr_db=_JUDGED_SNR_DB,
        highest_snr_db=_JUDGED_SNR_DB,
    )
    copies, noisy, parts = [], [], []
    for scene in said:
        own = [_at_chance(rng, scene, before, after, backbone) for _ in range(each + 2)]
        own[2:] = [varied(rng, s, noise, plan.variety) for s in own[2:]]
        noisy.append(block(backbone, varied(rng, own[1], noise, judged), layout))
        copies.append([block(backbone, s, layout) for s in (own[0], *own[2:])])
        for first in (True, False):
            share = rng.uniform(*plan.part_shares)
            half = part(rng, scene, 0.0, share) if first else part(rng, scene, 1.0 - share, 1.0)
            half = _at_chance(rng, half, before, after, backbone)
            if rng.random() < _VARIED_PARTS:
                half = varied(rng, half, noise, plan.variety)
            parts.append(block(backbone, half, layout))
        done()
    return Material(
        np.array(copies, np.float32),
        np.array(noisy, np.float32),
        np.array(parts, np.float32),
        tuple(c.session for c in clips),
        seconds,
        layout.window,
    )


def _at_chance(rng: np.random.Generator, scene: Scene, before: int, after: int, backbone: Backbone) -> Scene:
    """The scene, begun anywhere in a step, since windows fall as they fall; now and then in digital silence."""
    before += int(rng.integers(backbone.step))
    return surrounded(rng, scene, before, after, silent=rng.random() < _SILENT)
