"""A voice assistant: after its wake word it keeps the next three seconds, for a speech recogniser.

    python examples/voice_assistant.py                                       # the default microphone, until Ctrl-C
    python examples/voice_assistant.py --input talk.flac --wake go --out said

It has the audio already, since it needs what comes after the word. So it hands its blocks to `Spotter.write` itself and
asks for `events()`: no thread, no callback, no clock.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sounddevice
import soundfile

import spotter

Block = npt.NDArray[np.float32]  # shape (frames, channels)
RATE = 16_000  # Hz, of the microphone
SENTENCE_S = 3.0


def microphone() -> Iterator[Block]:
    """Yield a tenth of a second after the other."""
    with sounddevice.InputStream(samplerate=RATE, channels=1, dtype="float32") as stream:
        while True:
            yield stream.read(RATE // 10)[0]


def recording(path: str) -> Iterator[Block]:
    """Yield a tenth of a second after the other."""
    yield from soundfile.blocks(path, blocksize=soundfile.info(path).samplerate // 10, dtype="float32", always_2d=True)


def sentences(blocks: Iterator[Block], listening: spotter.Spotter, wake: str, frames: int) -> Iterator[Block]:
    """Yield what is said after each wake word, so many frames."""
    kept: list[Block] | None = None
    for block in blocks:
        listening.write(block)
        if kept is not None:
            kept.append(block.copy())
            if sum(map(len, kept)) >= frames:
                yield np.concatenate(kept)[:frames]
                kept = None
        for event in listening.events():
            if isinstance(event, spotter.Detection) and event.keyword == wake and kept is None:
                print(f"{event.time:.2f} s: {wake}! I am listening …", flush=True)
                kept = []


def main() -> None:
    """Listen; write a file for each sentence, where a recogniser would be called."""
    parser = argparse.ArgumentParser(description="Keeps what is said after a wake word.")
    parser.add_argument("--input", help="a recording instead of the microphone")
    parser.add_argument("--wake", default="go", help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("said"), help="a folder; default: %(default)s")
    options = parser.parse_args()
    rate, channels = RATE, 1
    if options.input:
        rate, channels = (info := soundfile.info(options.input)).samplerate, info.channels
    listening = spotter.Spotter(spotter.Model.open("commands"), sample_rate=rate, channels=channels)
    blocks = recording(options.input) if options.input else microphone()
    options.out.mkdir(parents=True, exist_ok=True)
    for number, samples in enumerate(sentences(blocks, listening, options.wake, round(SENTENCE_S * rate)), 1):
        file = options.out / f"{number}.wav"
        soundfile.write(file, samples, rate)
        print(f"what was said is in {file}", flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
