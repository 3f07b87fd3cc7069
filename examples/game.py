"""A game in a terminal: up, down, left and right move the player; yes starts anew and stop ends it.

    python examples/game.py                        # the default microphone
    python examples/game.py --input talk.flac      # no faster than its frames

A game has one loop and must not wait in it. Each frame it hands over the audio that has come since the last one, and
asks what was heard in it, which takes a small part of the frame.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

import numpy as np
import numpy.typing as npt
import sounddevice
import soundfile

import spotter

Audio = npt.NDArray[np.float32]  # shape (frames,), at 16 kHz
RATE = 16_000
FRAME_S = 1 / 30
WIDTH, HEIGHT = 21, 7
MOVES = {"up": (0, -3), "down": (0, 3), "left": (-5, 0), "right": (5, 0)}


class World:
    """Where the player is."""

    def __init__(self) -> None:
        self.x, self.y, self.over = WIDTH // 2, HEIGHT // 2, False

    def hear(self, word: str) -> None:
        """Do what was said."""
        if word in MOVES:
            dx, dy = MOVES[word]
            self.x, self.y = min(max(self.x + dx, 0), WIDTH - 1), min(max(self.y + dy, 0), HEIGHT - 1)
        elif word == "yes":
            self.x, self.y = WIDTH // 2, HEIGHT // 2
        self.over = word == "stop"

    def draw(self, word: str) -> None:
        """Print the field."""
        rows = ["·" * self.x + "@" + "·" * (WIDTH - 1 - self.x) if y == self.y else "·" * WIDTH for y in range(HEIGHT)]
        print(f"{word}: {self.x} {self.y}", *rows, sep="\n", flush=True)


def play(audio: Callable[[], Audio | None], frame_s: float) -> None:
    """Run the loop until the audio ends or the game is over."""
    listening, world = spotter.Spotter(spotter.Model.open("commands")), World()
    world.draw("start")
    while not world.over and (block := audio()) is not None:
        listening.write(block)
        for event in listening.events():
            if isinstance(event, spotter.Detection):
                world.hear(event.keyword)
                world.draw(event.keyword)
        time.sleep(frame_s)  # where a real game draws and waits for the screen


def main() -> None:
    """Play with a microphone or a recording."""
    parser = argparse.ArgumentParser(description="Moves as it is told.")
    parser.add_argument("--input", help="a recording at 16 kHz instead of the microphone")
    options = parser.parse_args()
    if options.input:
        blocks = soundfile.blocks(options.input, blocksize=round(RATE * FRAME_S), dtype="float32")
        play(lambda: next(blocks, None), 0.0)
        return
    waiting: SimpleQueue[Audio] = SimpleQueue()

    def since_last_frame() -> Audio:
        parts = [np.zeros(0, np.float32)]
        try:
            while True:
                parts.append(waiting.get_nowait())
        except Empty:
            return np.concatenate(parts)

    with sounddevice.InputStream(RATE, channels=1, callback=lambda data, *_: waiting.put(data[:, 0].copy())):
        play(since_last_frame, FRAME_S)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
