"""A student learns a backbone's embeddings from recordings, and streams what it learned."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.arrays import Floats
from spotter.backbone import GOOGLE, open_backbone
from spotter.frontend import Frontend
from spotter.settings import FrontendConfig
from tests.steps import python
from train.distill_material import TRACK_S, joined, material, tracks

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "spotter" / "data" / "demo.flac"
needs_package = pytest.mark.skipif(
    importlib.util.find_spec("pyopen_wakeword") is None, reason="pyopen-wakeword is not installed (no wheel here)"
)
needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="TensorFlow has no wheel for this Python"
)


@given(st.lists(st.integers(1, 80_000), max_size=8))
@settings(max_examples=20)
def test_tracks_hold_every_recording_in_its_order_with_pauses_between(lengths: list[int]) -> None:
    # Recordings of whole numbers, pauses far under one: what is loud is a recording.
    recordings = [np.full(length, number + 2, np.float32) for number, length in enumerate(lengths)]
    made = list(tracks(iter(recordings), np.random.default_rng(0)))
    together = np.concatenate(made) if made else np.empty(0)
    loud = together[np.abs(together) > 1]
    np.testing.assert_array_equal(loud, np.concatenate(recordings) if recordings else [])
    assert all(len(track) >= TRACK_S * 16_000 for track in made[:-1])


@needs_package
def test_frames_and_embeddings_of_a_row_end_with_the_same_sample(tmp_path: Path) -> None:
    samples: Floats = soundfile.read(DEMO, dtype="float32")[0][: 5 * 16_000]
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, 16_000, "FLOAT")
    found = material([[path]], FrontendConfig(), GOOGLE, 3, "test")
    track = next(tracks(iter([samples]), np.random.default_rng(3)))
    embeddings = open_backbone().embed(track)
    assert found.right.sum() == len(embeddings)
    assert not found.right[:9].any()  # the teacher had not heard enough
    np.testing.assert_allclose(found.embeddings[found.right], embeddings, atol=0.1, rtol=2e-3)
    assert len(found.frames) == 8 * len(found)
    # The last frame of a row is that of the 400 samples before the teacher's frame ends.
    for row in (9, len(found) - 1):
        end = 160 * (8 * row + 7) + 512
        frame = Frontend(FrontendConfig())(track[end - 400 : end])[0]
        np.testing.assert_allclose(found.frames[8 * row + 7], frame, atol=0.02, rtol=2e-3)
    assert len(joined([found, found])) == 2 * len(found)


TEACH = """
import json, sys
from pathlib import Path
import numpy as np
from spotter.network import open_network
from spotter.stream_form import StreamForm
from train.distill import Lessons, Sequences, teach
from tests.steps import python
from train.distill_material import Tracks
from train.export import convert
from train.networks.student import Student

rng = np.random.default_rng(0)
rows, bins, size = 600, 12, 3
frames = np.repeat(rng.normal(-6, 3, (rows * 2, bins)), 4, axis=0)  # changes every 40 ms
# What is to be learned: three means over bands of the row's last frame.
ends = frames[7::8]
wanted = np.stack([ends[:, 4 * n : 4 * n + 4].mean(1) for n in range(size)], 1) * 5 + 20
right = np.arange(rows) % 50 >= 9
tracks = Tracks(frames.astype(np.float16), wanted.astype(np.float16), right)
student = Student(width=12, stem=4, blocks=((3, True), (3, True)))
lessons = Lessons(steps=450, batch=8, rows=8, look_every=150, learning_rate=1e-2, noisy=0.0, gain_db=(-0.1, 0.1))
drawn = Sequences(tracks, tracks, student, lessons)
x, y, r = drawn.draw(rng, plain=True)
out = Path(sys.argv[1])
model, reached = teach(student, tracks, tracks, tracks, lessons, out)
more = Lessons(steps=1, batch=8, rows=8, look_every=1, learning_rate=1e-9, noisy=0.0, gain_db=(-0.1, 0.1))
_, again = teach(student, tracks, tracks, tracks, more, out / "again", start=out / "best.weights.h5")
data = convert(student.streaming(model))
held = frames[:400].astype(np.float32)
whole = np.asarray(model(held[np.newaxis, (400 - student.context_frames) % 8 :]))[0]
differences = {}
for backend in ("litert", "numpy"):
    for n in (8, 40):
        form = StreamForm(open_network(data, backend, n), n)
        state, parts = form.silence, []
        for at in range(0, 400, n):
            found, state = form.advance(held[at : at + n], state)
            parts.append(found)
        differences[f"{backend} {n}"] = float(np.abs(np.concatenate(parts)[-len(whole):] - whole).max())
facts = {
    "shapes": [list(v.shape) for v in (x, y, r)],
    "frames": student.context_frames + 8 * 7,
    "spread": [float(y[r > 0].mean()), float(y[r > 0].std())],
    "reached": reached,
    "again": again,
    "errors": [line.split(",")[3] for line in (out / "history.csv").read_text().splitlines()[1:]],
    "differences": differences,
    "moves": float(np.ptp(whole)),
    "step": student.step_frames,
}
(out / "facts.json").write_text(json.dumps(facts))
"""


@needs_tensorflow
def test_a_student_learns_and_streams_what_it_learned(tmp_path: Path) -> None:
    done = python("-c", TEACH, str(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3_000:]
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert facts["step"] == 8
    assert facts["shapes"] == [[8, facts["frames"], 12], [8, 8, 3], [8, 8]]
    assert facts["spread"] == pytest.approx([0.0, 1.0], abs=0.4)  # standardised
    assert len(facts["errors"]) == 3
    assert float(facts["errors"][-1]) < 0.6 * float(facts["errors"][0])
    assert facts["reached"]["explained"] > 0.3
    assert facts["again"]["unseen_error"] == pytest.approx(facts["reached"]["unseen_error"], rel=0.1)  # it went on
    assert facts["moves"] > 0.5
    assert max(facts["differences"].values()) < 1e-4


@needs_package
def test_words_that_a_student_must_not_have_heard_are_left_out(tmp_path: Path, recordings: Path) -> None:
    from train.cli.distill import _rows

    parser = __import__("argparse").Namespace(speech=None, words=[recordings / "words"], noise=[], without=["yes"])
    rows, noise = _rows(parser)
    assert rows
    assert "yes" not in {row.word for row in rows}
    assert noise == []
