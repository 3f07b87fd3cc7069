"""A fitted head as a model folder, by itself or beside a model that it extends."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from spotter.backbone import Backbone
from spotter.errors import BadInputError, SpotterError
from spotter.head import pack_head
from spotter.manifest import HEAD, STREAM_NETWORK, VOICE, WINDOW_NETWORK, write_manifest
from spotter.model import Model
from spotter.settings import SAMPLE_RATE, DecoderConfig, as_dict
from spotter.voice import Voice, pack_voice
from train.own.fit_words import Fitted

# A head looks at more than a second already: nothing is smoothed. A phrase lasts longer than a word.
DECODER: Final = DecoderConfig(smooth_ms=0.0, margin=0.0, refractory_ms=1_000.0)


def save_words(
    out: Path,
    fitted: Fitted,
    backbone: Backbone,
    *,
    decoder: DecoderConfig,
    training: Mapping[str, Any],
    card: str = "",
    extend: Model | None = None,
    voice: Voice | None = None,
) -> Model:
    """Write a folder that is not there yet, and open it.

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
        A word is a keyword of the extended model, or that cannot be extended.
    SpotterError
        The disk refuses.
    """
    head = fitted.head
    words = head.labels[1:]
    frames = backbone.context_frames + (head.window - 1) * backbone.step_frames
    context = backbone.frontend.samples_for(frames)
    manifest: dict[str, Any] = {
        "name": out.name,
        "labels": list(head.labels),
        "keywords": list(words),
        "phrases": {word: word.replace("_", " ") for word in words},
        "sample_rate": SAMPLE_RATE,
        "window": min(context, SAMPLE_RATE),
        "context": context,
        "step": backbone.step,
        "frontend": as_dict(backbone.frontend),
        "decoder": as_dict(replace(decoder, thresholds=dict(fitted.thresholds))),
        "training": dict(training),
        "licence": "what you say of it; the backbone is Apache-2.0",
        "backbone": {"name": backbone.name, "sha256": backbone.sha256},
    }
    copied: list[str] = []
    if extend is not None:
        manifest |= _beside(extend, fitted, backbone, context)
        copied = [name for name in (WINDOW_NETWORK, STREAM_NETWORK) if name in extend.manifest["files"]]
    files = [HEAD, *copied, *([VOICE] if voice else [])]
    try:
        out.mkdir(parents=True)
        (out / HEAD).write_bytes(pack_head(head.mean, head.scale, [(head.weights, head.bias)]))
        for name in copied:
            shutil.copyfile(extend.folder / name, out / name)  # type: ignore[union-attr] # there are none else
        if voice is not None:
            (out / VOICE).write_bytes(pack_voice(voice))
        if card:
            (out / "CARD.md").write_text(card, "utf-8")
        write_manifest(out, manifest, files)
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


def _beside(model: Model, fitted: Fitted, backbone: Backbone, own_context: int) -> dict[str, Any]:
    """What changes in the manifest of own words that stand beside another model's."""
    words = fitted.head.labels[1:]
    check_extends(model, words)
    frontend = backbone.frontend
    if frontend != model.frontend:  # else the same frames serve both
        frontend = replace(frontend, beside=model.frontend)
    group = backbone.step_frames
    own = backbone.frontend.frames_in(own_context)
    frames = max(own, -(-model.context_frames // group) * group)
    of_model = model.decoder
    thresholds = {word: of_model.thresholds.get(word, of_model.threshold) for word in model.keywords}
    return {
        "labels": [*model.labels, *words],
        "keywords": [*model.keywords, *words],
        "window": SAMPLE_RATE,
        "context": frontend.samples_for(frames),
        "frontend": as_dict(frontend),
        "decoder": as_dict(replace(of_model, thresholds={**thresholds, **fitted.thresholds})),
        "extended": {
            "name": model.name,
            "labels": list(model.labels),
            "context": model.context,
            "step": model.step,
            "own_context": own_context,
        },
    }


_SHIPPED = "models/commands"
