"""What `spotter listen` keeps and tells besides events: clips, the whole stream, signs of life."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotter.cli.common import tell

if TYPE_CHECKING:
    from spotter.heartbeat import Heartbeat
    from spotter.listener import Listener
    from spotter.model import Model
    from spotter.pipeline import Spotter
    from spotter.record_on import StreamRecorder
    from spotter.saving import Saver
    from spotter.tape import Tape

_MOST_MB = 1e9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which options there are."""
    group = parser.add_argument_group("what to keep, and signs of life")
    group.add_argument(
        "--save",
        metavar="DIR",
        help="write the audio around each detection to WAV files there (2 s before, 0.5 s after)",
    )
    group.add_argument(
        "--save-limit",
        type=float,
        metavar="MB",
        help="no more clips while those in DIR take so much; none is ever removed (default: 500)",
    )
    group.add_argument(
        "--record",
        metavar="FILE.wav",
        help="keep the whole stream as it comes; `--input FILE.wav` later gives the same events",
    )
    group.add_argument(
        "--heartbeat", metavar="FILE", help="write the time and counts there every 5 s while audio comes and is judged"
    )


class Keeping:
    """Sets up what the options ask for on a listener, and ends it."""

    def __init__(self, options: argparse.Namespace, listener: Listener, model: Model) -> None:
        from spotter.errors import BadInputError

        self.saver: Saver | None = None
        self.recorder: StreamRecorder | None = None
        self._heartbeat = _heartbeat(options)
        tapes: list[Tape] = []
        if options.save_limit is not None and not 0 < options.save_limit <= _MOST_MB:
            raise BadInputError(f"--save-limit {options.save_limit:g} MB is no limit; give more than 0")
        if options.save_limit is not None and options.save is None:
            raise BadInputError("--save-limit is for --save; leave it out, or give both")
        if options.save is not None:
            from spotter.saving import LIMIT_BYTES, Saver

            limit = LIMIT_BYTES if options.save_limit is None else round(options.save_limit * 1e6)
            self.saver = Saver(
                Path(options.save),
                model,
                listener.source,
                channel=options.channel,
                time_of_day=listener.time_of_day,
                limit_bytes=limit,
            )
            tapes.append(self.saver)
        if options.record is not None:
            tapes.append(self._record(options, model))
        if tapes:
            from spotter.tape import Tapes

            listener.tape = tapes[0] if len(tapes) == 1 else Tapes(*tapes)

    def look(self, spotter: Spotter, gaps: int) -> None:
        """Give a sign of life if it is time."""
        if self._heartbeat is not None:
            self._heartbeat.look(spotter, gaps)

    def stopping(self) -> None:
        """Say that listening ends, before what may take time."""
        if self._heartbeat is not None:
            self._heartbeat.end()

    def give_up(self) -> None:
        """Leave nothing behind: listening has not begun."""
        if self.recorder is not None:
            self.recorder.end()

    def end(self) -> None:
        """Finish what is being written, and say what there is."""
        if self.saver is not None:
            self.saver.end()
            clips = "1 clip" if self.saver.saved == 1 else f"{self.saver.saved} clips"
            tell(f"saved {clips} in {self.saver.folder}; `python -m train review {self.saver.folder}` marks them")
        if self.recorder is not None:
            self.recorder.end()
            files = ", ".join(str(path) for path in self.recorder.paths)
            tell(f"recorded {self.recorder.seconds:.2f} s in {files}")

    def _record(self, options: argparse.Namespace, model: Model) -> StreamRecorder:
        from spotter.errors import BadInputError
        from spotter.record import now
        from spotter.record_on import StreamRecorder

        if options.input not in (None, "-"):
            raise BadInputError(f"--record is for a microphone or `--input -`; {options.input} is a recording already")
        if options.or_demo:
            raise BadInputError("--record and --or-demo exclude each other; give one of them")
        about: dict[str, Any] = {
            "started": now(),
            "source": options.input or options.device or "default microphone",
            "listened": {"model": model.name, "hop_ms": options.hop, "channel": options.channel},
        }
        self.recorder = StreamRecorder(Path(options.record), force=options.force, about=about)
        return self.recorder


def _heartbeat(options: argparse.Namespace) -> Heartbeat | None:
    if options.heartbeat is None and "NOTIFY_SOCKET" not in os.environ:
        return None
    from spotter.heartbeat import Heartbeat, Service

    path = None if options.heartbeat is None else Path(options.heartbeat)
    return Heartbeat(path, Service(os.environ, os.getpid()))
