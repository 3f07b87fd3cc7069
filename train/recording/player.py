"""Plays a clip through the loudspeaker, without waiting for it; no loudspeaker is no trouble."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from spotter.arrays import Floats
from spotter.settings import SAMPLE_RATE
from spotter.stderr import without_chatter


def player() -> Callable[[Floats], None] | None:
    """Return what plays 16 kHz samples, shape (samples,); None where there is no output."""
    try:
        from spotter.sources.devices import load_sounddevice

        sounddevice = load_sounddevice()
        device = sounddevice.query_devices(kind="output")
    except Exception:  # noqa: BLE001  whatever is missing: nothing is played
        return None
    rate = _rate(sounddevice, device)

    def play(samples: Floats) -> None:
        # A sound system that hangs must hold up nobody.
        threading.Thread(target=_play, args=(sounddevice, samples, rate), name="train-player", daemon=True).start()

    return play


def _rate(sounddevice: Any, device: Any) -> int:
    try:
        sounddevice.check_output_settings(samplerate=SAMPLE_RATE, channels=1)
    except Exception:  # noqa: BLE001  it does not do 16 kHz
        return int(device["default_samplerate"])
    return SAMPLE_RATE


def _play(sounddevice: Any, samples: Floats, rate: int) -> None:
    try:
        if rate != SAMPLE_RATE:
            times = np.arange(round(len(samples) * rate / SAMPLE_RATE)) * (SAMPLE_RATE / rate)
            samples = np.interp(times, np.arange(len(samples)), samples).astype(np.float32)
        with without_chatter(lambda line: line.startswith((b"Expression ", b"ALSA lib"))):
            sounddevice.play(samples, rate, blocking=True)
    except Exception:  # noqa: BLE001  recording goes on without it
        return
