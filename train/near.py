"""Words that sound like keywords, said by synthetic speakers: what a network must leave alone.

    python -m train.near package/voices data/near

writes WORD/SPEAKER.flac for `python -m train fit --near`. Homophones (know, write) are not among
them. `train/synthesis.py` says how to get the voices. About eight minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from spotter.settings import SAMPLE_RATE
from train.progress import track
from train.synthesis import Kokoro

NEAR: Final = {
    "down": "town done dawn gown dial ground around doubt dumb sound",
    "go": "goat goal ago glow gold ghost gone got girl okay",
    "left": "lift let laughed loft leapt less leg lost well will",
    "no": "now note mode known knows nope snow not new low",
    "right": "light rides ride ripe rice bright great rat ring why",
    "stop": "step stock star stay stopped stuff top shop drop stomp",
    "up": "cup app of off on hop us pup but out",
    "yes": "yet guess jess less chess this us yeah yard dress",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Say each word by drawn voices and blends of two, at drawn speeds."""
    import soundfile

    parser = argparse.ArgumentParser(
        prog="python -m train.near", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("voices", type=Path, help="folder of the voices: package/voices of kokoro-js")
    parser.add_argument("out", type=Path, help="folder that gets WORD/SPEAKER.flac")
    parser.add_argument("--speakers", type=int, default=12, help="of each word (default: 12)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    kokoro, rng = Kokoro(options.voices), np.random.default_rng(options.seed)
    names = sorted(kokoro.voices)
    words = sorted({word for line in NEAR.values() for word in line.split()})
    for word in track(words, total=len(words), what="near words"):
        folder = options.out / word
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(options.speakers):
            one, other = rng.choice(names, 2, replace=False)
            weight = np.float32(1.0 if number % 2 else rng.uniform(0.25, 0.75))
            style = weight * kokoro.style(one) + (1 - weight) * kokoro.style(other)
            speaker = f"{one}" if number % 2 else f"{one}+{other}{weight:.2f}"
            audio = kokoro.say(word, style, float(rng.uniform(0.8, 1.25))).clip(-1, 1)
            soundfile.write(folder / f"{speaker}.flac", audio, SAMPLE_RATE)


if __name__ == "__main__":
    main()
