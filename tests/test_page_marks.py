"""What is played and marked on the page: clip and mark lie where `train review` finds them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from spotter.page.kept import Kept
from spotter.page.marks import clip, user_clips_folder
from spotter.page.server import Server
from spotter.saving import AFTER_S, BEFORE_S, Saver
from tests.fakes import TALK, Pushed
from tests.page_parts import (
    Viewer,
    fired,
    hear_all,
    heard_server,  # noqa: F401  a fixture
    listener_of,
    say,
    served,
    until_judged,
)
from train.cli import main as train
from train.recording.reviewing import NEGATIVES, clips


def mark(viewer: Viewer, keyword: str, time: int, *, right: bool) -> dict[str, Any]:
    viewer.send({"type": "mark", "keyword": keyword, "time": time, "right": right})
    return viewer.wait_for(lambda m: m["type"] in ("marked", "error"))


def test_the_audio_of_an_event_is_sent_as_it_was_heard(server: Server) -> None:
    with Viewer(server) as viewer:
        (_, time), _ = fired(viewer.wait_for("rows"))
        viewer.send({"type": "play", "time": time})
        audio = viewer.wait_for("audio")
        begin, end = audio["begin"], audio["begin"] + len(audio["samples"])
        assert (begin, end) == (max(0, time - round(BEFORE_S * 16_000)), time + round(AFTER_S * 16_000))
        assert np.abs(audio["samples"] - TALK[begin:end] * 32_768).max() <= 0.51


def test_a_clip_bridges_no_gap() -> None:
    kept = Kept(1, 1_600)
    kept.sound(0, np.full(32_000, 0.1, np.float32))
    kept.sound(48_000, np.full(32_000, 0.1, np.float32))
    assert [clip(kept, at)[0] for at in (20_000, 49_000)] == [0, 48_000]
    assert [len(clip(kept, at)[1]) for at in (20_000, 30_000, 49_000)] == [28_000, 32_000, 9_000]


def test_marks_and_their_clips_are_what_train_review_puts_into_the_data(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Viewer(server) as viewer:
        (yes, yes_time), (no, no_time) = fired(viewer.wait_for("rows"))
        assert mark(viewer, yes, yes_time, right=True)["right"]
        assert not mark(viewer, no, no_time, right=False)["right"]
        assert len(mark(viewer, no, no_time, right=False)["clip"]) > 5
    found = clips(tmp_path / "clips")
    assert [one.keyword for one in found] == ["no", "yes"]  # marked twice, kept once
    about = found[1].about
    assert (about["mark"], about["source"], about["time"]) == ("right", "talk.wav", round(yes_time / 16_000, 4))
    info = soundfile.info(found[1].path)
    assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
    assert train(["review", str(tmp_path / "clips"), "--out", str(tmp_path / "data")]) == 0
    out = capsys.readouterr().out
    assert out.count("on the page →") == 2
    assert "1 wrong, 1 right; all answered" in out
    assert len(list((tmp_path / "data" / "yes").glob("*.wav"))) == 1
    assert len(list((tmp_path / "data" / NEGATIVES).glob("*.wav"))) == 1


def test_what_was_marked_by_mistake_is_marked_again(server: Server, tmp_path: Path) -> None:
    with Viewer(server) as viewer:
        keyword, time = fired(viewer.wait_for("rows"))[0]
        mark(viewer, keyword, time, right=False)
        mark(viewer, keyword, time, right=True)
    (one,) = clips(tmp_path / "clips")
    assert one.mark == "right"


def test_all_viewers_see_a_mark_and_those_who_come_later(server: Server) -> None:
    with Viewer(server) as one, Viewer(server) as other:
        keyword, time = fired(one.wait_for("rows"))[0]
        other.wait_for("rows")
        mark(one, keyword, time, right=True)
        assert other.wait_for("marked")["time"] == time
    with Viewer(server) as late:
        assert late.wait_for("greeting")["marks"] == [[keyword, time, True]]


def test_what_other_settings_would_have_heard_can_be_marked_and_nothing_else(server: Server, tmp_path: Path) -> None:
    with Viewer(server) as viewer:
        viewer.wait_for("rows")
        viewer.send({"type": "mark", "keyword": "yes", "time": 12_345, "right": True})
        held = [one for one in viewer.try_out(1, yes=0.99, no=0.99)["found"] if one["rule"] == "threshold"]
        assert mark(viewer, held[0]["keyword"], held[0]["time"], right=True)["type"] == "marked"
    assert len(clips(tmp_path / "clips")) == 1


def test_a_clip_that_was_saved_already_is_marked_itself(tmp_path: Path) -> None:
    listener = listener_of()
    saver = Saver(tmp_path, listener.model, listener.source)
    listener.tape, listener.explain = saver, saver.see
    with served(listener, tmp_path) as server:
        hear_all(listener, server)
        saver.end()
        assert len(clips(tmp_path)) == 2
        with Viewer(server) as viewer:
            keyword, time = fired(viewer.wait_for("rows"))[0]
            name = mark(viewer, keyword, time, right=True)["clip"]
    marked = {one.path.name: one.mark for one in clips(tmp_path)}
    assert len(marked) == 2
    assert marked[name] == "right"


def test_live_clips_know_the_time_of_day(tmp_path: Path) -> None:
    source = Pushed()
    listener = listener_of(source)
    with served(listener, tmp_path) as server:
        listener.start()
        say(source, server.shown.kept, TALK)
        until_judged(server.shown.kept, 64_000)
        with Viewer(server) as viewer:
            keyword, time = fired(viewer.try_out(1, yes=0.5, no=0.5))[0]
            mark(viewer, keyword, time, right=True)
    (one,) = clips(tmp_path)
    assert str(one.about["wall"]).endswith("+00:00")
    assert one.path.name.startswith("yes_2")


@pytest.mark.skipif(sys.platform == "win32", reason="a file in the way of a folder is another error there")
def test_a_folder_that_cannot_be_written_is_a_sentence_for_the_viewer(server: Server, tmp_path: Path) -> None:
    (tmp_path / "clips").write_text("in the way")
    with Viewer(server) as viewer:
        keyword, time = fired(viewer.wait_for("rows"))[0]
        answer = mark(viewer, keyword, time, right=True)
        assert answer["type"] == "error"
        assert "the mark cannot be written to" in answer["message"]
        assert fired(viewer.try_out(1, yes=0.5, no=0.5))


def test_a_damaged_mark_is_asked_about_as_ever(server: Server, tmp_path: Path) -> None:
    with Viewer(server) as viewer:
        keyword, time = fired(viewer.wait_for("rows"))[0]
        mark(viewer, keyword, time, right=True)
    (one,) = clips(tmp_path / "clips")
    one.path.with_suffix(".json").write_text(json.dumps({**one.about, "mark": ["right"]}), "utf-8")
    assert clips(tmp_path / "clips")[0].mark is None


def test_marks_go_into_the_users_own_data_if_nothing_else_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert user_clips_folder() == tmp_path / "spotter" / "clips"
