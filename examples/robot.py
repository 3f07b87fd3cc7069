"""A robot that drives as it is told: go, left, right, stop; and stops by itself when it cannot hear.

    python examples/robot.py                       # the default microphone, until Ctrl-C
    python examples/robot.py --input talk.flac

Callbacks run on a thread of their own and only change what is wanted. The loop that drives the motors has its own pace
and never waits for anybody.
"""

from __future__ import annotations

import argparse
import threading
import time

import spotter
from spotter.sources.files import AudioFile

WHEELS = {"go": (1.0, 1.0), "left": (-0.4, 0.4), "right": (0.4, -0.4), "stop": (0.0, 0.0)}  # left, right
TURN_S = 0.8  # then it goes on as before
PERIOD_S = 0.05


class Drive:
    """What the wheels are to do; changed by one thread, read by another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steady = self._wheels = WHEELS["stop"]
        self._turns_until = 0.0

    def order(self, word: str) -> None:
        """Take a word; a turn is over after a while."""
        print(f"{word}: wheels {WHEELS[word][0]:+.1f} {WHEELS[word][1]:+.1f}", flush=True)
        with self._lock:
            self._wheels = WHEELS[word]
            if word in ("go", "stop"):
                self._steady = self._wheels
            else:
                self._turns_until = time.monotonic() + TURN_S

    def wheels(self) -> tuple[float, float]:
        """Return the speeds of the left and right wheel, -1..1."""
        with self._lock:
            if self._wheels != self._steady and time.monotonic() > self._turns_until:
                self._wheels = self._steady
            return self._wheels


def set_motors(left: float, right: float) -> None:
    """Where the motors' own library is called."""


def main() -> None:
    """Drive until the recording ends, or Ctrl-C."""
    parser = argparse.ArgumentParser(description="Drives as it is told.")
    parser.add_argument("--input", help="a recording instead of the microphone")
    options = parser.parse_args()
    drive = Drive()
    source = AudioFile(options.input) if options.input else None
    listener = spotter.Listener(source=source, threshold={"stop": 0.5})  # rather stop once too often

    @listener.on(*WHEELS)
    def obey(detection: spotter.Detection) -> None:
        drive.order(detection.keyword)

    @listener.on_device
    def lost(event: spotter.DeviceLost | spotter.DeviceBack) -> None:
        if isinstance(event, spotter.DeviceLost):
            drive.order("stop")

    try:
        with listener:
            while listener.running:
                set_motors(*drive.wheels())
                time.sleep(PERIOD_S)
    except KeyboardInterrupt:
        pass
    finally:
        set_motors(0.0, 0.0)


if __name__ == "__main__":
    main()
