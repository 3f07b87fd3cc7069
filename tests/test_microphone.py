"""The microphone, on a fake sound system: which rate and channels are asked for, and what is heard of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from spotter.errors import BadInputError, MicrophoneError
from spotter.listener import Listener
from spotter.sources.devices import Device
from spotter.sources.microphone import Microphone, formats
from tests.fakes import ScriptedModel, recording
from tests.microphones import started, system, until

if TYPE_CHECKING:
    from spotter.events import Detection


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000, 96_000])
def test_the_devices_own_rate_is_asked_for_in_mono_in_blocks_of_50_ms(
    monkeypatch: pytest.MonkeyPatch, rate: int
) -> None:
    microphone, stream, _, _ = started(monkeypatch, own_rate=float(rate))
    assert (microphone.name, microphone.sample_rate, microphone.channels) == ("Built-in Microphone", rate, 1)
    wanted = {"samplerate": rate, "channels": 1, "blocksize": rate // 20, "dtype": "float32", "device": 0}
    assert {key: stream.settings[key] for key in wanted} == wanted
    assert stream.calls == ["start"]


@pytest.mark.parametrize(
    ("refuses", "rate", "channels"),
    [
        ([], 44_100, 1),
        ([(44_100, 1)], 44_100, 2),
        ([(44_100, 1), (44_100, 2)], 44_100, 8),
        ([(44_100, 1), (44_100, 2), (44_100, 8)], 16_000, 1),
    ],
)
def test_as_few_channels_as_work_and_16_khz_where_the_own_rate_does_not(
    monkeypatch: pytest.MonkeyPatch, refuses: list[tuple[int, int]], rate: int, channels: int
) -> None:
    microphone, stream, _, _ = started(monkeypatch, devices=[("Array", 8)], refuses=refuses, own_rate=44_100.0)
    assert (microphone.sample_rate, microphone.channels) == (rate, channels)
    assert stream.settings["blocksize"] == rate // 20


def device(channels: int, host: str = "Core Audio", rate: float = 44_100.0) -> Device:
    return Device(0, "Array", host, channels, rate, default=True)


def test_alsa_calls_everything_44100_hz_that_can_convert_so_48000_comes_first() -> None:
    assert formats(device(32, "ALSA"))[0] == (48_000, 1)
    assert formats(device(32, "ALSA", 16_000.0))[0] == (16_000, 1)
    assert formats(device(1)) == [(44_100, 1), (16_000, 1)]


def test_for_one_channel_an_array_is_opened_with_all_it_has() -> None:
    assert [count for rate, count in formats(device(6), channel=3) if rate == 44_100] == [6, 3]
    assert [count for rate, count in formats(device(32), channel=1) if rate == 44_100] == [2, 32]
    assert [count for rate, count in formats(device(1), channel=1) if rate == 44_100] == [1]


def test_a_channel_that_the_device_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch)
    with pytest.raises(BadInputError, match=r"no channel 3; give 1 to 2"):
        Microphone(channel=3).open()
    for wrong in (0, -1, 65, 1.0, True):
        with pytest.raises(BadInputError, match="give 1 to 64"):
            Microphone(channel=wrong)  # type: ignore[arg-type]
    assert not fake.streams


def test_a_device_that_takes_nothing_is_an_error_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch, devices=[("Broken", 1)], refuses=[(16_000, 1), (44_100, 1)])
    with pytest.raises(MicrophoneError, match=r"'Broken' cannot be opened \(Invalid sample rate"):
        Microphone().open()
    assert fake.initialised == 2  # the list of devices was made anew, in vain


def test_a_listener_hears_a_microphone_of_another_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(monkeypatch, refuses=[(44_100, 1)])
    listener = Listener(ScriptedModel(), device="built-in")
    heard: list[Detection] = []
    listener.on_any(heard.append)
    with listener:
        talk = recording((1.5, "yes"), (3.0, "no"), seconds=4.5, sample_rate=44_100)
        for at in range(0, len(talk), 882):
            fake.streams[0].deliver(np.repeat(talk[at : at + 882, None], 2, axis=1))
        until(lambda: len(heard) == 2)
    assert [detection.keyword for detection in heard] == ["yes", "no"]
    assert fake.streams[0].calls == ["start", "abort", "close"]


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a_word_is_heard_at_its_time_at_every_rate_with_any_channels(
    monkeypatch: pytest.MonkeyPatch, rate: int, channels: int
) -> None:
    refuses = [(r, c) for r in (rate, 16_000) for c in (1, 2) if c < channels]
    fake = system(monkeypatch, [("Array", channels)], own_rate=float(rate), refuses=refuses)
    heard: list[Detection] = []
    listener = Listener(ScriptedModel())
    listener.on_any(heard.append)
    with listener:
        talk = np.repeat(recording((1.5, "yes"), seconds=2.5, sample_rate=rate)[:, None], channels, axis=1)
        for at in range(0, len(talk), rate // 20):
            fake.streams[0].deliver(talk[at : at + rate // 20])
        until(lambda: heard)
    assert (fake.streams[0].samplerate, fake.streams[0].settings["channels"]) == (rate, channels)
    assert heard[0].start == pytest.approx(1.5, abs=0.03)


@pytest.mark.parametrize(("hop_ms", "frames_each"), [(20, 320), (None, 800), (200, 800)])
def test_blocks_are_no_longer_than_the_hop(
    monkeypatch: pytest.MonkeyPatch, hop_ms: float | None, frames_each: int
) -> None:
    fake = system(monkeypatch, own_rate=16_000.0)
    with Listener(ScriptedModel(), hop_ms=hop_ms):
        assert fake.streams[0].settings["blocksize"] == frames_each
