"""The soak test counts exactly and notices what grows; a whole day is `python -m benchmarks.soak`."""

from __future__ import annotations

from typing import Any

import pytest

import benchmarks.soak
from benchmarks.soak import Day, main, soak, windows_in
from spotter.model import Model


def test_minutes_of_a_day_lose_no_window_and_no_detection() -> None:
    said: list[str] = []
    code = soak(240, say=said.append)
    text = "\n".join(said)
    expected = windows_in(240 * 16_000, Model.open(), 1_600)
    assert f"windows: {expected}, expected {expected}" in text
    assert "of 40 words" in text
    assert [line.split(",")[0].strip() for line in said[:4]] == ["start", "a quarter", "middle", "end"]
    heard = int(text.split("detections: ")[1].split()[0])
    assert 20 <= heard <= 60  # some are said in noise
    assert "missing" not in said[-1]
    assert code == (1 if "grows" in said[-1] else 0)  # minutes are too few to judge memory by


def test_the_same_seed_is_the_same_day() -> None:
    def day(seed: int) -> bytes:
        return b"".join(block.tobytes() for block in Day(61, seed, lambda _: None).blocks())

    assert day(1) == day(1)
    assert day(1) != day(2)


@pytest.mark.parametrize(("grows_mb", "code"), [(0.0, 0), (0.4, 0), (1.6, 1)])
def test_memory_that_grows_is_a_failure(grows_mb: float, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = iter([(80.0, 40.0), (80.0, 40.0), (80.0, 40.0), (80.0, 40.0 + grows_mb)])
    monkeypatch.setattr(benchmarks.soak, "memory_mb", lambda _pid: next(marks))
    said: list[str] = []
    assert soak(12, say=said.append) == code
    assert ("memory grows" in said[-1]) is bool(code)


def test_a_window_that_is_missing_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmarks.soak, "windows_in", lambda *_: 1)
    monkeypatch.setattr(benchmarks.soak, "memory_mb", lambda _pid: (1.0, 1.0))
    said: list[str] = []
    assert soak(12, say=said.append) == 1
    assert said[-1] == "failed: windows are missing"


def test_a_stretch_that_is_too_short_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    ended: Any
    with pytest.raises(SystemExit) as ended:
        main(["--hours", "0.001"])
    assert ended.value.code == 2
    assert "too short" in capsys.readouterr().err
