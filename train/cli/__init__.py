"""`python -m train STEP`: one file per step; what is heavy is imported by the step that needs it."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from spotter.errors import SpotterError
from train.cli.trouble import sentence

STEPS = {
    "record": "record your own words with a microphone, take by take",
    "collect": "find and cut your words in recordings that you have",
    "say": "make recordings of your own words from text, by offline speech synthesis",
    "check-word": "is a word a good one to listen for?",
    "review": "mark what a listener saved as right or wrong, and put it into the data",
    "explore": "look at recordings and listen to them before training",
    "fit": "train a model from folders of recordings",
    "evaluate": "measure a model on clips: accuracy, speakers, calibration, noise and rooms",
    "predict": "say what a model hears in sound files, as text, JSON or picture",
    "stream": "make recordings with known words, to measure a model with",
    "evaluate-stream": "measure a model on streams: recall, false accepts per hour, delay",
    "tune": "choose thresholds and settings for a wanted number of false accepts an hour",
    "mine": "keep the places in speech without keywords that fool a model",
    "ablate": "measure what each augmentation is worth, in short runs",
    "compare": "train several networks on the same recordings and compare them in a table",
    "words": "find or make thousands of other words: by alignment, by synthesis",
    "background": "make the bank of background that own words are fitted against",
    "distill": "teach a small network the embeddings of a backbone for own words",
    "voices": "learn what tells speakers apart, for own words that only you can say",
    "trial": "try how few recordings of a phrase do, on the rest of them and on hours of speech",
    "export": "write a model folder from the weights of a run",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one step; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m train",
        description="Make a keyword model, and believe the numbers.",
        epilog="example: python -m train fit data/words --speech data/speech --noise data/noise --out models/mine",
    )
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    for name, what in STEPS.items():
        module = importlib.import_module(f"train.cli.{name.replace('-', '_')}")
        step = steps.add_parser(
            name,
            help=what,
            description=module.__doc__,
            epilog=module.EXAMPLE,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(step)
        step.set_defaults(run=module.run)
    args = parser.parse_args(argv)
    try:
        return int(args.run(args) or 0)
    except SpotterError as error:
        print(f"train: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("train: stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 0
    except Exception as error:
        if not (told := sentence(error)):
            raise
        print(f"train: {told}", file=sys.stderr)
        return 1
