"""With PyTorch as Keras's backend the compiled loop trains the Keras model's own weights."""

from __future__ import annotations

import importlib.util
import itertools
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NO_TORCH = importlib.util.find_spec("torch") is None

# In a process of its own: Keras takes its backend when it is first imported.
SAME_NUMBERS = """
import keras, numpy as np, torch
from train.compiled import forward
from train.compiled import Step
from train.codes import Codes
from train.networks.temporal import Temporal
sizes = Temporal(width=8, dilations=(1, 2), smoothing=5, stem=STEM)
model = sizes.build(None, 6, 4)
rng = np.random.default_rng(0)
for v in model.variables:
    v.assign(np.abs(rng.normal(0.5, 0.3, v.shape)).astype("float32"))
step = Step(sizes, model, Codes(("_silence_", "_unknown_", "a", "b")), compiled=False)
frames = rng.normal(-4, 4, (3, 90, 6)).astype("float32")
with torch.no_grad():
    ours = step.predict_on_batch(frames)
difference = np.abs(ours - keras.ops.convert_to_numpy(model(frames, training=False))).max()
assert difference < 1e-4 * np.abs(ours).max(), difference
before = [v.numpy().copy() for v in map(lambda v: v.value.detach(), model.trainable_variables)]
loss = step(torch.from_numpy(frames), torch.zeros((3, ours.shape[1]), dtype=torch.int64))
loss.backward()
assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in step.trainable)
keras_moved = model.get_layer("first_norm").moving_mean.value
assert keras_moved is step.weights["first_norm.moving_mean"]
print("same")
"""


@pytest.mark.parametrize("stem", [0, 4])
@pytest.mark.skipif(NO_TORCH, reason="PyTorch is not installed; it is one of Keras's backends, not needed")
def test_the_compiled_step_gives_what_the_keras_model_gives(stem: int) -> None:
    environment = {"KERAS_BACKEND": "torch", "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", SAME_NUMBERS.replace("STEM", str(stem))],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.endswith("same\n"), done.stderr


def test_the_learning_rate_rises_then_falls_to_a_hundredth() -> None:
    from train.recipe import Recipe
    from train.schedule import learning_rate

    recipe = Recipe(steps=1_000, warm_up=100, learning_rate=1.0)
    rates = [learning_rate(recipe, step) for step in range(1_001)]
    assert max(rates) == pytest.approx(1.0) == rates[100]
    assert rates[0] == pytest.approx(0.05)
    assert rates[-1] == pytest.approx(0.01)
    assert all(a >= b for a, b in itertools.pairwise(rates[100:]))
