"""Many hops in one call of the network: the same bits as hop by hop, or not used at all."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.arrays import Floats
from spotter.events import Event
from spotter.frontend import Frontend
from spotter.model import Model
from spotter.network import Backend, Network, open_network
from spotter.pipeline import Spotter
from spotter.scorers import StreamScorer
from spotter.settings import DecoderConfig
from spotter.stream_form import ManyHops, StreamForm, same_bits
from spotter.windows import Window

TINY = Path(__file__).parent / "data" / "models" / "tiny"
DATA = (TINY / "model.stream.tflite").read_bytes()
MODEL = Model.open(TINY)
EAGER = DecoderConfig(threshold=0.5, rearm=0.97, margin=0.0, smooth_ms=40.0, refractory_ms=100.0)  # fires at noise


def noise(seconds: float) -> Floats:
    """Noise that comes and goes, so that scores move, shape (samples,)."""
    rng = np.random.default_rng(11)
    swell = np.abs(np.sin(np.arange(round(seconds * 16_000)) / 2_500)) ** 3
    samples: Floats = (rng.standard_normal(len(swell)) * swell * 0.3).astype(np.float32)
    return samples


SOUND = noise(5.0)
FRAMES = Frontend(MODEL.frontend)(SOUND)


class Counted:
    """Opens networks, and says how many it has opened; `wrap` may spoil them."""

    def __init__(self, wrap: Callable[[Network], Network] = lambda network: network) -> None:
        self.sizes: list[int] = []
        self._wrap = wrap

    def __call__(self, frames: int) -> Network:
        self.sizes.append(frames)
        return self._wrap(open_network(DATA, "litert", frames))


class Wobbly:
    """A network whose last bits depend on how many frames a call has, as those of a matrix product may."""

    def __init__(self, network: Network) -> None:
        self.shapes = network.shapes
        self._network = network

    def run(self, *inputs: Floats) -> tuple[Floats, ...]:
        longest = max(value.shape[1] for value in inputs if value.ndim == 3)
        return tuple(value * np.float32(1 + longest * 1e-6) for value in self._network.run(*inputs))


def scorer(many: ManyHops | None = None, hop: int = 2) -> StreamScorer:
    return StreamScorer(StreamForm(open_network(DATA, "litert", hop), hop), MODEL.context_frames, many)


def hop_by_hop(hop: int = 2, hops: int = 80) -> Floats:
    """Scores of the first window and of so many hops after it, shape (1 + hops, labels)."""
    one, first = scorer(hop=hop), MODEL.context_frames
    rows = [one.score(FRAMES[:first], first)]
    rows += [one.score(FRAMES[: first + n * hop], hop) for n in range(1, hops + 1)]
    return np.stack(rows)


@pytest.mark.parametrize("name", ["litert", "numpy"])
@pytest.mark.parametrize(("hop", "hops"), [(2, 25), (2, 3), (4, 12), (10, 5), (14, 4)])
def test_many_hops_in_a_call_give_the_bits_of_hop_by_hop(hop: int, hops: int, name: Backend) -> None:
    forms = (StreamForm(open_network(DATA, name, frames), frames) for frames in (hop, hop * hops))
    assert same_bits(*forms)


def test_backlogs_of_any_size_are_scored_as_hop_by_hop() -> None:
    opened = Counted()
    many = scorer(ManyHops(opened, 2, 25))
    at = MODEL.context_frames
    rows = [many.score(FRAMES[:at], at)]
    for hops in (1, 25, 3, 50, 1):
        at += 2 * hops
        rows += list(many.score_hops(FRAMES[:at], hops) if hops > 1 else [many.score(FRAMES[:at], 2)])
    np.testing.assert_array_equal(np.stack(rows), hop_by_hop())
    assert opened.sizes == [50]


def test_what_adds_up_otherwise_is_never_used() -> None:
    opened = Counted(Wobbly)
    many = scorer(ManyHops(opened, 2, 25))
    first = MODEL.context_frames
    rows = [many.score(FRAMES[:first], first), *many.score_hops(FRAMES[: first + 160], 80)]
    np.testing.assert_array_equal(np.stack(rows), hop_by_hop())
    assert opened.sizes == [50]  # tried once


def test_the_network_for_many_hops_is_opened_once_for_all_streams_and_only_when_audio_waits() -> None:
    opened = Counted()
    many = ManyHops(opened, 10, 20)  # more than the first window has
    one, other = scorer(many, 10), scorer(many, 10)
    first = MODEL.context_frames
    for stream in (one, other):
        stream.score(FRAMES[:first], first)
        stream.score(FRAMES[: first + 10], 10)
    assert opened.sizes == []
    for stream in (one, other):
        stream.score_hops(FRAMES[: first + 210], 20)
    assert opened.sizes == [200]


def test_threads_may_share_the_network_for_many_hops() -> None:
    many = ManyHops(Counted(), 2, 25)
    first = MODEL.context_frames

    def work(_: int) -> Floats:
        stream = scorer(many)
        return np.stack([stream.score(FRAMES[:first], first), *stream.score_hops(FRAMES[: first + 160], 80)])

    wanted = hop_by_hop()
    with ThreadPoolExecutor(6) as threads:
        for rows in threads.map(work, range(18)):
            np.testing.assert_array_equal(rows, wanted)


def listen(
    model: Model, hop_ms: float, sizes: list[int], lost: int | None
) -> tuple[list[tuple[object, ...]], list[Event]]:
    """What the windows were and scored, to the bit, and the events, for blocks of these sizes in turn.

    lost : the sample from which 4,000 are missing, if any
    """
    seen: list[tuple[object, ...]] = []

    def tap(window: Window, scores: Floats) -> None:
        seen.append(
            (window.end_sample, window.level_dbfs, window.loudest_dbfs, window.frames.tobytes(), scores.tobytes())
        )

    spotter = Spotter(model, hop_ms=hop_ms, decoder=EAGER, tap=tap)
    events: list[Event] = []
    at = number = 0
    while at < len(SOUND):
        size = sizes[number % len(sizes)]
        number += 1
        if lost is not None and at <= lost < at + size:
            spotter.write(SOUND[at:lost])
            spotter.ring.lose(4_000)
            at, size = lost + 4_000, max(1, at + size - lost - 4_000)
        spotter.write(SOUND[at : at + size])
        events += spotter.events()
        at += size
    return seen, [*events, *spotter.finish()]


def test_a_recording_poured_gives_what_it_gave_live() -> None:
    for hop_ms in (20.0, 100.0):
        live = listen(MODEL, hop_ms, [round(hop_ms * 16)], None)
        assert listen(MODEL, hop_ms, [16_000], None) == live
        assert len(live[1]) > 8


@settings(max_examples=12)
@given(
    st.lists(st.integers(1, 40_000), min_size=1, max_size=6),
    st.sampled_from([20.0, 60.0, 100.0, 200.0]),
    st.none() | st.integers(1_000, 60_000),
)
def test_no_partition_changes_a_bit_of_any_window_score_or_event(
    sizes: list[int], hop_ms: float, lost: int | None
) -> None:
    assert listen(MODEL, hop_ms, sizes, lost) == listen(MODEL, hop_ms, [round(hop_ms * 16)], lost)


@pytest.mark.parametrize("name", ["litert", "numpy"])
def test_a_stall_changes_nothing_whatever_computes(name: Backend) -> None:
    model = Model.open(TINY, backend=name)
    assert listen(model, 40.0, [640] * 30 + [17_000], None) == listen(model, 40.0, [640], None)
