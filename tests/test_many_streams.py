"""Many streams in one thread give what each gives alone, on one network."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

import spotter
from spotter.arrays import Floats
from spotter.checkup import DEMO
from spotter.errors import BadInputError
from spotter.events import Detection, Event, Gap
from spotter.model import Model
from spotter.pipeline import Spotter
from spotter.settings import with_threshold
from spotter.sources.files import AudioFile
from spotter.streams import Streams, Together
from tests.command_line import TINY


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.open("commands")


@pytest.fixture(scope="module")
def demo() -> Floats:
    return np.concatenate([block[:, 0].copy() for block in AudioFile(DEMO).blocks()])


def alone(model: Model, samples: Floats, block: int, rate: int = 16_000) -> tuple[list[Event], Floats]:
    """Events of one stream, and its scores after each block."""
    stream = Spotter(model, sample_rate=rate)
    events, scores = [], []
    for at in range(0, len(samples), block):
        stream.write(samples[at : at + block])
        events += list(stream.events())
        scores.append(stream.scores.copy())
    return [*events, *stream.finish()], np.stack(scores)


@pytest.mark.parametrize("backend", ["litert", "numpy"])
def test_events_and_scores_are_those_of_a_stream_alone(demo: Floats, backend: str) -> None:
    model = Model.open("commands", backend=backend)  # type: ignore[arg-type]  # one of the two
    blocks = {160: demo[:48_000], 1_600: demo[16_000:80_000], 4_111: demo[100_000:180_000]}
    wanted = {block: alone(model, samples, block) for block, samples in blocks.items()}
    streams = Streams(model)
    opened = {block: streams.open() for block in blocks}
    events: dict[int, list[Event]] = {block: [] for block in blocks}
    scores: dict[int, list[Floats]] = {block: [] for block in blocks}
    for number in range(300):
        for block, samples in blocks.items():
            if len(part := samples[number * block : (number + 1) * block]):
                opened[block].write(part)
        for stream, event in streams.events():
            events[next(block for block in blocks if opened[block] is stream)].append(event)
        for block, samples in blocks.items():
            if number * block < len(samples):
                scores[block].append(opened[block].scores.copy())
    for block, (of_one, scores_of_one) in wanted.items():
        assert [*events[block], *streams.close(opened[block])] == of_one
        assert np.array_equal(np.stack(scores[block]), scores_of_one)
    assert sum(len(of_one) for of_one, _ in wanted.values()) >= 4
    assert len(streams) == 0


def test_streams_of_different_rates_and_channels_live_together(model: Model, demo: Floats) -> None:
    wide = np.repeat(demo[:48_000], 3)
    stereo = np.stack((np.zeros_like(wide), wide), axis=1)
    streams = Streams(model)
    plain, other = streams.open(padded=True), streams.open(sample_rate=48_000, channels=2, channel=2, padded=True)
    heard: dict[int, list[str]] = {id(plain): [], id(other): []}
    for at in range(0, 48_000, 1_600):
        plain.write(demo[at : at + 1_600])
        other.write(stereo[3 * at : 3 * at + 4_800])
        for stream, event in streams.events():
            assert isinstance(event, Detection)
            heard[id(stream)].append(event.keyword)
    assert list(heard.values()) == [["yes"], ["yes"]]


def test_a_stream_that_falls_behind_loses_audio_of_its_own_only(model: Model, demo: Floats) -> None:
    streams = Streams(model, ring_seconds=0.5)
    late, other = streams.open(), streams.open()
    late.write(demo[:16_000])
    gaps = []
    for at in range(0, 40_000, 1_600):
        other.write(demo[at : at + 1_600])
        gaps += [(stream, event) for stream, event in streams.events() if isinstance(event, Gap)]
    late.write(demo[:1_600])
    gaps += [(stream, event) for stream, event in streams.events() if isinstance(event, Gap)]
    ((stream, gap),) = gaps
    assert stream is late
    assert (gap.samples, gap.reason) == (8_000, "overflow")


def test_a_loop_that_is_left_finds_the_rest_at_its_next_call(model: Model, demo: Floats) -> None:
    whole, left = Streams(model, ring_seconds=30.0), Streams(model, ring_seconds=30.0)
    for streams in (whole, left):
        for _ in range(2):
            streams.open(padded=True).write(demo)
    wanted = [event for _, event in whole.events()]
    assert len(wanted) > 10
    found = []
    while (one := next(left.events(), None)) is not None:
        found.append(one[1])
    assert found == wanted


def test_a_stream_may_be_closed_while_events_are_taken(model: Model, demo: Floats) -> None:
    streams = Streams(model, ring_seconds=3.0)
    opened = [streams.open(padded=True) for _ in range(3)]
    for stream in opened:
        stream.write(demo[:40_000])
    seen = []
    for stream, _ in streams.events():
        seen.append(stream)
        for other in opened[1:]:
            streams.close(other)
    assert seen == [opened[0]]
    assert len(streams) == 1


def test_settings_are_for_all_streams(model: Model) -> None:
    streams = Streams(model, hop_ms=20, decoder=with_threshold(model.decoder, 0.5, model.keywords))
    assert streams.open().hop_samples == 320
    with pytest.raises(BadInputError, match="a sample rate of 5 Hz is out of range"):
        streams.open(sample_rate=5)
    with pytest.raises(BadInputError, match="a hop of 7 ms is not possible"):
        Streams(model, hop_ms=7).open()


def test_all_take_turns_on_one_network_whatever_the_model_is_made_of(model: Model) -> None:
    from spotter.stream_form import StreamForm

    for one in (model, Model.open(TINY)):
        before = sum(type(thing) is StreamForm for thing in gc.get_objects())  # isinstance asks weak proxies
        streams = Streams(one)
        for _ in range(20):
            streams.open()
        after = sum(type(thing) is StreamForm for thing in gc.get_objects())  # isinstance asks weak proxies
        assert after - before <= 1


def test_a_model_without_a_stream_form_shares_its_window_form(model: Model, demo: Floats) -> None:
    whole = Model.open(model.folder, network="model.int8.tflite")
    events, scores = alone(whole, demo[:48_000], 1_600)
    streams = Streams(whole)
    one, two = streams.open(), streams.open()
    kept, heard = [], []
    for at in range(0, 48_000, 1_600):
        two.write(demo[at + 5_000 : at + 6_600])
        one.write(demo[at : at + 1_600])
        heard += [event for stream, event in streams.events() if stream is one]
        kept.append(one.scores.copy())
    assert np.array_equal(np.stack(kept), scores)
    assert heard == events != []


def test_it_is_a_public_name_and_the_network_is_what_a_spotter_takes(model: Model) -> None:
    assert spotter.Streams is Streams
    assert Spotter(Together(model)).labels == model.labels
    assert Path(model.folder).is_dir()
