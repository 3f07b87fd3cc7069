"""A model of own words with weights that were drawn, for tests; no test needs them to hear anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from spotter.backbone import Backbone
from spotter.head import pack_head
from spotter.manifest import HEAD, write_manifest
from spotter.settings import SAMPLE_RATE, DecoderConfig, as_dict

HELD = 5  # embeddings that a head looks at


def write_own_words(
    folder: Path,
    backbone: Backbone,
    words: Sequence[str] = ("one", "two"),
    change: Mapping[str, object] | None = None,
    unknown: float = 0.0,
) -> Path:
    """Write a model folder; what its manifest should say otherwise, and a bias for `_unknown_`, may be given."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    inputs, labels = HELD * backbone.size, 1 + len(words)
    mean, scale = rng.normal(0, 5, inputs), rng.uniform(5, 20, inputs)
    hidden = rng.normal(0, 0.05, (inputs, 8)), rng.normal(0, 1, 8)
    out = rng.normal(0, 1, (8, labels)), np.array([unknown] + [0.0] * len(words))
    (folder / HEAD).write_bytes(pack_head(mean, scale, (hidden, out)))
    frames = backbone.context_frames + (HELD - 1) * backbone.step_frames
    manifest = {
        "name": folder.name,
        "labels": ["_unknown_", *words],
        "keywords": list(words),
        "sample_rate": SAMPLE_RATE,
        "window": SAMPLE_RATE,
        "context": backbone.frontend.samples_for(frames),
        "step": backbone.step,
        "frontend": as_dict(backbone.frontend),
        "decoder": as_dict(DecoderConfig(threshold=0.5, margin=0.0)),
        "training": {},
        "licence": "Apache-2.0",
        "backbone": {"name": backbone.name, "sha256": backbone.sha256},
    }
    write_manifest(folder, {**manifest, **(change or {})}, [HEAD])
    return folder
