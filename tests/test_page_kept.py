"""What the live page keeps, and what other settings make of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.arrays import Floats
from spotter.cli.listen import DEMO
from spotter.events import Detection, Event
from spotter.explainer import Explainer
from spotter.frontend import Frontend
from spotter.model import Model
from spotter.page.kept import Kept
from spotter.page.picture import MISSING, Picture
from spotter.page.whatif import Replay
from spotter.pipeline import Spotter
from spotter.settings import SPEECH_EMBEDDING, TUTORIAL, DecoderConfig, FrontendConfig
from spotter.sources.files import AudioFile
from spotter.windows import Window
from tests.fakes import TALK, ScriptedModel, recording

FRAMES = np.zeros((1, 1), np.float32)


def window(end: int, level_dbfs: float = -20.0) -> Window:
    return Window(end, FRAMES, 1, level_dbfs, level_dbfs, -60.0)


@pytest.fixture(scope="module")
def commands() -> Model:
    return Model.open("commands")


@pytest.fixture(scope="module")
def demo() -> Floats:
    return np.concatenate([block.copy() for block in AudioFile(DEMO).blocks()])[:, 0]


def hear(model: Any, samples: Floats, config: DecoderConfig, *, hop_ms: float, lose_at: int = 0) -> Heard:
    """Run the pipeline over samples; a second is lost after `lose_at` of them."""
    return Heard(model, samples, config, hop_ms, lose_at)


class Heard:
    def __init__(self, model: Any, samples: Floats, config: DecoderConfig, hop_ms: float, lose_at: int) -> None:
        hop = round(hop_ms * 16)
        self.kept = Kept(len(model.labels), hop)
        explainer = Explainer(model.labels, config, hop)
        spotter = Spotter(
            model, hop_ms=hop_ms, decoder=config, padded=True, tap=self.kept.judged, explain=explainer.see
        )
        spotter.judge.sound = self.kept.sound
        events: list[Event] = []
        for at in range(0, len(samples), 16_000):
            if lose_at and at == lose_at:
                spotter.ring.lose(16_000)
            spotter.write(samples[at : at + 16_000])
            events.extend(spotter.events())
        events.extend(spotter.finish())
        explainer.finish()
        self.fired = [(e.keyword, e.time_sample) for e in events if isinstance(e, Detection)]
        self.explained = [(e.verdict, e.end_sample) for e in explainer.found]


def replayed(model: Any, kept: Kept, config: DecoderConfig, hop_ms: float, part: int = 10_000) -> list[Any]:
    replay, rows = Replay(model.labels, model.keywords, config, round(hop_ms * 16)), kept.rows()
    found = []
    for at in range(0, len(rows), part):
        found += replay.go_on(rows.part(at, at + part)).found
    return [(e.verdict, e.end_sample) for e in [*found, *replay.finish()]]


def events_of(explained: list[Any]) -> list[tuple[str, int]]:
    return [(verdict.keyword, end) for verdict, end in explained if verdict.rule == "fired"]


@pytest.mark.parametrize("hop_ms", [100.0, 20.0])
def test_with_the_settings_in_use_the_kept_scores_give_what_was_heard_and_why(
    commands: Model, demo: Floats, hop_ms: float
) -> None:
    heard = hear(commands, demo, commands.decoder, hop_ms=hop_ms, lose_at=96_000)
    explained = replayed(commands, heard.kept, commands.decoder, hop_ms)
    assert events_of(explained) == heard.fired
    assert len(heard.fired) >= 9
    assert explained == heard.explained


@pytest.mark.parametrize(
    "change",
    [
        {"thresholds": {"yes": 0.999}},
        {"threshold": 0.3, "thresholds": {}},
        {"smooth_ms": 470.0},
        {"margin": 0.99},
        {"smooth_ms": 0.0, "margin": 0.0, "threshold": 0.05, "thresholds": {}},
    ],
)
def test_other_settings_give_what_listening_with_them_gives(
    commands: Model, demo: Floats, change: dict[str, Any]
) -> None:
    config = dataclasses.replace(commands.decoder, **change)
    used = hear(commands, demo, commands.decoder, hop_ms=100.0, lose_at=96_000)
    anew = hear(commands, demo, config, hop_ms=100.0, lose_at=96_000)
    assert replayed(commands, used.kept, config, 100.0) == anew.explained
    assert events_of(anew.explained) == anew.fired
    assert anew.fired != used.fired


@pytest.mark.parametrize("part", [1, 7])
def test_in_how_many_steps_it_is_worked_out_changes_nothing(part: int) -> None:
    model = ScriptedModel()
    heard = hear(model, TALK, model.decoder, hop_ms=20.0)
    whole, parts = (replayed(model, heard.kept, model.decoder, 20.0, part=n) for n in (10_000, part))
    assert parts == whole
    assert events_of(whole) == heard.fired


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 9_000), st.sampled_from([0, 0, 0, 40, 30_000])), min_size=1, max_size=12))
def test_the_last_samples_are_kept_whatever_came_in_which_pieces_and_what_is_missing(
    pieces: list[tuple[int, int]],
) -> None:
    kept, rng = Kept(1, 1_600, seconds=1.0), np.random.default_rng(0)
    whole, position, gaps = np.zeros(400_000, np.int16), 0, []
    for length, lost in pieces:
        if lost:
            gaps.append((position, position + lost))
        position += lost
        values = rng.integers(-32_768, 32_767, length)
        whole[position : position + length] = values
        kept.sound(position, (values / 32_768).astype(np.float32))
        position += length
    assert kept.end == position
    assert kept.begin == max(0, position - 16_000)
    assert np.array_equal(kept.audio(0, position), whole[kept.begin : position])
    assert np.array_equal(
        kept.audio(position - 100, position - 20), whole[max(0, position - 100) : position][:-20][-80:]
    )
    assert kept.gaps(0, position) == gaps


def test_windows_are_kept_and_counted_and_know_what_is_missing_before_them() -> None:
    kept = Kept(2, 1_600, seconds=1.0)
    for number in range(25):
        if number == 20:
            kept.sound(40_000, np.zeros(10, np.float32))
        kept.judged(window(1_600 * (number + (number >= 23))), np.full(2, number, np.float32))
    rows = kept.rows()
    assert (rows.first, len(rows)) == (14, 11)
    assert rows.scores[:, 0].tolist() == list(range(14, 25))
    assert [rows.first + n for n in np.flatnonzero(rows.anew)] == [20, 23]
    assert kept.rows(23).first == 23
    assert len(kept.rows(25)) == 0


def test_another_stream_begins_anew() -> None:
    kept = Kept(1, 1_600, seconds=1.0)
    kept.sound(0, np.full(8_000, 0.5, np.float32))
    kept.judged(window(8_000), np.ones(1, np.float32))
    kept.sound(0, np.full(800, 0.25, np.float32))
    assert (kept.begin, kept.end, kept.windows) == (0, 800, 0)
    assert kept.audio(0, 8_000).tolist() == [8_192] * 800


@pytest.mark.parametrize("config", [FrontendConfig(), TUTORIAL, SPEECH_EMBEDDING])
def test_the_picture_is_that_of_the_models_front_end_however_often_it_is_looked_at(config: FrontendConfig) -> None:
    samples = recording((0.3, "yes"), seconds=3.0)
    often, once = (Picture(kept := Kept(1, 1_600), config) for _ in range(2))
    for picture in (often, once):
        for at in range(0, len(samples), 5_000):
            picture._kept.sound(at, samples[at : at + 5_000])
            if picture is often:
                picture.follow(most=7)
        while picture.follow(most=100):
            pass
    assert kept is once._kept
    first, wave, spectrogram = often.columns(0, 1_000)
    assert first == 0
    assert np.array_equal(wave, once.columns(0, 1_000)[1])
    assert np.array_equal(spectrogram, once.columns(0, 1_000)[2])
    frames = Frontend(config)(samples)
    assert spectrogram.shape == frames.shape
    at = int(np.argmax(frames.max(axis=1)))
    assert abs(int(spectrogram[at].argmax()) - int(frames[at].argmax())) <= 1
    hop = config.hop_samples
    assert abs(int(wave[at, 1]) - float(samples[at * hop : (at + 1) * hop].max() * 32_768)) <= 1


def test_columns_without_samples_are_marked() -> None:
    kept = Kept(1, 1_600)
    picture = Picture(kept, FrontendConfig())
    kept.sound(0, np.full(16_000, 0.1, np.float32))
    kept.sound(32_000, np.full(16_000, 0.1, np.float32))
    picture.follow(1_000)
    wave = picture.columns(0, 1_000)[1]
    missing = np.flatnonzero((wave == MISSING).all(axis=1))
    assert missing.tolist() == list(range(100, 200))


def test_after_a_long_time_without_viewers_only_what_is_kept_is_drawn() -> None:
    kept = Kept(1, 1_600, seconds=2.0)
    picture = Picture(kept, FrontendConfig())
    for at in range(0, 320_000, 16_000):
        kept.sound(at, np.zeros(16_000, np.float32))
    assert not picture.follow(1_000)
    first, wave, _ = picture.columns(0, 10_000)
    assert (first, len(wave)) == (1_800, 198)
