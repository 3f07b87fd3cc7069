"""Make recordings of your own words from text alone, by speech synthesis that runs offline, and of phrases near them.

OUT gets one folder for each PHRASE, in which seven voices or more say it faster, slower, higher, lower, with and
without a pause; OUT/_negatives_ gets what is easily taken for it: parts of it, its words in another order, words that
sound near. The same command goes on where it stopped, and nothing is ever written over.

Synthetic voices are cleaner, closer and more alike than people. Record yourself as well (python -m train record) where
you can: what is measured on synthetic voices alone says nothing sure of how people are heard.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

EXAMPLE = """examples:
  python -m train say "hey robot" --out data/mine
  python -m train say "hey robot" lamp --out data/mine --count 100
  python -m train say "hey robot" --out data/mine --voices package/voices    (54 more voices: npm pack kokoro-js)"""
_SHOWN = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("phrases", nargs="+", metavar="PHRASE", help='word or phrase, such as "hey robot"')
    parser.add_argument("--out", type=Path, required=True, help="folder that gets one folder for each phrase")
    parser.add_argument("--voices", type=Path, metavar="DIR", help="Kokoro's voices: package/voices of kokoro-js")
    parser.add_argument("--count", type=int, default=40, metavar="N", help="recordings of each phrase (default: 40)")
    parser.add_argument(
        "--near-count", type=int, default=80, metavar="N", help="recordings of what is near a phrase (default: 80)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of voices, speeds and pitches (default: 0)")


def run(args: argparse.Namespace) -> int:
    """Say the phrases; return the exit code."""
    from train.recording.session import folder_names
    from train.say.make import ABOUT, say_phrases
    from train.say.reading import INSTALL, Hibari, clean
    from train.say.voices import PACKAGES, missing, open_sources

    phrases = [clean(phrase) for phrase in args.phrases]
    folder_names(phrases)
    for name in missing():
        if name != "hibari":
            print(f"train: {PACKAGES[name]} is missing, so there are fewer voices; {INSTALL}", file=sys.stderr)
    reader = Hibari()
    sources = open_sources(args.voices, reader=reader)
    how = {"count": args.count, "near_count": args.near_count, "seed": args.seed}
    for made in say_phrases(phrases, args.out, sources, reader=reader, **how):
        guessed = " (its pronunciation is guessed)" if reader.read(made.phrase).guessed else ""
        print(f"{made.utterances} recordings of {made.phrase!r} by {len(made.voices)} voices{guessed}: {made.folder}")
        shown = ", ".join(near.text for near in made.near[:_SHOWN])
        if made.near:
            print(f"{made.near_utterances} of {len(made.near)} phrases near it, such as {shown}: {made.negatives}")
        if made.silent:
            print(f"no sound came of {len(made.silent)}, such as {made.silent[0]}")
    print(f"what each file is: {args.out / ABOUT}")
    print("no human voice is in it: record some as well, with python -m train record")
    return 0
