"""Training on several devices and several machines: the same curve, and going on after a worker was killed.

Run as a program this file is one worker; the workers are processes here, on 127.0.0.1.
"""

from __future__ import annotations

import ast
import csv
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotter.errors import BadInputError
from train.batches import Batch
from train.cluster import Cluster, cluster
from train.recipe import Recipe, from_dict
from train.shards import Shards

ROOT = Path(__file__).parent.parent
TIMEOUT_S = 240  # nothing here may wait for ever; an idle machine needs a tenth of it
STEPS, CHECK_EVERY, KILLED_AT = 50, 10, 32
# Without dropout, which draws other masks on each replica, the curves differ by rounding alone.
RECIPE = {
    "keywords": ["yes", "no"],
    "steps": STEPS,
    "check_every": CHECK_EVERY,
    "batch": 12,
    "outputs": 10,
    "warm_up": 2,
    "averaging": 0.9,
    "rooms": 0,
    "network_options": {"width": 8, "dilations": [1], "smoothing": 5, "dropout": 0.0},
}
# Measured: 1e-5 at most, the last digit that the history has.
TOLERANCE = 1e-4
needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="TensorFlow has no wheel for this Python"
)


def work(data: Path, folder: Path, role: str) -> int:
    """Be one process: alone, with one replica and then with two, or one of two workers, of which one kills itself."""
    from spotter.errors import SpotterError
    from train.material import Folders, gather

    recipe = from_dict(RECIPE)
    found = gather(Folders(words=data / "words", speech=data / "speech", cache=data / "features"), recipe)
    training, validation = (found.pools(recipe, split) for split in ("training", "validation"))

    import tensorflow as tf

    from train import distribute

    optimizer = distribute._optimizer

    def strict(recipe: Recipe) -> Any:
        made = optimizer(recipe)
        made.clipnorm = 0.02  # else nothing would be clipped in a network as small as this
        return made

    distribute._optimizer = strict
    if role == "killed" and not cluster().chief:
        draw = Shards.draw

        def draw_or_die(self: Shards, step: int, replica: int) -> Batch:
            if step == KILLED_AT:
                os.kill(os.getpid(), 9)
            return draw(self, step, replica)

        Shards.draw = draw_or_die  # type: ignore[method-assign]
    if role == "alone":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        distribute.fit_distributed(recipe, training, validation, folder.with_name("replicas"), how=two)
    try:
        model = distribute.fit_distributed(recipe, training, validation, folder)
    except SpotterError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"weights {sum(float(np.abs(w).sum()) for w in model.get_weights())}\n")
    return 0


