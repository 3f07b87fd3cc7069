"""Mark what a listener saved as right or wrong, and put it into the data, so that `fit` learns from it.

DIR is what `spotter listen --save DIR` wrote. Each clip is played and drawn; answer y (right), n (wrong), the word
that was really said, s (skip), p (play again) or q (end), and Enter. Right ones are cut to the word and go to
OUT/WORD/, wrong ones go whole to OUT/_negatives_/; another word goes to its own folder if the model or OUT has
that word, else to OUT/_negatives_/. Answers are kept in DIR/reviewed.tsv: the same command goes on where it was
ended. Nothing is ever written over. Answers may come from a pipe, one a line. What was marked on the live page
(`spotter listen --page`) is put away as it was marked, without asking.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from spotter.errors import BadInputError

if TYPE_CHECKING:
    from spotter.arrays import Floats
    from train.recording.reviewing import Clip, Review

EXAMPLE = """example:
  spotter listen --model models/mine --save clips
  python -m train review clips --out recordings"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("clips", type=Path, metavar="DIR", help="folder that `spotter listen --save` wrote")
    parser.add_argument("--out", type=Path, default=Path("recordings"), help="folder of words (default: recordings)")
    parser.add_argument("--no-playback", action="store_true", help="draw the clips only")


def run(args: argparse.Namespace) -> int:
    """Show, ask, put away."""
    from train.recording.player import player
    from train.recording.reviewing import Review, clips

    found = clips(args.clips)
    if args.out.exists() and not args.out.is_dir():
        raise BadInputError(f"{args.out} is no folder; give the folder of words, such as recordings")
    review = Review(args.clips, args.out)
    left = [clip for clip in found if clip.path.name not in review.answered]
    done = len(found) - len(left)
    print(f"{len(found)} clips in {args.clips}, {done} answered before, {len(left)} to go", flush=True)
    asks = _at_a_terminal()
    play = player() if asks and not args.no_playback else None
    counts: dict[str, int] = {}
    try:
        for number, clip in enumerate(left, done + 1):
            place = f"{number} of {len(found)}"
            answer = _marked(review, clip, place) or _one(review, clip, place, play)
            if answer == "end":
                break
            counts[answer] = counts.get(answer, 0) + 1
    except KeyboardInterrupt:
        print()
    said = ", ".join(f"{count} {answer}" for answer, count in counts.items()) or "nothing answered"
    rest = sum(clip.path.name not in review.answered for clip in found)
    print(f"{said}; {f'{rest} left: the same command goes on' if rest else f'all answered, in {args.out}'}")
    return 0


def _marked(review: Review, clip: Clip, place: str) -> str | None:
    """Put a clip away that was marked on the live page; return the answer, None where it has to be asked about."""
    from train.recording.reviewing import read

    if clip.mark is None:
        return None
    try:
        put = review.answer(clip, read(clip), clip.mark)
    except BadInputError as error:
        print(f"{place}: {clip.mark} on the page, but {error}", flush=True)
        return None
    print(f"{place}: {clip}: {clip.mark} on the page → {put}", flush=True)
    return clip.mark


def _one(review: Review, clip: Clip, place: str, play: Callable[[Floats], None] | None) -> str:
    """Ask about one clip until there is an answer; return it."""
    from spotter.cli.lines import takes_blocks
    from train.recording.reviewing import NEGATIVES, read, understand, waveform

    try:
        samples = read(clip)
    except BadInputError as error:
        print(f"{place}: {error}; skipped", flush=True)
        return "skip"
    print(f"{place}: {clip} ({len(samples) / 16_000:.1f} s)")
    print(f"  {waveform(samples, plain_text=not takes_blocks(sys.stdout.encoding))}", flush=True)
    if play:
        play(samples)
    while True:
        line = _line("  y right, n wrong, WORD, s skip, p play, q end: ")
        if line is None:
            return "end"
        if line.strip().lower() == "p":
            if play:
                play(samples)
            continue
        try:
            answer, word = understand(line, clip, review.data)
            if answer in ("skip", "end"):
                return answer
            put = review.answer(clip, samples, answer, word)
            strange = answer == "word" and put.parent.name == NEGATIVES
            why = f" ({word} is no word of the model or the data)" if strange else ""
            print(f"  → {put}{why}", flush=True)
        except BadInputError as error:
            print(f"  {error}", flush=True)
            continue
        return answer


def _at_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _line(question: str) -> str | None:
    """Ask at a terminal, or take the next line of a pipe; None at its end."""
    if _at_a_terminal():
        print(question, end="", flush=True)
    line = sys.stdin.readline() if sys.stdin is not None else ""
    return line.rstrip("\r\n") if line else None
