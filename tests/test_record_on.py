"""A recorded stream whose device comes back in another format: a second file goes on, and nothing is lost."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from spotter.events import Detection, Event
from spotter.listener import Listener
from spotter.pipeline import Spotter
from spotter.record_on import StreamRecorder
from spotter.ring import Ring
from spotter.sources.recordings import notes_path, open_sound
from tests.fakes import TALK, ScriptedModel, recording

if TYPE_CHECKING:
    from spotter.arrays import Floats

RATE = 16_000
LATER = recording((1.2, "yes"), (2.4, "no"), seconds=4.0, sample_rate=48_000)


def run_live(recorder: StreamRecorder, *formats: tuple[int, int]) -> list[Event]:
    """Hear a device at 16 kHz that comes back in each of these formats, and leave some windows out."""
    spotter = Spotter(ScriptedModel())
    number = itertools.count()
    spotter.judge.too_late = lambda _: next(number) % 23 in (4, 5)
    spotter.tape = recorder
    recorder.begin(RATE, 1)
    events: list[Event] = []

    def push(samples: Floats, channels: int) -> None:
        for at in range(0, len(samples), 7_777):
            spotter.write(np.repeat(samples[at : at + 7_777, None], channels, axis=1))
            events.extend(spotter.events())

    push(TALK, 1)
    for rate, channels in formats:
        events.extend(spotter.miss(32_123, "device"))
        spotter.take(Ring(8 * rate, channels), rate, channels)
        push(LATER if rate == 48_000 else TALK, channels)
    events.extend(spotter.finish())
    return events


def again(path: Path, start_sample: int) -> list[Event]:
    """What the recording gives when it is heard, in the time of the stream."""
    listener = Listener(ScriptedModel(), source=open_sound(path))
    listener.start()
    events = [event for event in listener.events() if event is not None]
    listener.stop()
    return [_later(event, start_sample) for event in events if event.as_dict()["type"] != "health"]


def _later(event: Event, by: int) -> Event:
    moved = replace(event, time_sample=event.time_sample + by)
    if isinstance(moved, Detection):
        moved = replace(moved, start_sample=moved.start_sample + by, end_sample=moved.end_sample + by)
    return moved


def notes(path: Path) -> dict[str, object]:
    values: dict[str, object] = json.loads(notes_path(path).read_text("utf-8"))
    return values


def test_both_files_together_give_the_events_that_the_stream_gave(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = StreamRecorder(tmp_path / "night.wav", about={"listened": "to"})
    live = run_live(recorder, (48_000, 2))
    recorder.end()
    first, second = tmp_path / "night.wav", tmp_path / "night-2.wav"
    assert recorder.paths == [first, second]
    assert recorder.seconds == pytest.approx(len(TALK) / RATE + len(LATER) / 48_000)
    assert soundfile.info(second).channels == 2
    start_sample = len(TALK) + 32_123
    about = notes(second)
    assert (about["continues"], about["start_sample"], about["listened"]) == ("night.wav", start_sample, "to")
    assert {event.as_dict()["type"] for event in live} == {"detection", "gap", "skipped"}
    assert again(first, 0) + again(second, start_sample) == live
    assert sum("goes on in" in record.getMessage() for record in caplog.records) == 1


def test_in_the_same_format_it_goes_on_in_the_same_file(tmp_path: Path) -> None:
    recorder = StreamRecorder(tmp_path / "night.wav")
    live = run_live(recorder, (RATE, 1))
    recorder.end()
    assert recorder.paths == [tmp_path / "night.wav"]
    assert again(tmp_path / "night.wav", 0) == live


@pytest.mark.parametrize("there", ["night-2.wav", "night-2.wav.json"])
def test_a_file_that_is_there_is_never_written_over(there: str, tmp_path: Path) -> None:
    (tmp_path / there).write_text("mine")
    recorder = StreamRecorder(tmp_path / "night.wav")
    run_live(recorder, (48_000, 1), (RATE, 1))
    recorder.end()
    assert [path.name for path in recorder.paths] == ["night.wav", "night-3.wav", "night-4.wav"]
    assert (tmp_path / there).read_text() == "mine"


def test_where_no_further_file_can_be_made_recording_ends_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = StreamRecorder(tmp_path / "night.wav")
    monkeypatch.setattr(StreamRecorder, "_free", lambda _: tmp_path / "none" / "night-2.wav")
    live = run_live(recorder, (48_000, 1))
    recorder.end()
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "cannot be written" in said
    assert "48000 Hz with 1 channels, another format); listening goes on" in said
    assert again(tmp_path / "night.wav", 0) == live[: len(again(tmp_path / "night.wav", 0))]
