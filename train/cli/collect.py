"""Find and cut the utterances of a word in recordings that you have.

FILES may be of any format, rate and number of channels that soundfile reads; folders are looked through. Several
utterances in one file are cut apart where there is a pause between them. Each is trimmed and looked at as
`record` does, and kept as OUT/WORD/SPEAKER-SESSION_nohash_N.wav; the files themselves stay as they are.

Whose a recording is, is told by --speaker and --session, else by names (alice-01.wav, SPEAKER_nohash_N.wav), else
all are by one speaker, and a file of several utterances is a session of its own. Nothing is ever written over,
and a file that was collected before is passed over.
"""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path

from spotter.errors import BadInputError

EXAMPLE = """example:
  python -m train collect robot-monday.wav robot-tuesday.flac --word "hey robot" --out recordings --speaker anna"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("files", type=Path, nargs="+", metavar="FILES", help="sound files, or folders of them")
    parser.add_argument("--word", required=True, help='what is said in them, such as "hey robot"')
    parser.add_argument("--out", type=Path, default=Path("recordings"), help="folder of words (default: recordings)")
    parser.add_argument("--speaker", metavar="NAME", help="who speaks in all of them")
    parser.add_argument("--session", metavar="NAME", help="one sitting, if all of them are of one")
    parser.add_argument(
        "--pause", type=float, default=0.35, metavar="S", help="shortest between two utterances (default: 0.35)"
    )


def run(args: argparse.Namespace) -> int:
    """Collect, and say of each file what was found."""
    from train.recording.collecting import Collector, audio_files, whose
    from train.recording.quality import check_phrase
    from train.recording.session import folder_name, new_name
    from train.written import typed

    if not 0.1 <= args.pause <= 5.0:
        raise BadInputError(f"--pause {args.pause:g} is out of range; give 0.1 to 5 seconds")
    if args.out.exists() and not args.out.is_dir():
        raise BadInputError(f"{args.out} is no folder; give the folder of words, such as recordings")
    check_phrase(args.word)
    word = folder_name(args.word)
    files = audio_files(args.files)
    collector = Collector(
        out=args.out,
        word=word,
        session=new_name(datetime.now().astimezone(), []),
        pause_s=args.pause,
        about={"command": typed()},
    )
    kept = before = 0
    for path, who in zip(files, whose(files, word, args.speaker, args.session), strict=True):
        found = collector.collect(path, who)
        print("\n".join(found.lines()), flush=True)
        kept += len(found.kept)
        before += "collected before" in found.trouble
    if not kept and not before:
        raise BadInputError(f"no usable utterance in {'the file' if len(files) == 1 else f'{len(files)} files'}")
    print(f"{kept} recordings of {args.word!r} kept in {args.out / word}")
    return 0
