"""A fitted head as a model folder, by itself or beside a model that it extends."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from spotter.backbone import Backbone
from spotter.errors import BadInputError, SpotterError
from spotter.head import pack_head, read_head
from spotter.manifest import HEAD, STREAM_NETWORK, VOICE, WINDOW_NETWORK, write_manifest
from spotter.model import Model
from spotter.settings import SAMPLE_RATE, UNKNOWN, DecoderConfig, as_dict
from spotter.tflite import Array
from spotter.voice import Voice, pack_voice
from train.own.fit_words import Fitted

# A head looks at more than a second already: nothing is smoothed. A phrase lasts longer than a word.
DECODER: Final = DecoderConfig(smooth_ms=0.0, margin=0.0, refractory_ms=1_000.0)


@dataclass(frozen=True, slots=True, eq=False)
class WordsHead:
    """What was fitted.

    words : in the order of the head's outputs, after `_unknown_`
    mean, scale, layers : see `spotter.head.pack_head`
    thresholds : of each word
    """

    words: tuple[str, ...]
    mean: Array
    scale: Array
    layers: Sequence[tuple[Array, Array]]
    thresholds: Mapping[str, float]


def head_of(fitted: Fitted) -> WordsHead:
    """Return what is written of a fit."""
    head = fitted.head
    return WordsHead(head.labels[1:], head.mean, head.scale, [(head.weights, head.bias)], fitted.thresholds)


def save_words(
    out: Path,
    head: WordsHead,
    backbone: Backbone,
    *,
    decoder: DecoderConfig,
    training: Mapping[str, Any],
    card: str = "",
    extend: Model | None = None,
    voice: Voice | None = None,
    force: bool = False,
) -> Model:
    """Write the folder, whole or not at all, and open it.

    Parameters
    ----------
    decoder : DecoderConfig
        Of the own words; of an extended model's words its own settings stay.
    extend : Model, optional
        Is written along: its networks beside the head, its keywords before the own words.
    voice : Voice, optional
        Whose voice passes.

    Raises
    ------
    BadInputError
        The folder exists (without `force`), a word is a keyword of the extended model, or that cannot be extended.
    SpotterError
        The disk refuses.
    """
    if out.exists() and not force:
        raise BadInputError(f"{out} exists; give another name, or --force to replace it")
    packed = pack_head(head.mean, head.scale, head.layers)
    held = read_head(packed).inputs // backbone.size
    frames = backbone.context_frames + (held - 1) * backbone.step_frames
    context = backbone.frontend.samples_for(frames)
    manifest: dict[str, Any] = {
        "name": out.name,
        "labels": [UNKNOWN, *head.words],
        "keywords": list(head.words),
        "sample_rate": SAMPLE_RATE,
        "window": min(context, SAMPLE_RATE),
        "context": context,
        "step": backbone.step,
        "frontend": as_dict(backbone.frontend),
        "decoder": as_dict(replace(decoder, thresholds=dict(head.thresholds))),
        "training": dict(training),
        "licence": "what you say of it; the backbone is Apache-2.0",
        "backbone": {"name": backbone.name, "sha256": backbone.sha256},
    }
    copied: list[str] = []
    if extend is not None:
        manifest |= _beside(extend, head, backbone, context)
        copied = [name for name in (WINDOW_NETWORK, STREAM_NETWORK) if name in extend.manifest["files"]]
    files = [HEAD, *copied, *([VOICE] if voice else [])]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
            folder = Path(scratch) / out.name
            folder.mkdir()
            (folder / HEAD).write_bytes(packed)
            for name in copied:
                shutil.copyfile(extend.folder / name, folder / name)  # type: ignore[union-attr] # there are none else
            if voice is not None:
                (folder / VOICE).write_bytes(pack_voice(voice))
            if card:
                (folder / "CARD.md").write_text(card, "utf-8")
            write_manifest(folder, manifest, files)
            Model.open(folder, backend=backbone.backend)
            if out.exists():
                out.rename(Path(scratch) / "old")
            shutil.move(folder, out)
    except OSError as problem:
        raise SpotterError(
            f"{out} cannot be written ({problem.strerror}); make room, or give another place"
        ) from problem
    return Model.open(out, backend=backbone.backend)


def check_extends(model: Model, words: Sequence[str]) -> None:
    """Refuse a model that cannot be extended by these words."""
    if "backbone" in model.manifest:
        raise BadInputError(f"{model.name} holds own words already; fit all of them together, and extend {_SHIPPED}")
    for word in words:
        if word in model.labels:
            raise BadInputError(f"{word!r} is a word of {model.name} already; leave it out, or do not extend that")


def _beside(model: Model, head: WordsHead, backbone: Backbone, own_context: int) -> dict[str, Any]:
    """What changes in the manifest of own words that stand beside another model's."""
    check_extends(model, head.words)
    frontend = backbone.frontend
    if frontend != model.frontend:  # else the same frames serve both
        frontend = replace(frontend, beside=model.frontend)
    group = backbone.step_frames
    own = backbone.frontend.frames_in(own_context)
    frames = max(own, -(-model.context_frames // group) * group)
    of_model = model.decoder
    thresholds = {word: of_model.thresholds.get(word, of_model.threshold) for word in model.keywords}
    return {
        "labels": [*model.labels, *head.words],
        "keywords": [*model.keywords, *head.words],
        "window": SAMPLE_RATE,
        "context": frontend.samples_for(frames),
        "frontend": as_dict(frontend),
        "decoder": as_dict(replace(of_model, thresholds={**thresholds, **head.thresholds})),
        "extended": {
            "name": model.name,
            "labels": list(model.labels),
            "context": model.context,
            "step": model.step,
            "own_context": own_context,
        },
    }


_SHIPPED = "models/commands"