def run(data: Path, folder: Path, role: str, workers: int = 1) -> list[tuple[int, str]]:
    """Start the workers, wait for them; return each one's exit code and what it said."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(workers)]
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        started: list[tuple[subprocess.Popen[str], Path]] = []
        for index in range(workers):
            env = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
            env.pop("TF_CONFIG", None)
            if workers > 1:
                task = {"type": "worker", "index": index}
                env["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
            said = folder.with_name(f"{folder.name}.{role}{index}.txt")
            output = stack.enter_context(said.open("w"))
            command = [sys.executable, __file__, str(data), str(folder), role]
            process = subprocess.Popen(command, env=env, stdout=output, stderr=output, text=True)
            stack.callback(process.wait, 30)
            stack.callback(process.kill)
            started.append((process, said))
        return [(process.wait(TIMEOUT_S), said.read_text()) for process, said in started]


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [int(s.getsockname()[1]) for s in sockets]


def curve(folder: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Steps, training loss, validation loss, in rows."""
    with (folder / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return np.array([[float(r[k]) for k in ("steps", "training_loss", "validation_loss")] for r in rows])


@pytest.fixture(scope="module")
def alone(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "alone"
    ((code, said),) = run(recordings, folder, "alone")
    assert code == 0, said[-3_000:]
    return folder


@pytest.fixture(scope="module")
def killed(recordings: Path, alone: Path) -> tuple[Path, list[tuple[int, str]]]:
    folder = alone.with_name("two")
    return folder, run(recordings, folder, "killed", workers=2)


@needs_tensorflow
def test_the_loss_falls(alone: Path) -> None:
    losses = curve(alone)
    assert losses[:, 0].tolist() == list(range(CHECK_EVERY, STEPS + 1, CHECK_EVERY))
    assert losses[-1, 1] < losses[0, 1] * 0.95
    assert losses[-1, 2] < losses[0, 2] * 0.95


@needs_tensorflow
def test_two_replicas_in_one_process_learn_as_one_does(alone: Path) -> None:
    np.testing.assert_allclose(curve(alone.with_name("replicas")), curve(alone), atol=TOLERANCE)


@needs_tensorflow
def test_a_killed_worker_ends_the_other_with_one_sentence(killed: tuple[Path, list[tuple[int, str]]]) -> None:
    folder, ((chief_code, chief_said), (worker_code, _)) = killed
    assert worker_code in (-9, 9)
    assert chief_code == 1, chief_said[-3_000:]
    last = chief_said.strip().splitlines()[-1]
    found = re.fullmatch(r"worker 1 is gone; start all again, they go on from step (\d+)", last)
    assert found, last
    assert int(found[1]) == curve(folder)[-1, 0] >= CHECK_EVERY
    assert "Traceback" not in chief_said


@needs_tensorflow
def test_workers_started_again_go_on_from_the_last_checkpoint_with_the_curve_of_one(
    recordings: Path, alone: Path, killed: tuple[Path, list[tuple[int, str]]]
) -> None:
    folder = killed[0]
    before = (folder / "history.csv").read_text()
    results = run(recordings, folder, "again", workers=2)
    assert [code for code, _ in results] == [0, 0], results
    assert (folder / "history.csv").read_text().startswith(before)
    assert "steps 10 " not in results[0][1]  # not begun anew
    np.testing.assert_allclose(curve(folder), curve(alone), atol=TOLERANCE)
    mine, other = (said.strip().splitlines()[-1] for _, said in results)
    assert mine == other  # both return the chief's best model
    assert mine.startswith("weights ")


# -- what needs no TensorFlow ------------------------------------------------------------------


class Numbered:
    """A mixer whose sequences are the numbers that were drawn."""

    def draw(self, rng: np.random.Generator, n: int) -> Batch:
        frames = rng.standard_normal((n, 1, 1)).astype(np.float32)
        return Batch(frames, np.zeros((n, 1), np.intp))


def global_batch(replicas: int, step: int, batch: int = 20) -> list[float]:
    shards = Shards(Numbered(), 5, batch, replicas)  # type: ignore[arg-type]
    return sorted(float(x) for r in range(replicas) for x in shards.draw(step, r).frames.ravel())


@pytest.mark.parametrize("replicas", [1, 2, 3, 5, 8])
def test_any_number_of_replicas_learns_from_the_same_batch(replicas: int) -> None:
    assert len(set(global_batch(replicas, step=3))) == 20
    assert global_batch(replicas, step=3) == global_batch(1, step=3)
    assert global_batch(replicas, step=3) != global_batch(replicas, step=4)


def test_more_replicas_than_shards_have_one_each() -> None:
    assert len(set(global_batch(11, step=0))) == 20


def test_a_batch_too_small_for_the_replicas_is_refused() -> None:
    with pytest.raises(BadInputError, match="a batch of 4 does not go round 5 replicas"):
        Shards(Numbered(), 0, 4, 5)  # type: ignore[arg-type]


def test_tf_config_says_which_worker_this_is() -> None:
    text = '{"cluster": {"chief": ["a:1"], "worker": ["b:1", "c:1"]}, "task": {"type": "worker", "index": 1}}'
    assert cluster({"TF_CONFIG": text}) == Cluster(("a:1", "b:1", "c:1"), 2)
    assert cluster({}).chief
    assert not cluster({}).several


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"cluster": {"worker": ["a:1"]}}', "cannot be read"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "no worker 1"),
        ('{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}', "a job 'ps'"),
    ],
)
def test_a_tf_config_that_makes_no_sense_is_refused_with_an_example(text: str, complaint: str) -> None:
    with pytest.raises(BadInputError, match=complaint):
        cluster({"TF_CONFIG": text})


@pytest.mark.parametrize("path", sorted((ROOT / "train" / "networks").glob("*.py")), ids=lambda p: p.name)
def test_networks_call_keras_and_no_backend(path: Path) -> None:
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    }
    assert not imported & {"tensorflow", "torch", "jax"}


if __name__ == "__main__":
    sys.exit(work(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
