"""`python -m benchmarks.own_words`: what a backbone and ten own words cost, beside the usual way of running it.

The usual way is that of the packages that use the embedding: for each 80 ms its log-mel layer on 1,760 samples, then
all 76 frames through the embedding. Both are measured by turns, one thread each.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import stages
from spotter.backbone import BACKBONES, Backbone, open_backbone
from spotter.frontend import Frontend
from spotter.head import pack_head
from spotter.manifest import HEAD, write_manifest
from spotter.model import Model
from spotter.settings import SAMPLE_RATE, DecoderConfig, as_dict
from spotter.stderr import without_chatter

_HELD = 16  # embeddings in the head's window
_WORDS = 10


def made_up(backbone: Backbone, folder: Path) -> Model:
    """Write a model of ten words with weights that were drawn; what it costs does not depend on them."""
    rng = np.random.default_rng(0)
    inputs = _HELD * backbone.size
    words = [f"word{n}" for n in range(_WORDS)]
    layer = rng.normal(0.0, 0.01, (inputs, 1 + _WORDS)), np.array([5.0] + [-5.0] * _WORDS)
    (folder / HEAD).write_bytes(pack_head(np.zeros(inputs), np.full(inputs, 20.0), (layer,)))
    frames = backbone.context_frames + (_HELD - 1) * backbone.step_frames
    manifest = {
        "name": "ten words",
        "labels": ["_unknown_", *words],
        "keywords": words,
        "sample_rate": SAMPLE_RATE,
        "window": SAMPLE_RATE,
        "context": backbone.frontend.samples_for(frames),
        "step": backbone.step,
        "frontend": as_dict(backbone.frontend),
        "decoder": as_dict(DecoderConfig()),
        "training": {},
        "licence": "Apache-2.0",
        "backbone": {"name": backbone.name, "sha256": backbone.sha256},
    }
    write_manifest(folder, manifest, [HEAD])
    return Model.open(folder, backend=backbone.backend)


def as_stream(backbone: Backbone) -> Callable[[], object]:
    """Return what takes 80 ms of samples through front-end and embedding, state kept."""
    form, frontend = backbone.form(backbone.step_frames), Frontend(backbone.frontend)
    samples = stages.audio(1)[: backbone.frontend.samples_for(backbone.step_frames)]
    state = [form.silence]

    def call() -> None:
        _, state[0] = form.advance(frontend(samples), state[0])

    return call


def as_usual() -> Callable[[], object]:
    """Return what does the same as the packages do."""
    from ai_edge_litert.interpreter import Interpreter

    spec = importlib.util.find_spec("pyopen_wakeword")
    assert spec is not None  # noqa: S101 - the backbone was opened
    assert spec.origin is not None  # noqa: S101
    models = Path(spec.origin).parent / "models"

    def opened(name: str, shape: list[int]) -> tuple[Any, int, int]:
        interpreter = Interpreter(str(models / name), num_threads=1)
        index = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(index, shape)
        with without_chatter(lambda line: line.startswith(b"INFO")):
            interpreter.allocate_tensors()
        return interpreter, index, interpreter.get_output_details()[0]["index"]

    mel, mel_in, mel_out = opened("melspectrogram.tflite", [1, 1_760])
    embedding, embedding_in, embedding_out = opened("embedding_model.tflite", [1, 76, 32, 1])
    samples = (stages.audio(1)[:1_760] * 32_768)[np.newaxis]
    frames = np.ones((1, 76, 32, 1), np.float32)

    def call() -> None:
        mel.set_tensor(mel_in, samples)
        mel.invoke()
        frames[0, :-8] = frames[0, 8:]
        frames[0, -8:, :, 0] = mel.get_tensor(mel_out).reshape(8, 32) / 10 + 2
        embedding.set_tensor(embedding_in, frames)
        embedding.invoke()
        embedding.get_tensor(embedding_out)

    return call


def by_turns(calls: dict[str, Callable[[], object]], rounds: int = 20, times: int = 50) -> dict[str, float]:
    """CPU milliseconds of each call, the best of many short turns."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            began = time.process_time()
            for _ in range(times):
                call()
            best[name] = min(best[name], (time.process_time() - began) / times * 1_000)
    return best


def whole(backbone: Backbone, seconds: int = 60, repeats: int = 3) -> float:
    """CPU seconds per second of a recording that is embedded at once; the best of some runs."""
    samples, best = stages.audio(seconds), float("inf")
    for _ in range(repeats):
        began = time.process_time()
        backbone.embed(samples)
        best = min(best, (time.process_time() - began) / seconds)
    return best


def main() -> None:
    """Measure and print."""
    backbone = open_backbone(backend="litert")
    step_ms = backbone.step / SAMPLE_RATE * 1_000
    each = by_turns({"stream": as_stream(backbone), "usual": as_usual()})
    share = each["stream"] / each["usual"]
    print(f"{backbone.name}: front-end and embedding {each['stream']:.3f} ms for {step_ms:.0f} ms, ", end="")
    print(f"{each['stream'] / step_ms:.2%} of a core (aim: 0.4%)")
    print(f"the usual way {each['usual']:.3f} ms, {each['usual'] / step_ms:.2%}: {share:.2f} of it (aim: 0.2)")
    for name in BACKBONES:
        share = whole(open_backbone(name, backend="litert"))
        print(f"{name}: front-end and embedding of a whole recording {share:.3%} of a core")
    for backend in ("litert", "numpy"):
        with tempfile.TemporaryDirectory() as folder:
            model = made_up(open_backbone(backend=backend), Path(folder))
            poured, paced = stages.poured(model, step_ms, 60), stages.at_real_time_pace(model, step_ms)
            aim = " (aim: 0.5%)" if backend == "litert" else ""
            print(f"ten own words on {backend}, hop {step_ms:.0f} ms: poured {poured:.3%}{aim}, ", end="")
            print(f"at real-time pace {paced:.2%}")


if __name__ == "__main__":
    main()
