"""What a person at the terminal has while recording: keys, a meter, a loudspeaker, another try."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from queue import SimpleQueue

import pytest
import soundfile

from spotter.arrays import Floats
from spotter.errors import MicrophoneError
from tests.fakes import FakeSoundDevice
from tests.spoken import ASKED, ROOM, THREE, USUAL, Spoken, said, talk
from train.recording.console import Lines, Meter
from train.recording.keys import Keys, NoKeys
from train.recording.live import Live
from train.recording.player import player
from train.recording.recorder import Recorder
from train.recording.session import Name, Session
from train.recording.takes import Step


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
    assert played.get(timeout=60.0) == (24_000, 48_000)
