"""A dead microphone is noticed, once; a quiet night, a loud word and a pause are not."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.cli.listen import main as listen
from spotter.events import Event, Health
from spotter.health import HealthMonitor, Second, decibel, findings_in, measure
from spotter.listener import Listener
from spotter.pipeline import Spotter
from tests.fakes import Pushed, ScriptedModel, recording

if TYPE_CHECKING:
    from spotter.arrays import Floats

RATE = 16_000
DEMO = Path(__file__).parents[1] / "spotter" / "data" / "demo.flac"
SPEECH: Floats = soundfile.read(DEMO, dtype="float32")[0]


def found(samples: Floats, platform: str = "linux") -> list[tuple[float, str]]:
    monitor = HealthMonitor(platform)
    return [(event.time, event.finding) for event in monitor.hear(np.asarray(samples, np.float32))]


def noise(seconds: float, dbfs: float, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(round(seconds * RATE)) * 10 ** (dbfs / 20)).astype(np.float32)


def hum(seconds: float, dbfs: float, hz: float = 50.0) -> Floats:
    times = np.arange(round(seconds * RATE)) / RATE
    sound = sum(np.sin(2 * np.pi * hz * k * times + k) / k for k in range(1, 8))
    assert isinstance(sound, np.ndarray)
    return np.asarray(sound * 10 ** (dbfs / 20) / np.sqrt((sound**2).mean()), np.float32)


def in_16_bits(samples: Floats) -> Floats:
    return np.asarray(np.round(samples * 32_768).clip(-32_768, 32_767) / 32_768, np.float32)


# What is no sound at all


def live_findings(blocks: list[Floats]) -> list[tuple[float, str]]:
    spotter = Spotter(ScriptedModel())
    spotter.health = HealthMonitor("linux")
    events: list[Event] = []
    for block in blocks:
        spotter.write(block)
        events += spotter.events()
    return [(event.time, event.finding) for event in events if isinstance(event, Health)]


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e9])
@pytest.mark.parametrize("share", [1, 50, 800])
def test_a_device_that_gives_no_numbers_is_said_to_be_broken_although_nothing_is_judged(
    value: float, share: int
) -> None:
    """All samples of each block of 50 ms, some of them, or one."""
    bad = noise(0.05, -50.0)
    bad[:: -(800 // share)] = value
    assert live_findings([noise(2.0, -50.0), *[bad] * 100, noise(3.0, -50.0)]) == [(5.0, "invalid"), (8.0, "ok")]


def test_a_sample_now_and_then_that_is_no_number_is_a_gap_and_no_finding() -> None:
    block = noise(2.5, -50.0)
    block[100] = np.nan
    assert live_findings([block] * 20) == []


# What is no finding


def test_the_shipped_recording_is_sound() -> None:
    assert found(SPEECH) == []


@pytest.mark.parametrize("snr_db", [0, 10, 20])
def test_speech_in_noise_is_sound(snr_db: int) -> None:
    assert found(SPEECH + noise(len(SPEECH) / RATE, -26 - snr_db)[: len(SPEECH)]) == []


def test_a_quiet_night_before_a_working_microphone_is_no_alarm() -> None:
    # A usual digital microphone in a silent bedroom: its own noise at -88 dBFS, a breath now and then.
    night = noise(320, -88)
    for at in range(60, 320, 60):
        night[at * RATE : (at + 1) * RATE] += noise(1, -80, seed=at)
    assert found(in_16_bits(night)) == []


def test_one_slammed_door_is_no_clipping() -> None:
    slam = np.clip(noise(1, 0), -1, 1)
    assert found(np.concatenate((SPEECH, slam, SPEECH))) == []


@pytest.mark.parametrize("hz", [100.0, 150.0, 350.0])
def test_a_second_of_a_tone_on_a_multiple_of_the_mains_is_no_hum(hz: float) -> None:
    tone = (0.2 * np.sin(2 * np.pi * hz * np.arange(RATE) / RATE)).astype(np.float32)
    assert found(np.concatenate((tone, SPEECH))) == []


def test_a_dial_tone_is_no_hum() -> None:
    times = np.arange(30 * RATE) / RATE
    tone = 0.1 * (np.sin(2 * np.pi * 350 * times) + np.sin(2 * np.pi * 440 * times))
    assert found(tone.astype(np.float32)) == []


# What is one


def test_integers_that_were_only_made_floats_are_said_to_be_that_and_nothing_else() -> None:
    monitor = HealthMonitor()
    events = list(monitor.hear(np.tile((SPEECH + np.float32(0.05)) * np.float32(32_768), 2)))
    assert [event.finding for event in events] == ["scale"]
    assert "divide them by 32768" in events[0].message


def test_a_recording_far_over_full_scale_is_clipping_and_of_the_right_scale() -> None:
    assert [finding for _, finding in found(SPEECH * np.float32(16.0))] == ["clipping"]


def test_zeros_are_said_after_three_seconds_and_once() -> None:
    assert found(np.zeros(30 * RATE, np.float32)) == [(3.0, "zeros")]


def test_when_sound_comes_again_that_is_said() -> None:
    sound = np.concatenate((SPEECH[: 27 * RATE], np.zeros(5 * RATE, np.float32), SPEECH))
    assert found(sound) == [(30.0, "zeros"), (33.0, "ok")]


def test_a_microphone_that_gates_its_pauses_to_zeros_is_reported_ever_more_rarely() -> None:
    pause = np.concatenate((np.zeros(4 * RATE, np.float32), SPEECH[RATE : 2 * RATE]))
    assert found(np.tile(pause, 40)) == [(3.0, "zeros"), (5.0, "ok")]


def test_a_value_that_never_changes_is_said() -> None:
    monitor = HealthMonitor()
    (event,) = monitor.hear(np.full(20 * RATE, 1 / 32_768, np.float32))
    assert (event.finding, event.time) == ("offset", 5.0)
    assert "over and over" in event.message


def test_an_offset_under_speech_is_said_with_its_size() -> None:
    (event,) = HealthMonitor().hear(SPEECH + np.float32(0.05))
    assert event.finding == "offset"
    assert "+0.050" in event.message


def test_clipped_speech_is_said_and_stays_said_through_its_pauses() -> None:
    loud = np.clip(SPEECH * 8, -1, 1)
    assert [finding for _, finding in found(np.tile(loud, 3))] == ["clipping"]


@pytest.mark.parametrize("hz", [50.0, 49.9, 60.0, 60.1])
def test_hum_is_said_with_its_frequency(hz: float) -> None:
    (event,) = HealthMonitor().hear(hum(20, -35, hz) + noise(20, -50))
    assert event.finding == "hum"
    assert f"{round(hz / 10) * 10} Hz" in event.message


def test_hum_that_words_drown_is_no_finding() -> None:
    assert found(SPEECH + hum(len(SPEECH) / RATE, -45)[: len(SPEECH)]) == []


def test_an_input_turned_down_to_dither_is_said_after_five_minutes() -> None:
    assert found(in_16_bits(noise(330, -95))) == [(300.0, "too_low")]


def test_each_system_is_told_where_its_switch_is() -> None:
    said = {}
    for platform in ("darwin", "win32", "linux"):
        (event,) = HealthMonitor(platform).hear(np.zeros(4 * RATE, np.float32))
        said[platform] = event.message
    assert "System Settings" in said["darwin"]
    assert "desktop apps" in said["win32"]
    assert "pactl" in said["linux"]


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_a_dead_device_at_any_rate_is_found(rate: int) -> None:
    spotter = Spotter(ScriptedModel(), sample_rate=rate, channels=2)
    spotter.health = HealthMonitor()
    events: list[Event] = []
    for _ in range(6):
        spotter.write(np.zeros((rate, 2), np.float32))
        events.extend(spotter.events())
    assert [(e.finding, e.time) for e in events if isinstance(e, Health)] == [("zeros", 3.0)]


# Rules

seconds = st.builds(
    Second,
    lowest=st.just(-0.5),
    highest=st.sampled_from([0.5, -0.5]),
    offset=st.sampled_from([0.0, 0.1]),
    level_dbfs=st.sampled_from([-30.0, -95.0]),
    clipped_share=st.sampled_from([0.0, 0.01]),
    hum_hz=st.sampled_from([0, 50]),
    hum_dbfs=st.just(-20.0),
)
ZEROS = measure(np.zeros(RATE, np.float32))
SOUND = measure(SPEECH[RATE : 2 * RATE])


@settings(max_examples=20)
@given(st.lists(st.tuples(st.one_of(seconds, st.just(ZEROS), st.just(SOUND)), st.integers(1, 90)), max_size=12))
def test_nothing_is_said_twice_in_a_row_and_a_calm_hour_always_ends_in_ok(runs: list[tuple[Second, int]]) -> None:
    monitor = HealthMonitor()
    said = ["ok"]
    position = 0
    for second, count in [*runs, (SOUND, 6_100)]:
        for _ in range(count):
            position += RATE
            for event in monitor.judge(second, position):
                assert event.time_sample == position
                assert event.message
                said.append(event.finding)
    assert all(before != after for before, after in pairwise(said))
    assert said[-1] == monitor.finding == "ok"


@settings(max_examples=40)
@given(st.lists(st.integers(0, 40_000), min_size=1, max_size=20))
def test_blocks_of_any_size_give_the_same_findings(sizes: list[int]) -> None:
    sound = np.concatenate((np.zeros(4 * RATE, np.float32), SPEECH[: 4 * RATE], np.zeros(8 * RATE, np.float32)))
    monitor = HealthMonitor()
    events: list[Health] = []
    at = 0
    for size in [*sizes, len(sound)]:
        events.extend(monitor.hear(sound[at : at + size]))
        at += size
    assert events == list(HealthMonitor().hear(sound))
    assert events


@settings(max_examples=40)
@given(st.floats(-80, 0), st.floats(-0.01, 0.01))
def test_a_level_is_measured_without_the_offset(dbfs: float, offset: float) -> None:
    tone = np.sin(2 * np.pi * 1_000 * np.arange(RATE) / RATE) * 10 ** (dbfs / 20) * np.sqrt(2)
    second = measure((tone + offset).astype(np.float32))
    assert second.level_dbfs == pytest.approx(dbfs, abs=0.1)
    assert second.offset == pytest.approx(offset, abs=1e-5)


@settings(max_examples=30)
@given(st.sampled_from([50.0, 60.0]), st.floats(-40, -3))
def test_hum_has_the_level_that_it_has(hz: float, dbfs: float) -> None:
    second = measure(hum(1, dbfs + 0.5, hz))
    assert second.hum_hz == hz
    assert second.hum_dbfs == pytest.approx(dbfs + 0.5, abs=0.5)


def test_a_level_of_nothing_is_finite() -> None:
    assert decibel(0.0) == -200.0
    assert findings_in(ZEROS) == ["zeros"]


# In the pipeline


def heard(block: int, *, health: bool, gap_at: int | None = None) -> list[Event]:
    sound = np.concatenate((recording((1.5, "yes"), seconds=3.3), np.zeros(5 * RATE, np.float32)))
    sound = np.concatenate((sound, recording((0.5, "no"), seconds=3.0)))
    spotter = Spotter(ScriptedModel())
    spotter.health = HealthMonitor() if health else None
    events: list[Event] = []
    for at in range(0, len(sound), block):
        spotter.write(sound[at : at + block])
        if gap_at is not None and at <= gap_at < at + block:
            spotter.ring.lose(8_000)
        events.extend(spotter.events())
    events.extend(spotter.finish())
    return events


@pytest.mark.parametrize("block", [320, 1_111, 16_000])
def test_detections_are_the_same_and_events_come_in_the_order_of_their_times(block: int) -> None:
    events = heard(block, health=True)
    assert [event for event in events if not isinstance(event, Health)] == heard(block, health=False)
    assert [event.finding for event in events if isinstance(event, Health)] == ["zeros", "ok"]
    assert [event.time_sample for event in events] == sorted(event.time_sample for event in events)
    assert events == heard(16_000, health=True)


def test_a_second_with_a_gap_in_it_is_not_judged() -> None:
    spotter = Spotter(ScriptedModel())
    spotter.health = HealthMonitor()
    events: list[Event] = []
    for _ in range(10):  # never a whole second between two gaps
        spotter.write(np.zeros(15_999, np.float32))
        spotter.ring.lose(1)
        events.extend(spotter.events())
    assert not [event for event in events if isinstance(event, Health)]


def test_a_listener_tells_its_callback() -> None:
    source, said = Pushed(), list[Health]()
    listener = Listener(ScriptedModel(), source=source)
    listener.on_health(said.append)
    with listener:
        source.push(np.zeros(4 * RATE, np.float32))
    assert [event.finding for event in said] == ["zeros"]


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `--input -` hears: five seconds of zeros."""
    import io
    import sys
    from types import SimpleNamespace

    stream = io.BytesIO(bytes(2 * 5 * RATE))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream, isatty=lambda: False))


@pytest.mark.usefixtures("dead")
def test_the_command_prints_an_object_and_tells_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert listen(["--input", "-", "--json"]) == 0
    captured = capsys.readouterr()
    (health,) = [json.loads(line) for line in captured.out.splitlines()]
    assert (health["type"], health["time"], health["finding"]) == ("health", 3.0, "zeros")
    assert sum(health["message"] in line for line in captured.err.splitlines()) == 1


@pytest.mark.usefixtures("dead")
def test_without_json_only_people_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert listen(["--input", "-"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "nothing but zeros" in captured.err


def test_a_finished_recording_is_not_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(5 * RATE), RATE)
    assert listen(["--input", str(tmp_path / "silence.wav"), "--json"]) == 0
    assert capsys.readouterr().out == ""
