"""The shell around the guide: a source, a keyboard, a console, a player, and the folder that takes go to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from spotter.arrays import Floats
from spotter.errors import MicrophoneError
from spotter.sources import LiveSource
from spotter.windows import dbfs
from train.recording.console import Lines
from train.recording.guide import Action, Guide, Keep, Move, Pace, Play, Say, Undo
from train.recording.keys import Keys, NoKeys
from train.recording.live import Live
from train.recording.session import Session, new_name
from train.recording.takes import Step


class Recorder:
    """Records one list of takes.

    Parameters
    ----------
    session : where they go
    steps : what is to be said
    pace : how the takes follow one another
    console : what shows it
    play : what plays a clip, if anything does
    keys : the keyboard; left out, the terminal's where `pace.asks`
    """

    def __init__(
        self,
        session: Session,
        steps: Sequence[Step],
        pace: Pace,
        console: Lines,
        play: Callable[[Floats], None] | None = None,
        keys: NoKeys | None = None,
    ) -> None:
        self.session = session
        self.guide = Guide(steps, pace)
        self._console, self._play = console, play
        self._keys = keys or (Keys() if pace.asks else NoKeys())
        self._last: tuple[Session, Path] | None = None

    def run(self, source: LiveSource) -> int:
        """Record until all is said, somebody ends it, or the microphone goes; return the exit code."""
        guide = self.guide
        try:
            with self._keys, Live(source) as live:
                self.session.about = {**self.session.about, "device": source.name, "device_hz": source.sample_rate}
                self._do(guide.begin())
                for piece in live.pieces():
                    self._do(guide.push(piece, self._keys.poll()))
                    if guide.phase == "over":
                        break
                    self._show(piece)
        except KeyboardInterrupt:
            pass
        except MicrophoneError as error:
            if not guide.kept:
                raise
            raise MicrophoneError(f"{error}; {_count(guide.kept)} kept until then in {self._where}") from None
        self._console.say(f"{_count(guide.kept)} kept in {self._where}", "good" if guide.kept else "")
        if guide.failed:
            self._console.say("too many takes without a usable word; run the same command again to go on", "bad")
            return 1
        if guide.step is not None:
            self._console.say("run the same command again to go on")
        return 0

    @property
    def _where(self) -> Path:
        return self.session.out

    def _do(self, actions: Sequence[Action]) -> None:
        for action in actions:
            if isinstance(action, Say):
                self._console.say(action.text, action.tone)
            elif isinstance(action, Keep):
                self._keep(action)
            elif isinstance(action, Undo) and self._last is not None:
                session, path = self._last
                session.drop(path)
                self._last = None
            elif isinstance(action, Play) and self._play is not None:
                self._play(action.clip)
            elif isinstance(action, Move):
                now = datetime.now().astimezone()
                taken = [path.stem.rpartition("-")[2] for path in self.session.log.parent.glob("*.json")]
                name = new_name(now, taken)
                self.session = Session(self.session.out, self.session.speaker, name, self.session.about)

    def _keep(self, keep: Keep) -> None:
        about = {"manner": keep.step.manner.name, **keep.quality.as_dict()}
        path = self.session.keep(keep.step.folder, keep.clip, about)
        self._last = self.session, path
        quality = keep.quality
        self._console.say(
            f"kept {path} ({quality.seconds:.2f} s, {quality.loudest_dbfs:.0f} dBFS, "
            f"{quality.loudest_dbfs - quality.floor_dbfs:.0f} dB over the room)",
            "good",
        )

    def _show(self, piece: Floats | None) -> None:
        if piece is not None and len(piece):
            level = dbfs(float((piece * piece).mean()))
            self._console.status(self.guide.status(), level, recording=self.guide.phase == "take")


def _count(kept: int) -> str:
    return "1 recording was" if kept == 1 else f"{kept} recordings were"
