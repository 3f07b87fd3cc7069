"""What several tests share: made-up recordings to train on and to listen to, a microphone in which somebody speaks."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

# Before numpy is there: several processes run tests, and threads of its BLAS would keep them all waiting.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from spotter.listener import Listener
from spotter.model import Model
from tests.fakes import TALK, LiveSystem, ScriptedModel
from tests.lost_devices import nap, system  # noqa: F401  fixtures

# How fast this machine is says nothing of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# A job in the background of a script ignores Ctrl-C, and so would each command that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


def word(frequency_hz: float, seconds: float = 0.4) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """A second of faint noise with a tone in its middle."""
    rng = np.random.default_rng(round(frequency_hz))
    samples = rng.standard_normal(16_000).astype(np.float32) * 1e-3
    n = round(seconds * 16_000)
    samples[6_000 : 6_000 + n] += 0.3 * np.sin(2 * np.pi * frequency_hz * np.arange(n) / 16_000).astype(np.float32)
    return samples


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up data set: tones as words, bursts of noise as speech, noise."""
    import soundfile

    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for number in range(40):
        for name, hz in (("yes", 900), ("no", 2_500), ("cat", 400), ("dog", 5_000)):
            folder = root / "words" / name
            folder.mkdir(parents=True, exist_ok=True)
            soundfile.write(folder / f"speaker{number}_nohash_0.wav", word(hz + number), 16_000)
    for number in range(8):
        folder = root / "speech" / f"reader{number}"
        folder.mkdir(parents=True)
        swell = np.repeat(rng.uniform(0, 1, 40) > 0.4, 2_400).astype(np.float32)
        soundfile.write(folder / "a.flac", (rng.standard_normal(96_000) * 0.1 * swell).astype(np.float32), 16_000)
    (root / "noise").mkdir()
    for number in range(8):
        soundfile.write(root / "noise" / f"{number}.wav", rng.standard_normal(80_000).astype(np.float32) * 0.05, 16_000)
    return root


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> LiveSystem:
    fake = LiveSystem()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    really = Listener.start

    def start(listener: Listener, seconds: float | None = None) -> None:
        really(listener, seconds)
        fake.listening.set()

    monkeypatch.setattr(Listener, "start", start)
    return fake


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every model be the one that hears tones."""
    monkeypatch.setattr(Model, "open", lambda *_, **__: ScriptedModel())


@pytest.fixture
def talk(tmp_path: Path) -> str:
    """Return a recording in which somebody says two words."""
    import soundfile

    path = tmp_path / "talk.wav"
    soundfile.write(path, TALK, 16_000)
    return str(path)


@pytest.fixture(scope="session", autouse=True)
def _nobodys_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whoever runs the tests may have settings and models of their own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "APPDATA", "LOCALAPPDATA"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        yield


@pytest.fixture
def no_thread_is_left() -> Iterator[None]:
    yield
    deadline = time.monotonic() + 60.0
    while any(t.name.startswith("spotter") for t in threading.enumerate()):
        assert time.monotonic() < deadline, threading.enumerate()
        time.sleep(0.01)
