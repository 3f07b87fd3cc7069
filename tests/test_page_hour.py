"""The live page after an hour, fast-forwarded: it takes no more room in the browser than after some minutes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from spotter.events import Detection
from spotter.page.server import Server
from spotter.windows import Window
from tests.chromium import chromium, opened, wait_for
from tests.fakes import Pushed
from tests.page_parts import listener_of, served

if TYPE_CHECKING:
    from playwright.sync_api import Page

FRAMES = np.zeros((1, 1), np.float32)


def test_an_hour_takes_no_more_room_than_five_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotter.page.viewer._FAR_BEHIND_S", 1e9)  # it is to have all of it
    listener = listener_of(Pushed())
    with chromium() as browser, served(listener, tmp_path) as server, opened(browser, server.url) as page:
        wait_for(page, "document.querySelectorAll('.lane').length === 2")
        fast_forward(server, page, 0, 450)
        early = measure(page)
        fast_forward(server, page, 450, 3_600)
        late = measure(page)
        fresh = page.evaluate("document.querySelector('#events li .time').textContent")
    sys.stdout.write(f"after seven minutes and a half {early}, after an hour {late}\n")  # shown by -rP
    assert late["heap"] < early["heap"] * 1.25 + 2e6
    assert late["nodes"] < early["nodes"] * 1.1 + 100
    assert late["listed"] == early["listed"]
    assert fresh.startswith("59:5")


def measure(page: Page) -> dict[str, Any]:
    """Bytes of the heap after collecting garbage, nodes, and events in the list."""
    client = page.context.new_cdp_session(page)
    for _ in range(3):  # what elements refer to goes in one more turn
        client.send("HeapProfiler.collectGarbage")
    client.send("Performance.enable")
    metrics = {one["name"]: one["value"] for one in client.send("Performance.getMetrics")["metrics"]}
    client.detach()
    listed = page.locator("#events li").count()
    return {"heap": metrics["JSHeapUsedSize"], "nodes": metrics["Nodes"], "listed": listed}


def fast_forward(server: Server, page: Page, begin_s: int, end_s: int) -> None:
    """Let so much of a stream come, in which a word is said every three seconds, as fast as it is shown."""
    kept, rng = server.shown.kept, np.random.default_rng(begin_s)
    noise = rng.standard_normal(16_000).astype(np.float32) * 0.05
    quiet = np.array([0.01, 0.01, 0.02, 0.96], np.float32)
    said = np.array([0.97, 0.01, 0.01, 0.01], np.float32)
    for second in range(begin_s, end_s):
        kept.sound(16_000 * second, noise)
        for hop in range(10):
            end = 16_000 * second + 1_600 * (hop + 1)
            kept.judged(Window(end, FRAMES, 1, -26.0, -20.0, -60.0), said if second % 3 == 1 and hop < 3 else quiet)
        if second % 3 == 1:
            time = 16_000 * second + 1_600
            kept.hear(Detection(keyword="yes", score=0.9, time_sample=time, start_sample=time - 8_000, end_sample=time))
        if (second + 1) % 150 == 0:
            (hours, minutes), seconds = divmod((second - 1) // 60, 60), (second - 1) % 60  # of the last word
            last = f"{hours}:{minutes:02}:{seconds:02}." if hours else f"{minutes}:{seconds:02}."
            wait_for(page, f"document.querySelector('#events li .time')?.textContent.startsWith('{last}')")
