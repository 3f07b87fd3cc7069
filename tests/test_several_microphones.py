"""Several microphones in one process, and one channel of several."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spotter.errors import BadInputError
from spotter.events import Detection, DeviceLost
from spotter.listener import Listener
from spotter.model import Model
from tests.fakes import FakeSoundDevice, FakeStream, ScriptedModel, recording
from tests.lost_devices import RATE, WORD, Heard, say, until

ROOT = Path(__file__).parent


def test_two_microphones_share_a_models_weights_and_hear_each_its_own(system: FakeSoundDevice, tmp_path: Path) -> None:
    system.plug([("Left", 1), ("Right", 1)])
    model = Model.open(ROOT / "data" / "models" / "tiny")
    demo, _ = soundfile.read(ROOT.parent / "spotter" / "data" / "demo.flac", dtype="float32")
    audio = {"Left": demo, "Right": demo[::-1].copy()}
    heard: dict[str, list[tuple[str, int, float]]] = {"Left": [], "Right": []}
    listeners = []
    for name in audio:
        listener = Listener(model, device=name, threshold=0.3)
        listener.on_any(lambda d, name=name: heard[name].append((d.keyword, d.time_sample, d.score)))
        listener.start()
        listeners.append(listener)

    def feed(stream: FakeStream, samples: np.ndarray) -> None:
        for at in range(0, len(samples), 16_000):
            say(stream, samples[at : at + 16_000])
            time.sleep(0.01)

    feeders = [
        threading.Thread(target=feed, args=(stream, audio[name]))
        for stream, name in zip(system.streams, audio, strict=True)
    ]
    for feeder in feeders:
        feeder.start()
    for feeder in feeders:
        feeder.join()
    for listener in listeners:
        listener.stop()
    for name, samples in audio.items():
        alone: list[tuple[str, int, float]] = []
        single = Listener(model, device=name, threshold=0.3)
        single.on_any(lambda d, alone=alone: alone.append((d.keyword, d.time_sample, d.score)))
        with single:
            feed(system.streams[-1], samples)
        assert heard[name] == alone  # to the bit, and beside the other
        assert len(alone) > 2
    assert heard["Left"] != heard["Right"]


def test_a_lost_microphone_does_not_disturb_another(system: FakeSoundDevice) -> None:
    system.plug([("Left", 1), ("Right", 1)])
    with Heard(device="left") as left, Heard(device="right") as right:
        system.plug([("Right", 1)])
        system.streams[0].die()
        until(lambda: left.of(DeviceLost))
        time.sleep(0.2)
        say(system.streams[1])
        until(lambda: right.of(Detection))
        assert system.initialised == 1  # it would have ended the other's stream
        assert system.streams[1].calls == ["start"]
    assert right.kinds() == ["detection"]


def test_one_channel_of_several_is_heard(system: FakeSoundDevice) -> None:
    system._refuses = {(RATE, 1)}
    with Heard(channel=2) as heard:
        both = np.stack((recording((1.2, "no"), seconds=2.0), WORD), axis=1)
        for at in range(0, len(both), 800):
            system.streams[0].deliver(both[at : at + 800])
        until(lambda: heard.of(Detection))
    assert [d.keyword for d in heard.of(Detection)] == ["yes"]


def test_one_channel_of_a_recording_is_heard() -> None:
    from spotter.sources.memory import Samples

    both = np.stack((recording((0.5, "no"), seconds=1.5), recording((0.5, "yes"), seconds=1.5)), axis=1)
    for channel, word in ((1, "no"), (2, "yes")):
        assert [d.keyword for d in Listener(ScriptedModel(), source=Samples(both), channel=channel)] == [word]
    with pytest.raises(BadInputError, match="no channel 3; give 1 to 2"):
        list(Listener(ScriptedModel(), source=Samples(both), channel=3))
