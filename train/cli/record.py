"""Record your own words with a microphone, take by take.

Each WORD may be a phrase ("hey robot"). A take is trimmed to the word, looked at, and kept as
OUT/WORD/SPEAKER-SESSION_nohash_N.wav (16 kHz, 16 bits), or you are told what to do better. You are asked to say
it in several manners: near, far, more quietly, in another room; what is said in another room is a session of its
own, so that figures can be told for places a model has not heard.

A command that was stopped is gone on with by the same command within half an hour; later, it begins another
session. Nothing is ever written over. Keys: d throws the last take away, p plays it again, s leaves a manner out,
q ends. Without a terminal no key is asked for, and takes follow one another after a pause.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotter.errors import BadInputError, MicrophoneError

if TYPE_CHECKING:
    from spotter.sources import LiveSource
    from train.recording.session import Session

EXAMPLE = """example:
  python -m train record "hey robot" --speaker anna
  python -m train record lamp fan --count 30 --device usb --out recordings"""

_MOST = 1_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("words", nargs="+", metavar="WORD", help='word or phrase, such as "hey robot"')
    parser.add_argument("--out", type=Path, default=Path("recordings"), help="folder of words (default: recordings)")
    parser.add_argument("--count", type=int, default=10, metavar="N", help="takes of each word (default: 10)")
    parser.add_argument("--speaker", default="me", metavar="NAME", help="who speaks (default: me)")
    parser.add_argument("--session", metavar="NAME", help="of these takes (default: the time at which they begin)")
    parser.add_argument("--device", metavar="ID|NAME", help="microphone: its number, or a part of its name")
    parser.add_argument("--pause", type=float, metavar="S", help="countdown before a take (default: 2)")
    parser.add_argument("--longest", type=float, default=5.0, metavar="S", help="of a take (default: 5)")
    parser.add_argument("--no-playback", action="store_true", help="do not play what was kept")


def run(args: argparse.Namespace) -> int:
    """Guide through the takes; return the exit code."""
    from spotter.sources.microphone import Microphone

    source = Microphone(args.device)
    code = 0
    try:
        code = record(args, source)
    except MicrophoneError as error:
        if not source.stuck:
            raise
        print(f"train: {error}", file=sys.stderr)
        code = error.exit_code
    if source.stuck:  # a sound system that does not let go would hold up the interpreter's exit for minutes
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def record(args: argparse.Namespace, source: LiveSource) -> int:
    """Record from a source."""
    from train.recording.console import Lines, Meter
    from train.recording.guide import Pace
    from train.recording.player import player
    from train.recording.quality import check_phrase
    from train.recording.recorder import Recorder
    from train.recording.session import folder_names
    from train.recording.takes import schedule, summary

    for word in args.words:
        check_phrase(word)
    folders = folder_names(args.words)
    _check(args)
    now = datetime.now().astimezone()
    session, there = _session(args, folders, now)
    words = dict(zip(folders, (" ".join(word.split()) for word in args.words), strict=True))
    steps = schedule(words, args.count, there, moves=args.session is None)
    asks = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    for folder, word in words.items():
        print(_told(word, args.out / folder, session, there[folder], args.count), flush=True)
    if not steps:
        print("nothing is left to say; give a higher --count, or another --session", flush=True)
        return 0
    print(f"to be said: {summary(steps)}", flush=True)
    play = player() if asks and not args.no_playback else None
    pace = Pace(
        asks=asks, countdown_s=2.0 if args.pause is None else args.pause, take_s=args.longest, plays=play is not None
    )
    with Meter() if asks else Lines() as console:
        return Recorder(session, steps, pace, console, play).run(source)


def _session(args: argparse.Namespace, folders: list[str], now: datetime) -> tuple[Session, dict[str, int]]:
    """Which session goes on or begins, and how many takes of each word there are of this sitting."""
    from train.recording.session import Session, new_name, plain, sitting
    from train.written import typed

    about: dict[str, Any] = {"command": typed(), "versions": _versions()}
    speaker = plain(args.speaker, "speaker")
    if args.session is not None:
        names = [plain(args.session, "session")]
    else:
        names = sitting(args.out, speaker, now) or [new_name(now, [])]
    sessions = [Session(args.out, speaker, name, about) for name in names]
    return sessions[-1], {f: sum(len(session.there(f)) for session in sessions) for f in folders}


def _told(word: str, folder: Path, session: Session, there: int, count: int) -> str:
    from train.recording.session import recordings

    old = len(recordings(folder))
    others = f", {old - there} more of other sessions" if old > there else ""
    left = max(0, count - there)
    return f"“{word}”: {there} of {count} takes are there in {folder}{others}; {left} to go, session {session.who}"


def _check(args: argparse.Namespace) -> None:
    if not 1 <= args.count <= _MOST:
        raise BadInputError(f"--count {args.count} is out of range; give 1 to {_MOST}")
    if args.pause is not None and not 0.0 <= args.pause <= 60.0:
        raise BadInputError(f"--pause {args.pause:g} is out of range; give 0 to 60 seconds")
    if not 1.0 <= args.longest <= 30.0:
        raise BadInputError(f"--longest {args.longest:g} is out of range; give 1 to 30 seconds")
    if args.out.exists() and not args.out.is_dir():
        raise BadInputError(f"{args.out} is no folder; give the folder of words, such as recordings")


def _versions() -> dict[str, str]:
    import numpy as np

    import spotter

    return {"spotter": spotter.__version__, "numpy": np.__version__}
