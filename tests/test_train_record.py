"""Recording one's own words: found and cut, looked at, named, asked for, and never lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.arrays import Floats
from spotter.errors import BadInputError, MicrophoneError
from spotter.model import Model
from spotter.recorded import spot
from spotter.sources import Sink
from tests.fakes import FakeSoundDevice
from tests.test_live import missing
from tests.virtual_mic import VirtualMic
from train.cli import main
from train.data import words
from train.recording.console import Lines, Meter
from train.recording.guide import Guide, Pace, Say
from train.recording.keys import Keys, NoKeys
from train.recording.live import Live
from train.recording.player import player
from train.recording.quality import judge
from train.recording.recorder import Recorder
from train.recording.session import Name, Session, folder_name, folder_names, new_name, plain, sitting
from train.recording.takes import MANNERS, Step, Take, look, manners, schedule
from train.recording.utterances import ROOM_S, find

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "spotter" / "data" / "demo.flac"
RATE = 16_000
NOW = datetime(2026, 3, 4, 9, 30, tzinfo=timezone.utc)


def room(seconds: float, level: float = 1e-3, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(round(seconds * RATE)) * level).astype(np.float32)


def said(seconds: float = 0.5, peak: float = 0.3, hz: float = 300.0) -> Floats:
    """A swelling tone that stands for a word."""
    times = np.arange(round(seconds * RATE)) / RATE
    swell = np.minimum(1.0, 20.0 * np.minimum(times, seconds - times))
    return (peak * swell * np.sin(2 * np.pi * hz * times)).astype(np.float32)


def talk(*gaps_and_words: float | Floats) -> Floats:
    """Seconds of a room, and words, in this order."""
    parts = [room(p, seed=at) if isinstance(p, float) else p for at, p in enumerate(gaps_and_words)]
    return np.concatenate(parts)


def babble(seconds: float) -> Floats:
    """Syllables without a pause."""
    return np.concatenate([said(0.25, 0.2 + 0.1 * (at % 2)) for at in range(round(seconds * 4))])


# Utterances


@settings(max_examples=30)
@given(
    pads=st.lists(st.floats(0.5, 2.5), min_size=2, max_size=5),
    lengths=st.lists(st.floats(0.15, 1.5), min_size=4, max_size=4),
    peaks=st.lists(st.floats(0.05, 0.9), min_size=4, max_size=4),
    hz=st.sampled_from((120.0, 300.0, 1_000.0, 4_000.0)),
)
def test_each_utterance_between_silences_is_found_whole_and_in_order(
    pads: list[float], lengths: list[float], peaks: list[float], hz: float
) -> None:
    parts: list[Floats] = [room(pads[0])]
    truth = []
    for at, pad in enumerate(pads[1:]):
        begin = sum(map(len, parts))
        parts += [said(lengths[at], peaks[at], hz), room(pad, seed=at + 1)]
        truth.append((begin, begin + round(lengths[at] * RATE)))
    samples = np.concatenate(parts)
    found = find(samples)
    assert len(found) == len(truth)
    for utterance, (begin, end) in zip(found, truth, strict=True):
        assert abs(utterance.first - begin) < 0.05 * RATE
        assert abs(utterance.last - end) < 0.05 * RATE
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    kept = np.zeros(len(samples), np.bool_)
    for utterance in found:
        assert not kept[utterance.begin : utterance.end].any()  # cuts never overlap
        kept[utterance.begin : utterance.end] = True
        assert utterance.begin <= utterance.first < utterance.last <= utterance.end
    assert kept[loud].all()


@given(st.floats(0.0, 1.0), st.integers(0, 3))
@settings(max_examples=20)
def test_an_offset_and_hum_change_nothing(offset: float, seed: int) -> None:
    clean = talk(1.0, said(), 0.8)
    times = np.arange(len(clean)) / RATE
    dirty = clean + np.float32(offset * 0.2) + (0.004 * np.sin(2 * np.pi * 50 * times)).astype(np.float32)
    dirty += room(len(clean) / RATE, 1e-4, seed)[: len(clean)]
    assert len(find(dirty)) == 1


def test_room_is_kept_on_both_sides_where_there_is_any() -> None:
    (one,) = find(talk(1.0, said(), 1.0))
    assert (one.first - one.begin) / RATE == pytest.approx(ROOM_S, abs=0.001)
    assert (one.end - one.last) / RATE == pytest.approx(ROOM_S, abs=0.001)
    (tight,) = find(talk(0.05, said(), 0.1))
    assert tight.begin == 0


def test_neighbours_share_the_pause_between_them_and_the_pause_decides_what_is_one() -> None:
    samples = talk(1.0, said(), 0.3, said(), 1.0)
    assert len(find(samples, pause_s=0.4)) == 1
    first, second = find(samples, pause_s=0.2)
    assert first.end == second.begin


@pytest.mark.parametrize(
    "samples", [np.zeros(0, np.float32), np.zeros(9, np.float32), np.zeros(RATE, np.float32), room(2.0), room(2.0, 0.1)]
)
def test_silence_and_steady_noise_hold_nothing(samples: Floats) -> None:
    assert find(samples) == []


def test_a_click_is_no_word_but_the_release_of_a_t_belongs_to_one() -> None:
    click = said(0.03, 0.5, 3_000.0)
    assert find(talk(1.0, click, 1.0)) == []
    (one,) = find(talk(1.0, said(), 0.09, click, 1.0))
    assert one.seconds > 0.6


def test_digital_silence_around_a_noisy_recording_is_not_its_floor() -> None:
    zeros = np.zeros(RATE, np.float32)
    (one,) = find(np.concatenate((zeros, room(1.0, 3e-3), said(), room(1.0, 3e-3), zeros)))
    assert one.seconds == pytest.approx(0.5, abs=0.06)


# Quality


@pytest.mark.parametrize(
    ("samples", "problem", "advice"),
    [
        (talk(0.6, said(), 0.6), "", ""),
        (talk(0.6, said(), 0.6) * np.float32(0.008), "quiet", "come nearer"),
        (np.clip(talk(0.6, said(peak=3.0), 0.6), -1, 1), "clipped", "go further away"),
        (np.concatenate((said()[2_000:], room(0.6))), "cut off", "begin after the signal"),
        (np.concatenate((room(0.6), said()[:-2_000])), "cut off", "speak on at once"),
        (room(1.7, 0.05) + talk(0.6, said(peak=0.25), 0.6), "noise", "switch off what makes it"),
        (room(2.0, 0.05), "noise", "switch off what makes it"),
        (room(2.0), "silence", "say it after the signal"),
        (np.zeros(RATE, np.float32), "zeros", "switch the microphone on"),
        (talk(0.6, said(), 0.6, said(), 0.6), "several", "say it once"),
        (talk(0.6, babble(9.9), 0.6), "long", "choose a shorter phrase"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_with_a_take_is_said_with_what_to_do(samples: Floats, problem: str, advice: str) -> None:
    heard = look(samples, "hey robot")
    assert heard.problem == problem
    assert advice in heard.sentence
    assert (heard.clip is None) == bool(problem)


def test_a_long_phrase_may_take_longer_than_a_word() -> None:
    samples = talk(0.6, babble(3.0), 0.6)
    assert look(samples, "go").problem == "long"
    assert look(samples, "good morning little robot").problem == ""


def test_a_cough_beside_the_word_is_left_out_of_the_cut() -> None:
    samples = talk(0.6, said(0.15), 0.8, said(0.6), 0.8)
    heard = look(samples, "lamp")
    assert heard.clip is not None
    assert len(heard.clip) / RATE == pytest.approx(0.6 + 2 * ROOM_S, abs=0.06)


def test_levels_are_those_of_the_word_and_of_the_room() -> None:
    samples = talk(1.0, said(peak=0.5), 1.0)
    quality = judge(samples, find(samples)[0])
    assert quality.loudest_dbfs == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.5)
    assert quality.floor_dbfs == pytest.approx(-60.0, abs=1.0)


# Names


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


# Takes


@pytest.mark.parametrize("count", [1, 2, 3, 7, 10, 30, 100])
def test_so_many_takes_are_wanted_and_the_usual_way_comes_first(count: int) -> None:
    plan = manners(count)
    assert len(plan) == count
    assert plan[0].name == "usual"
    order = [MANNERS.index(m) for m in plan]
    assert order == sorted(order)
    if count >= 10:
        assert {m.name for m in plan} == {m.name for m in MANNERS}
    assert not any(m.moves for m in manners(count, moves=False))
    assert len(manners(count, moves=False)) == count


def test_words_take_turns_within_a_manner_and_what_is_there_is_not_asked_for() -> None:
    steps = schedule({"lamp": "lamp", "hey_robot": "hey robot"}, 10, {"lamp": 9, "hey_robot": 0})
    assert [s.folder for s in steps].count("hey_robot") == 10
    assert [(s.folder, s.manner.name) for s in steps if s.folder == "lamp"] == [("lamp", "room")]
    both = schedule({"a": "a", "b": "b"}, 2, {})
    assert [s.folder for s in both] == ["a", "b", "a", "b"]


@pytest.mark.parametrize("block", [160, 1_600, 48_000])
def test_a_take_ends_by_itself_after_the_word_or_after_its_time(block: int) -> None:
    samples = talk(1.0, said(), 5.0)
    take = Take(room(0.2), 5.0)
    ended = next(at for at in range(0, len(samples), block) if take.push(samples[at : at + block]))
    assert ended / RATE < 2.3
    quiet = Take(room(0.2), 2.0)
    over = [quiet.push(samples[:8_000]) for _ in range(4)]
    assert over == [False, False, False, True]


# The guide


USUAL, ROOM = MANNERS[0], MANNERS[-1]
ASKED = Pace(asks=True, countdown_s=0.4, take_s=3.0, plays=True)
PIPED = Pace(asks=False, countdown_s=0.4, take_s=3.0, plays=False)


def play_through(guide: Guide, samples: Floats, keys: dict[int, str] | None = None, block: int = 800) -> list[object]:
    done: list[object] = list(guide.begin())
    for number, at in enumerate(range(0, len(samples), block)):
        done += guide.push(samples[at : at + block], (keys or {}).get(number, ""))
    return done


def kinds(actions: Iterable[object]) -> list[str]:
    return [type(action).__name__ for action in actions]


@pytest.mark.parametrize("block", [160, 800, 4_000])
def test_without_a_keyboard_takes_follow_one_another(block: int) -> None:
    guide = Guide([Step("lamp", "lamp", USUAL)] * 2, PIPED)
    done = play_through(guide, talk(1.5, said(), 2.0, said(), 2.0), block=block)
    assert kinds(done) == ["Say", "Keep", "Keep"]
    assert guide.phase == "over"
    assert not guide.failed


def test_nobody_there_ends_it_after_some_takes() -> None:
    guide = Guide([Step("lamp", "lamp", USUAL)], PIPED)
    done = play_through(guide, room(30.0))
    assert guide.failed
    assert guide.phase == "over"
    assert sum("not kept" in a.text for a in done if isinstance(a, Say)) == 5


def test_at_a_keyboard_each_manner_waits_for_enter_and_what_is_kept_is_played() -> None:
    guide = Guide([Step("lamp", "lamp", USUAL), Step("lamp", "lamp", ROOM)], ASKED)
    done = play_through(guide, talk(5.0, said(), 3.0), {60: "\n"})
    assert kinds(done) == ["Say", "Keep", "Play", "Say"]
    assert kinds(guide.push(room(0.1), "\n")) == ["Move"]
    assert kinds(guide.push(room(0.1), "q")) == []
    assert guide.phase == "over"


def test_d_throws_the_last_take_away_and_asks_again() -> None:
    guide = Guide([Step("lamp", "lamp", USUAL)] * 2, ASKED)
    play_through(guide, talk(1.0, said(), 0.7), {0: "\n"})
    assert (guide.phase, guide.kept) == ("play", 1)
    assert kinds(guide.push(room(0.1), "p")) == ["Play"]
    assert kinds(guide.push(room(0.1), "d")) == ["Undo", "Say"]
    assert guide.kept == 0
    assert kinds(guide.push(room(0.1), "d")) == []
    assert len([s for s in (guide.step,) if s]) == 1


def test_s_leaves_a_manner_out() -> None:
    guide = Guide([Step("lamp", "lamp", USUAL), Step("lamp", "lamp", ROOM)], ASKED)
    guide.begin()
    guide.push(room(0.1), "s")
    assert guide.step is not None
    assert guide.step.manner == ROOM
    guide.push(room(0.1), "s")
    assert guide.phase == "over"


def test_a_take_in_which_audio_was_lost_is_not_kept() -> None:
    guide = Guide([Step("lamp", "lamp", USUAL)], PIPED)
    play_through(guide, room(1.2))
    (told,) = guide.push(None)
    assert isinstance(told, Say)
    assert "lost" in told.text
    assert guide.phase == "count"


# Through a microphone


class Spoken:
    """A live source that says what it was given, as fast as it is heard, and then vanishes or stays silent."""

    name = "spoken"
    stuck = False

    def __init__(self, samples: Floats, *, sample_rate: int = RATE, channels: int = 1, vanishes: bool = True) -> None:
        self.sample_rate, self.channels = sample_rate, channels
        self._samples, self._vanishes = samples, vanishes
        self._at = 0
        self.closed = 0

    def open(self) -> None:
        pass

    def start(self, sink: Sink, doorbell: SimpleQueue[None]) -> None:
        self._sink, self._bell = sink, doorbell
        self._bell.put(None)

    def check(self) -> None:
        block = self._samples[self._at : self._at + self.sample_rate // 20]
        if not len(block) and self._vanishes:
            raise MicrophoneError("the microphone 'spoken' stopped by itself; connect it again and restart")
        self._at += len(block)
        frames = np.repeat(block[:, None], self.channels, axis=1)
        self._sink.write(frames if len(block) else np.zeros((self.sample_rate // 20, self.channels), np.float32))
        self._bell.put(None)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def speak(monkeypatch: pytest.MonkeyPatch) -> Callable[[Spoken], None]:
    def install(source: Spoken) -> None:
        monkeypatch.setattr("spotter.sources.microphone.Microphone", lambda _device: source)

    return install


THREE = talk(1.0, said(0.4), 1.5, said(0.5), 1.5, said(0.6), 1.5)


def record(out: Path, *more: str) -> int:
    return main(["record", "Hey Robot", "--out", str(out), "--pause", "0.3", *more])


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (48_000, 2)])
def test_takes_are_recorded_trimmed_at_16_khz_whatever_the_device_does(
    tmp_path: Path, speak: Callable[[Spoken], None], capsys: pytest.CaptureFixture[str], rate: int, channels: int
) -> None:
    source = Spoken(np.repeat(THREE, rate // RATE), sample_rate=rate, channels=channels)
    speak(source)
    assert record(tmp_path, "--count", "3", "--speaker", "anna") == 0
    files = sorted((tmp_path / "hey_robot").iterdir())
    assert [Name.of(p).number for p in files if Name.of(p)] == [0, 1, 2]  # type: ignore[union-attr]
    for path, seconds in zip(files, (0.4, 0.5, 0.6), strict=True):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (RATE, 1, "PCM_16")
        assert info.duration == pytest.approx(seconds + 2 * ROOM_S, abs=0.06)
    out = capsys.readouterr().out
    assert "0 of 3 takes are there" in out
    assert "3 recordings were kept" in out
    assert source.closed == 1


def test_the_same_command_goes_on_counting_and_says_how_many_there_are(
    tmp_path: Path, speak: Callable[[Spoken], None], capsys: pytest.CaptureFixture[str]
) -> None:
    speak(Spoken(THREE[: round(3.2 * RATE)]))
    assert record(tmp_path, "--count", "3") == 3
    before = {p: p.read_bytes() for p in (tmp_path / "hey_robot").iterdir()}
    assert len(before) == 1
    captured = capsys.readouterr()
    (sentence,) = captured.err.splitlines()
    assert "stopped by itself" in sentence
    assert "1 recording was kept" in sentence
    speak(Spoken(THREE))
    assert record(tmp_path, "--count", "3") == 0
    assert "1 of 3 takes are there" in capsys.readouterr().out
    files = sorted((tmp_path / "hey_robot").iterdir())
    assert len(files) == 3
    assert len({p.name.split("_nohash_")[0] for p in files}) == 1
    assert {p: p.read_bytes() for p in before} == before
    assert record(tmp_path, "--count", "3") == 0
    assert "nothing is left to say" in capsys.readouterr().out


def test_nobody_speaks_ends_with_1_and_a_sentence(
    tmp_path: Path, speak: Callable[[Spoken], None], capsys: pytest.CaptureFixture[str]
) -> None:
    speak(Spoken(room(1.0), vanishes=False))
    assert record(tmp_path, "--longest", "1") == 1
    assert "too many takes without a usable word" in capsys.readouterr().out


def test_a_full_disk_is_one_sentence_and_nothing_half_written(
    tmp_path: Path,
    speak: Callable[[Spoken], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    speak(Spoken(THREE))
    assert record(tmp_path) == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "no space left" in sentence
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["lamp", "Lamp"], "given twice"),
        (["a/b"], "no folder can be called so"),
        (["x" * 61], "choose a shorter one"),
        (["lamp", "--count", "0"], "--count 0"),
        (["lamp", "--pause", "-1"], "--pause -1"),
        (["lamp", "--longest", "99"], "--longest 99"),
        (["lamp", "--speaker", "!"], "the speaker '!'"),
        (["lamp", "--session", "_nohash_"], "the session '_nohash_'"),
        (["lamp", "--out", __file__], "is no folder"),
    ],
)
def test_bad_arguments_end_with_2_and_one_sentence(
    arguments: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["record", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert what in line


class Typed(NoKeys):
    """A keyboard on which something is typed at every look."""

    def __init__(self, keys: str) -> None:
        self._keys = list(keys)

    def poll(self) -> str:
        return self._keys.pop(0) if self._keys else ""


def test_a_take_thrown_away_leaves_the_disk_and_another_room_is_another_session(tmp_path: Path) -> None:
    class Watching(Lines):
        """Presses Enter whenever it is asked to, and d once."""

        def __init__(self, keys: Typed) -> None:
            self.keys, self.thrown = keys, False

        def say(self, text: str, tone: str = "") -> None:
            if tone == "ask":
                self.keys._keys.append("\n")
            elif text.startswith("kept") and not self.thrown:
                self.thrown = True
                self.keys._keys.append("d")

    keys = Typed("")
    played: list[Floats] = []
    steps = [Step("lamp", "lamp", USUAL), Step("lamp", "lamp", ROOM)]
    recorder = Recorder(Session(tmp_path, "me", "20260101T0000"), steps, ASKED, Watching(keys), played.append, keys)
    assert recorder.run(Spoken(talk(1.0, said(0.4), 2.5, said(0.5), 3.0, said(0.6), 4.0))) == 0
    files = sorted((tmp_path / "lamp").iterdir(), key=lambda p: p.stat().st_size)
    assert [soundfile.info(p).duration for p in files] == pytest.approx([0.9, 1.0], abs=0.06)
    assert len(played) == 3
    first, second = (Name.of(p) for p in files)
    assert first is not None
    assert second is not None
    assert first.session == "20260101T0000"
    assert second.session != first.session


def test_a_sound_system_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dead(Spoken):
        def check(self) -> None:
            pass

    monkeypatch.setattr("train.recording.live._SILENT_S", 0.2)
    with Live(Dead(THREE)) as live, pytest.raises(MicrophoneError, match="has given no audio"):
        for _ in live.pieces():
            pass


def test_ctrl_c_ends_it_with_0_and_what_was_kept_stays(
    tmp_path: Path, speak: Callable[[Spoken], None], capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(Spoken):
        def check(self) -> None:
            if self._at >= len(self._samples):
                raise KeyboardInterrupt
            super().check()

    speak(Interrupted(THREE[: round(3.2 * RATE)]))
    assert record(tmp_path) == 0
    captured = capsys.readouterr()
    assert "1 recording was kept" in captured.out
    assert "run the same command again" in captured.out
    assert captured.err == ""
    assert len(list((tmp_path / "hey_robot").iterdir())) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of Linux and macOS")
def test_keys_come_one_by_one_and_the_terminal_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    import pty
    import termios

    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        before = termios.tcgetattr(theirs)
        with Keys() as keys:
            assert keys.poll() == ""
            os.write(ours, b"Dq")
            assert [keys.poll(), keys.poll(), keys.poll()] == ["d", "q", ""]
        assert termios.tcgetattr(theirs) == before
    os.close(ours)


def test_the_meter_shows_level_and_what_to_do() -> None:
    line = Meter().line("say it now", -35.0, recording=True).plain
    assert "-35 dBFS" in line
    assert "say it now" in line
    assert line.count(line[2]) == 10


def test_without_a_loudspeaker_nothing_is_played_and_with_one_at_a_rate_that_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    played: SimpleQueue[tuple[int, int]] = SimpleQueue()

    class Output:
        def query_devices(self, *, kind: str) -> dict[str, float]:
            return {"default_samplerate": 48_000.0}

        def check_output_settings(self, **_settings: object) -> None:
            raise ValueError("no 16 kHz")

        def play(self, samples: Floats, rate: int, *, blocking: bool) -> None:
            played.put((len(samples), rate))

    monkeypatch.setitem(sys.modules, "sounddevice", FakeSoundDevice())
    assert player() is None
    monkeypatch.setitem(sys.modules, "sounddevice", Output())
    play = player()
    assert play is not None
    play(said(0.5))
    assert played.get(timeout=5.0) == (24_000, 48_000)


# Files that are there


def collect(tmp_path: Path, *files: Path, more: tuple[str, ...] = ()) -> int:
    return main(["collect", *map(str, files), "--word", "Hey Robot", "--out", str(tmp_path / "data"), *more])


@pytest.mark.parametrize(
    ("name", "rate", "channels"), [("a.wav", 8_000, 1), ("a.flac", 44_100, 2), ("a.mp3", 48_000, 1)]
)
def test_utterances_are_cut_out_of_any_file(tmp_path: Path, name: str, rate: int, channels: int) -> None:
    samples = talk(1.0, said(0.4), 1.0, said(0.6), 1.0)
    times = np.arange(round(len(samples) * rate / RATE)) * (RATE / rate)
    other = np.interp(times, np.arange(len(samples)), samples)
    soundfile.write(tmp_path / name, np.repeat(other[:, None], channels, axis=1), rate)
    assert collect(tmp_path, tmp_path / name) == 0
    files = sorted((tmp_path / "data" / "hey_robot").iterdir())
    assert [p.name for p in files] == ["me-a_nohash_0.wav", "me-a_nohash_1.wav"]
    assert [soundfile.info(p).duration for p in files] == pytest.approx([0.8, 1.0], abs=0.08)
    assert {soundfile.info(p).samplerate for p in files} == {RATE}


def test_of_each_file_it_is_said_what_was_found_and_what_was_left_out_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loud = np.clip(talk(0.6, said(peak=3.0), 0.6), -1, 1)
    for name, samples in {
        "good": talk(0.6, said(), 0.6),
        "mixed": talk(1.0, said(), 1.0, babble(9.9), 1.0, said(0.2, 0.05), 1.0),
        "loud": loud,
        "silent": np.zeros(RATE * 2, np.float32),
    }.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE)
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    assert collect(tmp_path, tmp_path) == 0
    out = capsys.readouterr().out
    lines = {Path(line.partition(":")[0]).name: line for line in out.splitlines() if not line.startswith("  ")}
    assert "1 found, 1 kept" in lines["good.wav"]
    assert "3 found, 1 kept" in lines["mixed.wav"]
    assert "1 found, none kept" in lines["loud.wav"]
    assert "none found" in lines["silent.wav"]
    assert "no audio file" in lines["broken.wav"]
    assert "s without a pause are too long" in out
    assert "clipped (" in out
    assert "short and soft beside the others" in out
    assert len(list((tmp_path / "data" / "hey_robot").iterdir())) == 2


def test_a_file_collected_before_is_passed_over_and_nothing_is_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "a.wav", talk(1.0, said(0.4), 1.0, said(0.6), 1.0), RATE)
    there = tmp_path / "data" / "hey_robot" / "me-a_nohash_0.wav"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"mine")
    assert collect(tmp_path, tmp_path / "a.wav") == 0
    assert collect(tmp_path, tmp_path / "a.wav") == 0
    assert "was collected before" in capsys.readouterr().out
    assert there.read_bytes() == b"mine"
    assert len(list(there.parent.iterdir())) == 3
    (tmp_path / "data" / "_sessions" / "me-a.json").unlink()  # as if it had been stopped in the middle
    assert collect(tmp_path, tmp_path / "a.wav") == 0
    assert len(list(there.parent.iterdir())) == 3
    assert collect(tmp_path, tmp_path / "a.wav") == 0
    assert "was collected before" in capsys.readouterr().out


def test_whose_a_file_is_is_told_by_options_or_names(tmp_path: Path) -> None:
    for name in ("alice-1", "alice-2", "bob-1", "bob-2", "e6f_nohash_3"):
        soundfile.write(
            tmp_path / f"{name}.wav", talk(0.6, said(0.4 + 0.01 * len(name), hz=ord(name[0]) * 5), 0.6), RATE
        )
    assert collect(tmp_path, *sorted(tmp_path.glob("*.wav"))) == 0
    names = [Name.of(p) for p in (tmp_path / "data" / "hey_robot").iterdir()]
    assert {n.speaker for n in names if n} == {"alice", "bob", "e6f"}
    for path in tmp_path.glob("data/_sessions/*"):
        path.unlink()
    assert collect(tmp_path, *sorted(tmp_path.glob("*.wav")), more=("--speaker", "carl", "--session", "x")) == 0
    names = [Name.of(p) for p in (tmp_path / "data" / "hey_robot").glob("carl*")]
    assert {(n.speaker, n.session) for n in names if n} == {("carl", "x")}


def test_nothing_usable_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE), RATE)
    assert collect(tmp_path, tmp_path / "a.wav", tmp_path / "missing.wav") == 2
    captured = capsys.readouterr()
    assert "there is no file" in captured.out
    assert captured.err.splitlines() == ["train: no usable utterance in 2 files"]
    (tmp_path / "empty").mkdir()
    assert collect(tmp_path, tmp_path / "empty") == 2
    assert not (tmp_path / "data").exists()


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
from train.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits are those of Linux and macOS")
def test_collecting_onto_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", talk(1.0, said(0.4), 1.0), RATE)
    command = [sys.executable, "-c", FULL, "collect", "a.wav", "--word", "lamp", "--out", "data"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "no space left" in line
    assert [p for p in (tmp_path / "data").rglob("*") if p.is_file()] == []


def test_recording_and_collecting_load_nothing_heavy() -> None:
    code = "import sys, train.cli.record, train.recording.recorder\n"
    code += "import train.recording.collecting, train.recording.reviewing\n"
    code += "print([m for m in sys.modules if m.split('.')[0] in ('scipy', 'tensorflow', 'keras', 'sounddevice')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(bool(missing()) and os.environ.get("SPOTTER_VIRTUAL_MIC") != "require", reason=missing() or "there")
def test_words_played_into_a_real_sound_system_are_recorded_and_its_loss_keeps_them(tmp_path: Path) -> None:
    samples, rate = soundfile.read(DEMO, dtype="int16")
    soundfile.write(tmp_path / "demo.wav", samples[: 7 * rate], rate, "PCM_16")
    command = [sys.executable, "-m", "train", "record", "lamp", "--out", str(tmp_path / "data")]
    command += ["--count", "9", "--pause", "0.2"]
    with VirtualMic() as mic, (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        environment = {**mic.client_env(), "PYTHONPATH": str(ROOT)}
        child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        try:
            mic.wait_for_listener()
            mic.play(tmp_path / "demo.wav")
            time.sleep(0.7)
            mic.kill()
            assert child.wait(20.0) == 3
        finally:
            child.kill()
            child.wait()
    said_so = [line for line in (tmp_path / "err").read_text("utf-8").splitlines() if line.startswith("train: ")]
    assert len(said_so) == 1
    assert "recordings were kept" in said_so[0]
    files = sorted((tmp_path / "data" / "lamp").iterdir())
    model = Model.open("commands")
    heard = [[d.keyword for d in spot(soundfile.read(p, dtype="float32")[0], RATE, model)] for p in files]
    assert heard[:3] == [["yes"], ["no"], ["up"]]
