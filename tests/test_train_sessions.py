"""What recorded words are called: folders, speakers and sessions, and nothing is written over."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import soundfile

from spotter.errors import BadInputError
from tests.spoken import RATE, said
from train.data import words
from train.recording.session import Name, Session, folder_name, folder_names, new_name, plain, sitting

NOW = datetime(2026, 3, 4, 9, 30, tzinfo=timezone.utc)


def test_a_phrase_has_the_folder_that_the_data_has_elsewhere() -> None:
    assert folder_names(["Hey  Robot", "Lampe", "Ärger"]) == ["hey_robot", "lampe", "ärger"]


@pytest.mark.parametrize(
    "word", ["", " ", "a/b", "a\\b", "..", ".x", "_unknown_", "con", "x:y", "x\n/", "a" * 101, "\ud800"]
)
def test_a_word_that_no_folder_can_be_called_is_refused(word: str) -> None:
    with pytest.raises(BadInputError, match="no folder can be called so"):
        folder_name(word)


def test_a_word_given_twice_is_refused_however_it_is_written() -> None:
    with pytest.raises(BadInputError, match="'Hey Robot' is given twice"):
        folder_names(["hey robot", "Hey Robot"])


def test_speaker_and_session_can_be_read_back_from_the_name(tmp_path: Path) -> None:
    session = Session(tmp_path, plain("Anna-Maria K.", "speaker"), "20260304T0930")
    path = session.keep("lamp", said(), {})
    assert path.name == "Anna_Maria_K-20260304T0930_nohash_0.wav"
    assert Name.of(path) == Name("Anna_Maria_K", "20260304T0930", 0)
    assert Name.of(Path("e652590d_nohash_3.wav")) == Name("e652590d", "", 3)
    assert Name.of(Path("alice-01.wav")) is None
    for text in ("", "---", "x_nohash_1"):
        with pytest.raises(BadInputError, match="give letters and digits"):
            plain(text, "speaker")


def test_sessions_are_not_on_both_sides_of_a_split(tmp_path: Path) -> None:
    for name in ("20260304T0930", "20260305T1010", "kitchen"):
        session = Session(tmp_path, "me", name)
        for number in range(3):
            for word in ("lamp", "fan"):
                session.keep(word, said(0.3 + 0.1 * number), {})
    split = words(tmp_path)
    assert len(split.rows) == 18
    assert dict(split.splitting.by) == {"speaker": 18}
    sides: dict[str, set[str]] = {}
    for row in split.rows:
        sides.setdefault(row.speaker, set()).add(row.split)
    assert sorted(sides) == ["me-20260304T0930", "me-20260305T1010", "me-kitchen"]
    assert all(len(side) == 1 for side in sides.values())
    assert {row.split for row in split.rows} >= {"training", "validation"}


def test_nothing_is_written_over_and_counting_goes_on(tmp_path: Path) -> None:
    session = Session(tmp_path, "me", "s")
    first = session.keep("lamp", said(), {})
    (tmp_path / "lamp" / "me-s_nohash_7.wav").write_bytes(b"mine")
    other = Session(tmp_path, "me", "t").keep("lamp", said(), {})
    again = session.keep("lamp", said(), {})
    assert [p.name for p in (first, other, again)] == ["me-s_nohash_0.wav", "me-t_nohash_0.wav", "me-s_nohash_8.wav"]
    assert session.keep("lamp", said(), {}, once=True) == first
    assert (tmp_path / "lamp" / "me-s_nohash_7.wav").read_bytes() == b"mine"
    info = soundfile.info(first)
    assert (info.samplerate, info.channels, info.subtype, info.format) == (RATE, 1, "PCM_16", "WAV")
    session.drop(again)
    assert not again.exists()
    assert [Path(p).name for p in session.there("lamp")] == ["me-s_nohash_0.wav", "me-s_nohash_7.wav"]


def test_who_goes_on_within_half_an_hour_sits_where_they_sat(tmp_path: Path) -> None:
    Session(tmp_path, "me", "a").keep("lamp", said(), {})
    Session(tmp_path, "me", "b").keep("lamp", said(), {})
    Session(tmp_path, "you", "c").keep("lamp", said(), {})
    now = datetime.now(timezone.utc)
    assert sorted(sitting(tmp_path, "me", now)) == ["a", "b"]
    assert sitting(tmp_path, "me", now + timedelta(hours=1)) == []
    assert new_name(NOW, []) == "20260304T0930"
    assert new_name(NOW, ["20260304T0930"]) == "20260304T0930b"
