"""The speech embedding as a stream gives what its package's own files give; they are the oracle."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.arrays import Floats
from spotter.backbone import GOOGLE, STUDENT, Backbone, open_backbone
from spotter.errors import BadInputError, ModelError
from spotter.frontend import Frontend, StreamingFrontend
from spotter.network import open_network
from spotter.numpy_network import NumpyNetwork
from spotter.settings import SPEECH_EMBEDDING
from spotter.stream_graph import stream_graph
from spotter.tflite import Graph, Operator, Tensor, read_graph
from spotter.tflite_write import write_graph

ROOT = Path(__file__).parent.parent
DEMO: Floats = soundfile.read(ROOT / "spotter" / "data" / "demo.flac", dtype="float32")[0][: 6 * 16_000]
SPEC = importlib.util.find_spec("pyopen_wakeword")

needs_package = pytest.mark.skipif(SPEC is None, reason="pyopen-wakeword is not installed (no wheel for this system)")


def models() -> Path:
    assert SPEC is not None
    assert SPEC.origin is not None
    return Path(SPEC.origin).parent / "models"


def interpreter(name: str, shape: list[int]) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    made = Interpreter(str(models() / name), num_threads=1)
    made.resize_tensor_input(made.get_input_details()[0]["index"], shape)
    made.allocate_tensors()
    return made


def run(made: Any, values: Floats) -> Floats:
    made.set_tensor(made.get_input_details()[0]["index"], values)
    made.invoke()
    out: Floats = made.get_tensor(made.get_output_details()[0]["index"])
    return out


def as_the_package_feeds_it(samples: Floats) -> Floats:
    """Frames of its log-mel layer: 1,760 samples for every 1,280 new ones, shape (8 x calls, 32)."""
    mel = interpreter("melspectrogram.tflite", [1, 1_760])
    starts = range(0, len(samples) - 1_760 + 1, 1_280)
    calls = [run(mel, samples[np.newaxis, at : at + 1_760] * 32_768).reshape(8, 32) for at in starts]
    frames: Floats = np.concatenate(calls) / np.float32(10) + np.float32(2)
    return frames


def whole(frames: Floats) -> Floats:
    """Embeddings of all frames in one call of the package's own file; the stream's grid ends with each eighth frame."""
    given = frames[4:]
    return run(
        interpreter("embedding_model.tflite", [1, len(given), 32, 1]), given[np.newaxis, :, :, np.newaxis]
    ).reshape(-1, 96)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return open_backbone()


@needs_package
@pytest.mark.parametrize("kind", ["speech", "noise", "quiet", "silence", "speech between zeros"])
def test_the_front_end_equals_the_packages_log_mel_layer(kind: str) -> None:
    rng = np.random.default_rng(0)
    kinds: dict[str, Any] = {
        "speech": DEMO,
        "noise": rng.normal(0, 0.1, 50_000),
        "quiet": np.round(rng.normal(0, 1.5, 50_000)) / 32_768,
        "silence": np.zeros(20_000),
        "speech between zeros": np.concatenate((np.zeros(10_000), DEMO[20_000:40_000], np.zeros(10_000))),
    }
    samples = kinds[kind].astype(np.float32)
    wanted = as_the_package_feeds_it(samples)
    np.testing.assert_allclose(Frontend(SPEECH_EMBEDDING)(samples)[: len(wanted)], wanted, atol=1e-3)


@given(st.integers(1, 4), st.lists(st.integers(1, 4_000), min_size=1, max_size=20))
@settings(max_examples=20)
def test_its_limited_range_does_not_depend_on_blocks(groups: int, blocks: list[int]) -> None:
    samples = np.concatenate((np.zeros(3_000, np.float32), DEMO[20_000 : 20_000 + sum(blocks)]))
    streaming = StreamingFrontend(SPEECH_EMBEDDING, 8 * groups, 8)
    parts, at = [], 0
    for size in (3_000, *blocks):
        parts.append(streaming.push(samples[at : at + size]))
        at += size
    frames = np.concatenate(parts)
    np.testing.assert_array_equal(frames, Frontend(SPEECH_EMBEDDING)(samples)[: len(frames)])


def test_a_streaming_front_end_with_groups_refuses_parts_of_them() -> None:
    with pytest.raises(ValueError, match="no whole groups of 8"):
        StreamingFrontend(SPEECH_EMBEDDING, 12, 8)


@needs_package
@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_the_stream_equals_the_packages_file_run_whole_for_any_block_size(calls: list[int], seed: int) -> None:
    frames = np.random.default_rng(seed).normal(6, 4, (8 * (10 + sum(calls)), 32)).astype(np.float32)
    backbone = open_backbone()
    state, rows, at = backbone.form(8).silence, [], 0
    for size in (10, *calls):
        embeddings, state = backbone.form(8 * size).advance(frames[at : at + 8 * size], state)
        rows.append(embeddings)
        at += 8 * size
    np.testing.assert_allclose(np.concatenate(rows)[9:], whole(frames), atol=1e-4)


@needs_package
def test_embeddings_of_a_recording_are_those_of_the_package(backbone: Backbone) -> None:
    embeddings = backbone.embed(DEMO)
    assert embeddings.shape == ((len(DEMO) - backbone.context) // backbone.step + 1, backbone.size)
    frames = Frontend(SPEECH_EMBEDDING)(DEMO)
    np.testing.assert_allclose(embeddings, whole(frames[: len(frames) // 8 * 8]), atol=1e-4)
    from_package = as_the_package_feeds_it(DEMO)
    np.testing.assert_allclose(embeddings, whole(from_package)[: len(embeddings)], atol=1e-2)


@needs_package
def test_a_recording_too_short_for_an_embedding_has_none(backbone: Backbone) -> None:
    assert backbone.embed(DEMO[: backbone.context - 1]).shape == (0, backbone.size)
    assert backbone.embed(DEMO[: backbone.context]).shape == (1, backbone.size)


@needs_package
def test_numpy_gives_the_same_embeddings(backbone: Backbone) -> None:
    plain = open_backbone(GOOGLE, backend="numpy")
    assert plain.backend == "numpy"
    np.testing.assert_allclose(plain.embed(DEMO[:32_000]), backbone.embed(DEMO[:32_000]), atol=1e-3)


@needs_package
def test_the_student_tells_what_the_teacher_tells_at_a_fraction_of_the_size(backbone: Backbone) -> None:
    student = open_backbone(STUDENT)
    assert (student.size, student.step) == (backbone.size, backbone.step)
    assert (ROOT / "spotter" / "data" / "student.tflite").stat().st_size < 1e6
    later = (student.context_frames - backbone.context_frames) // backbone.step_frames
    ours, theirs = student.embed(DEMO), backbone.embed(DEMO)[later:]
    assert len(ours) == len(theirs)
    ours, theirs = ((e - e.mean(0)) / e.std(0) for e in (ours, theirs))
    assert np.mean(ours * theirs) > 0.8  # correlation, over all numbers
    assert np.mean(ours[1:] * theirs[:-1]) < 0.75  # of the same moments, not of others


def test_the_student_streams_in_calls_of_any_size() -> None:
    student = open_backbone(STUDENT)
    frames = Frontend(student.frontend)(DEMO)[:480]
    embeddings = []
    for size in (8, 16, 48):
        form = student.form(size)
        state, rows = form.silence, []
        for at in range(0, 480, size):
            found, state = form.advance(frames[at : at + size], state)
            rows.append(found)
        embeddings.append(np.concatenate(rows))
    np.testing.assert_array_equal(embeddings[0], embeddings[1])
    np.testing.assert_array_equal(embeddings[0], embeddings[2])
    np.testing.assert_allclose(student.embed(DEMO)[:20], embeddings[0][19:39], atol=1e-5)


def test_where_the_package_is_missing_the_student_is_the_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "spotter.backbone.importlib.util.find_spec", lambda name: None if name == "pyopen_wakeword" else find(name)
    )
    assert open_backbone().name == STUDENT


def test_an_unknown_backbone_is_refused_by_name() -> None:
    with pytest.raises(BadInputError, match="no backbone called 'mine'; give one of google-speech-embedding, student"):
        open_backbone("mine")


def test_a_missing_package_is_said_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotter.backbone.importlib.util.find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"needs the package pyopen_wakeword.*pip install 'spotter-kws\[words\]'"):
        open_backbone(GOOGLE)


def test_a_changed_byte_in_the_backbones_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Spec:
        origin = str(tmp_path / "__init__.py")

    (tmp_path / "models").mkdir()
    data = bytearray((models() / "embedding_model.tflite").read_bytes() if SPEC else b"TFL3" * 100)
    data[len(data) // 2] ^= 1
    (tmp_path / "models" / "embedding_model.tflite").write_bytes(data)
    monkeypatch.setattr("spotter.backbone.importlib.util.find_spec", lambda _: Spec)
    with pytest.raises(ModelError, match="is not the file that was published: its SHA-256 differs; install it again"):
        open_backbone(GOOGLE)
    (tmp_path / "models" / "embedding_model.tflite").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        open_backbone(GOOGLE)


# A network small enough to follow: a 3 x 1 convolution, a pooling over two rows, a 2 x 1 convolution.


def small(rows: int = 9, stride: int = 1, pads: int = 0) -> Graph:
    rng = np.random.default_rng(5)
    conv = {"padding": 1, "stride_w": 1, "activation": 0, "dilation_w": 1, "dilation_h": 1}
    pool = {"padding": 1, "stride_w": 1, "stride_h": 2, "filter_w": 1, "filter_h": 2, "activation": 0}
    floats = np.dtype(np.float32)

    def constant(*shape: int) -> Tensor:
        return Tensor("c", shape, floats, rng.normal(0, 1, shape).astype(np.float32))

    after = rows + 2 * pads
    tensors = (
        Tensor("frames", (1, rows, 3, 1), floats, None),
        Tensor("pads", (4, 2), np.dtype(np.int32), np.array([[0, 0], [pads, pads], [1, 1], [0, 0]], np.int32)),
        Tensor("padded", (1, after, 5, 1), floats, None),
        constant(2, 3, 3, 1),
        constant(2),
        Tensor("a", (1, after - 2, 3, 2), floats, None),
        Tensor("b", (1, (after - 2) // 2, 3, 2), floats, None),
        constant(4, 2, 3, 2),
        constant(4),
        Tensor("d", (1, (after - 2) // 2 - 1, 1, 4), floats, None),
    )
    operators = (
        Operator("PAD", (0, 1), (2,), {}),
        Operator("CONV_2D", (2, 3, 4), (5,), {**conv, "stride_h": stride}),
        Operator("MAX_POOL_2D", (5,), (6,), pool),
        Operator("CONV_2D", (6, 7, 8), (9,), {**conv, "stride_h": 1}),
    )
    return Graph(tensors, operators, (0,), (9,))


@pytest.mark.parametrize("backend", ["litert", "numpy"])
def test_a_written_graph_reads_back_and_computes_the_same(backend: Any) -> None:
    graph = small()
    data = write_graph(graph)
    again = read_graph(data)
    assert [o.name for o in again.operators] == [o.name for o in graph.operators]
    assert [t.shape for t in again.tensors] == [t.shape for t in graph.tensors]
    for one, other in zip(graph.tensors, again.tensors, strict=True):
        assert (one.constant is None) == (other.constant is None)
        if one.constant is not None:
            np.testing.assert_array_equal(one.constant, other.constant)
    frames = np.random.default_rng(1).normal(0, 1, (1, 9, 3, 1)).astype(np.float32)
    out = open_network(data, backend).run(frames)[0]
    np.testing.assert_allclose(out, NumpyNetwork(write_graph(read_graph(data))).run(frames)[0], atol=1e-5)


def test_a_small_network_streams_two_rows_at_a_time() -> None:
    frames = np.random.default_rng(2).normal(0, 1, (1, 20, 3)).astype(np.float32)
    wanted = NumpyNetwork(write_graph(small(20))).run(frames[..., np.newaxis])[0].reshape(-1, 4)
    stream = NumpyNetwork(write_graph(stream_graph(small(), 2)))
    state = np.zeros(stream.shapes.inputs[1], np.float32)
    rows = []
    for at in range(0, 20, 2):
        out, state = stream.run(frames[:, at : at + 2], state)
        rows.append(out[0])
    np.testing.assert_allclose(np.concatenate(rows)[2:], wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("graph", "frames", "message"),
    [
        (small(), 3, "3 rows are no whole groups of 2; give a longer hop"),
        (small(stride=2), 2, "CONV_2D from 9 rows to 7 has no stream form here"),
        (small(pads=1), 2, "PAD from 9 rows to 11 has no stream form here"),
    ],
)
def test_what_does_something_else_in_time_has_no_stream_form(graph: Graph, frames: int, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        stream_graph(graph, frames)
