"""The audio around each detection, kept in files: which part, of which channel, of what time, how much at most."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spotter.clip_files import clip_name, save
from spotter.events import Detection
from spotter.listener import Listener
from spotter.pipeline import Spotter
from spotter.saving import Saver, _Clip
from spotter.sources.memory import Samples
from spotter.tape import Tapes
from tests.fakes import TALK, FakeSoundDevice, Pushed, ScriptedModel, recording
from tests.lost_devices import Heard, say, until

RATE = 16_000


def saver(folder: Path, limit: int) -> tuple[Saver, Listener]:
    source, model = Pushed(), ScriptedModel()
    listener = Listener(model, source=source)
    clips = Saver(folder, model, source, limit_bytes=limit)
    listener.tape, listener.explain = Tapes(clips), clips.see
    with listener:
        for _ in range(2):
            source.push(TALK)
            source.lose(2_000)
    clips.end()
    return clips, listener


def test_clips_stop_at_the_limit_and_nothing_is_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("mine.wav", "mine.txt", "clip.wav", "clip.json"):
        (tmp_path / name).write_bytes(bytes(60_000))
    clips, _ = saver(tmp_path, 220_000)  # 120 kB of the clip that is there, and one of 80 kB
    assert clips.saved == 1
    assert {"mine.wav", "mine.txt", "clip.wav", "clip.json"} <= {path.name for path in tmp_path.iterdir()}
    assert sum("no more are saved" in record.getMessage() for record in caplog.records) == 1


def test_clips_go_on_when_somebody_makes_room(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "old.wav").write_bytes(bytes(190_000))
    (tmp_path / "old.json").write_bytes(b"{}")
    source, model = Pushed(), ScriptedModel()
    clips = Saver(tmp_path, model, source, limit_bytes=200_000)
    assert not clips._has_room(80_000)
    (tmp_path / "old.wav").unlink()
    assert clips._has_room(80_000)
    assert ["no more" in r.getMessage() for r in caplog.records] == [True, False]


def test_no_clip_bridges_a_gap(tmp_path: Path) -> None:
    clips, _ = saver(tmp_path, 10_000_000)
    assert clips.saved == 4
    for path in tmp_path.glob("*.wav"):
        about = json.loads(path.with_suffix(".json").read_text("utf-8"))
        shift = (len(TALK) + 2_000) / RATE if about["clip_start"] > len(TALK) / RATE - 0.1 else 0.0
        begin = round((about["clip_start"] - shift) * RATE)
        samples = soundfile.read(path, dtype="float32")[0]
        assert np.abs(samples - TALK[begin : begin + len(samples)]).max() < 1e-4


def test_a_clip_is_whole_although_much_audio_came_at_once_after_a_stall(tmp_path: Path) -> None:
    model = ScriptedModel()
    clips = Saver(tmp_path, model, Samples(TALK))
    spotter = Spotter(model, explain=clips.see)
    spotter.tape = clips
    talk = np.concatenate((np.zeros(6 * RATE, np.float32), recording((2.0, model.keywords[0]), seconds=9.5)))
    stalled_from = round(8.05 * RATE)  # the word has just begun, and the ring as well
    for piece, words in ((talk[: 7 * RATE], 0), (talk[7 * RATE : stalled_from], 0), (talk[stalled_from:], 1)):
        spotter.write(piece)
        assert len(list(spotter.events())) == words
    clips.end()
    about = json.loads(next(tmp_path.glob("*.json")).read_text("utf-8"))
    assert about["time"] - about["clip_start"] == pytest.approx(2.0, abs=0.001)


def test_the_clip_of_a_word_right_before_the_device_goes_is_written_while_it_is_away(
    system: FakeSoundDevice, tmp_path: Path
) -> None:
    heard = Heard()
    listener = heard.listener
    clips = Saver(tmp_path, listener.model, listener.source)
    listener.tape, listener.explain = Tapes(clips), clips.see
    with heard:
        say(system.streams[0])
        until(lambda: heard.of(Detection))
        system.plug([])
        system.streams[0].die()
        until(lambda: list(tmp_path.glob("yes_*.wav")))
        until(lambda: listener.waiting)  # it is written just before
    clips.end()
    assert clips.saved == 1


def test_a_clip_for_which_no_thread_can_be_started_is_said_to_be_lost_and_the_next_is_saved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = Saver(tmp_path, ScriptedModel(), Pushed())
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        clips._hand_over(_Clip("first", TALK[:100, None], RATE, {}))
    clips._hand_over(_Clip("second", TALK[:100, None], RATE, {}))
    clips.end()
    assert [path.name for path in tmp_path.glob("*.wav")] == ["second.wav"]
    (line,) = (record.getMessage() for record in caplog.records)
    assert line.startswith("first was not saved (can't start new thread); listening goes on")


def no_thread(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_words_of_many_bytes_give_names_that_a_file_may_have_and_none_takes_the_place_of_another(
    tmp_path: Path,
) -> None:
    for word, last in (("打开客厅里的灯" * 6, "一"), ("𠀀" * 40, "二"), ("𠀀" * 40, "三")):
        about = {"keyword": word + last, "time": 1.0, "score": 0.97, "source": "録音" * 20 + ".wav"}
        path = save(tmp_path, clip_name(about), TALK[:100], about)
        keyword = path.name.split("_")[0]
        assert len(keyword) >= 20
        assert word.startswith(keyword)
    assert len(list(tmp_path.glob("*.wav"))) == 3


def test_of_several_channels_the_one_that_is_heard_is_kept(tmp_path: Path) -> None:
    source = Samples(np.stack((TALK[::-1], TALK), axis=1), RATE, name="array")
    model = ScriptedModel()
    listener = Listener(model, source=source, channel=2)
    clips = Saver(tmp_path, model, source, channel=2)
    listener.tape, listener.explain = clips, clips.see
    listener.run()
    clips.end()
    assert clips.saved == 2
    for path in tmp_path.glob("*.wav"):
        begin = round(json.loads(path.with_suffix(".json").read_text("utf-8"))["clip_start"] * RATE)
        samples = soundfile.read(path, dtype="float32")[0]
        assert np.abs(samples - TALK[begin : begin + len(samples)]).max() < 1e-4


def test_a_clip_says_when_it_was_said_however_late_it_was_heard(tmp_path: Path) -> None:
    began = datetime(2026, 3, 1, 7, 30, tzinfo=timezone.utc)
    source, model = Pushed(), ScriptedModel()
    listener = Listener(model, source=source)
    clips = Saver(tmp_path, model, source, time_of_day=lambda time_s: began + timedelta(seconds=time_s))
    listener.tape, listener.explain = clips, clips.see
    with listener:
        source.push(TALK)
    clips.end()
    told = [json.loads(path.read_text("utf-8")) for path in tmp_path.glob("*.json")]
    assert len(told) == 2
    for about in told:
        said = datetime.fromisoformat(about["wall"]) - began
        assert said.total_seconds() == pytest.approx(about["time"], abs=0.001)


def test_clips_that_cannot_be_written_are_said_once_and_again_when_some_could_be_meanwhile(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = [True]

    def write(*_: object) -> None:
        if full[0]:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("spotter.saving.save", write)
    clips = Saver(tmp_path, ScriptedModel(), Pushed())
    for place in (True, True, False, True, True):
        full[0] = place
        clips._hand_over(_Clip("word", TALK[:100, None], RATE, {}))
        clips.end()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert all("No space left on device" in line and "listening goes on" in line for line in said)
