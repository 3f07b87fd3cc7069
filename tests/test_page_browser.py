"""The live page in a real browser: what is said shows, sliders count anew, nothing goes wrong, nothing grows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from spotter.cli.listen import DEMO
from spotter.clip_files import plain
from spotter.events import Gap
from spotter.model import Model
from spotter.page.server import Server
from spotter.sources.files import AudioFile
from spotter.user_settings import settings_file
from tests.chromium import chromium, opened, wait_for
from tests.fakes import TALK, Pushed, ScriptedModel
from tests.page_parts import hear_all, listener_of, say, served
from train.recording.reviewing import clips

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The recording that ships with the package, heard by the shipped model."""
    listener = listener_of(AudioFile(DEMO), Model.open("commands"))
    with served(listener, tmp_path_factory.mktemp("marked") / "clips") as server:
        hear_all(listener, server)
        yield server


def words(page: Page, kind: str = "") -> list[str]:
    """What the list of events shows, oldest first."""
    of_kind = f'[data-kind="{kind}"]' if kind else ""
    shown: list[str] = page.locator(f"#events li{of_kind} .word").all_inner_texts()
    return shown[::-1]


def inked(page: Page, canvas: str) -> float:
    """Which share of a canvas is drawn on."""
    share: float = page.evaluate(
        """(id) => {
            const canvas = document.querySelector(id);
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let drawn = 0;
            for (let n = 0; n < data.length; n += 4) {
                drawn += data[n] !== data[0] || data[n + 1] !== data[1] || data[n + 2] !== data[2];
            }
            return (4 * drawn) / data.length;
        }""",
        canvas,
    )
    return share


def slide(page: Page, keyword: str, value: float) -> None:
    page.locator(f'input[data-keyword="{keyword}"]').fill(str(value))


def test_what_was_said_is_shown_with_the_rule_that_fired_it(browser: Browser, demo: Server) -> None:
    with opened(browser, demo.url) as page:
        wait_for(page, "document.querySelectorAll('#events li').length >= 10")
        assert words(page, "fired") == ["yes", "no", "up", "down", "left", "right", "go", "stop", "no", "yes"]
        why = page.locator("#events li .why").last.inner_text()
        assert re.search(r"smoothed [01]\.\d+, threshold .*ahead of _unknown_, margin 0\.1", why)
        assert page.locator("#what").inner_text().startswith("commands hears demo.flac (16000 Hz, 1 ch)")
        assert page.locator(".lane").count() == 8
        wait_for(page, "document.querySelector('#counts').textContent.startsWith('10 heard')")
        for canvas in ("#wave", "#spectrogram", "#axis"):
            assert inked(page, canvas) > 0.01, canvas
        assert inked(page, ".lane canvas") > 0.005


def test_the_token_leaves_the_address_and_the_history_and_lasts_for_the_tab(browser: Browser, demo: Server) -> None:
    with opened(browser, demo.url) as page:
        wait_for(page, "document.querySelector('#events li')")
        assert page.url == f"http://127.0.0.1:{demo.port}/"
        assert demo.token not in page.evaluate("history.state + location.href + document.cookie")
        page.reload()
        wait_for(page, "document.querySelector('#events li')")


def test_without_the_token_the_page_says_what_is_missing(browser: Browser, demo: Server) -> None:
    with opened(browser, f"http://127.0.0.1:{demo.port}/") as page:
        wait_for(page, "!document.querySelector('#banner').hidden")
        assert "address that spotter printed" in page.locator("#banner").inner_text()
        assert words(page) == []


def test_a_slider_changes_what_is_counted_at_once_and_back(browser: Browser, demo: Server) -> None:
    with opened(browser, demo.url) as page:
        wait_for(page, "document.querySelector('#verdict').dataset.used === '10'")
        slide(page, "left", 0.99)
        wait_for(page, "document.querySelector('#verdict').dataset.tried === '9'")
        assert words(page, "gone") == ["left"]
        assert page.locator("#verdict").inner_text() == "9 events instead of 10"
        assert page.locator(".lane", has_text="left").locator(".count").inner_text() == "1 → 0"
        slide(page, "left", 0.5)
        page.locator("#margin").fill("0.9")
        page.locator("#smooth").fill("500")
        wait_for(page, "document.querySelector('#verdict').dataset.tried === '1'")
        page.locator("#back").click()
        wait_for(page, "document.querySelector('#verdict').dataset.tried === '10'")
        assert page.locator("#save").is_disabled()


def test_settings_are_saved_in_the_users_own_file(browser: Browser, demo: Server) -> None:
    with opened(browser, demo.url) as page:
        wait_for(page, "document.querySelector('#verdict').dataset.used === '10'")
        slide(page, "go", 0.5)
        page.locator("#margin").fill("0.2")
        page.locator("#save").click()
        wait_for(page, "!document.querySelector('#banner').hidden")
        assert str(settings_file()) in page.locator("#banner").inner_text()
    values = json.loads(settings_file().read_text("utf-8"))
    settings_file().unlink()
    assert values["models"]["commands"] == {"thresholds": {"go": 0.5}, "margin": 0.2}


def test_an_event_is_played_and_marked_by_mouse_and_by_keyboard(browser: Browser, demo: Server) -> None:
    with opened(browser, demo.url) as page:
        wait_for(page, "document.querySelectorAll('#events li').length >= 10")
        first = page.locator("#events li").last
        first.click()
        wait_for(page, "document.querySelector('#events li:last-child .play').getAttribute('aria-pressed') === 'true'")
        first.click()  # stops it
        wait_for(page, "document.querySelector('#events li:last-child .play').getAttribute('aria-pressed') === 'false'")
        first.get_by_role("button", name="Right: yes was said").click()
        wait_for(page, "document.querySelector('#events li:last-child .marks button').ariaPressed === 'true'")
        page.keyboard.press("k")
        page.keyboard.press("n")
        wait_for(page, "document.querySelectorAll('#events .marks [aria-pressed=true]').length === 2")
        page.keyboard.press("Enter")  # on the button of the event
        wait_for(page, "document.querySelector('#events .play[aria-pressed=true]')")
    found = {one.keyword: one.mark for one in clips(demo.shown.marks.folder)}
    assert found == {"yes": "right", "no": "wrong"}


def test_an_event_whose_audio_is_gone_says_so_and_is_not_shown_as_playing(
    browser: Browser, demo: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo.shown.kept, "audio", lambda *_: np.zeros(0, np.int16))
    with opened(browser, demo.url) as page:
        wait_for(page, "document.querySelectorAll('#events li').length >= 10")
        page.locator("#events li").last.click()
        wait_for(page, "document.querySelector('#banner-text').textContent.includes('not kept any more')")
        assert page.locator("#events .play[aria-pressed=true]").count() == 0


def test_everything_is_reached_by_the_keyboard_and_has_a_name(browser: Browser, demo: Server) -> None:
    with opened(browser, demo.url) as page:
        wait_for(page, "document.querySelectorAll('#events li').length >= 10")
        nameless = page.evaluate(
            """[...document.querySelectorAll("button, input, canvas, meter")].filter((one) =>
                !one.textContent.trim() && !one.getAttribute("aria-label") && !one.closest("label")).length"""
        )
        assert nameless == 0
        reached = set()
        for _ in range(24):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.dataset.keyword ?? document.activeElement.id"))
        assert reached >= {"smooth", "margin", "down", "yes", "held"}
        page.keyboard.press("Shift+Tab")
        page.locator('input[data-keyword="yes"]').focus()
        before = page.locator('input[data-keyword="yes"]').input_value()
        page.keyboard.press("ArrowLeft")
        assert page.locator('input[data-keyword="yes"]').input_value() < before
        page.locator("h1").click()
        page.keyboard.press("+")
        page.keyboard.press("ArrowRight")


@pytest.mark.parametrize("dark", [False, True])
def test_it_follows_light_and_dark(browser: Browser, demo: Server, *, dark: bool) -> None:
    with opened(browser, demo.url, dark=dark) as page:
        wait_for(page, "document.querySelector('#events li')")
        for what in ("getComputedStyle(document.body).backgroundColor", pixel("#wave"), pixel(".lane canvas")):
            red, green, blue = map(int, re.findall(r"\d+", str(page.evaluate(what)))[:3])
            assert (red + green + blue < 200) is dark
        page.emulate_media(color_scheme="light" if dark else "dark")
        wait_for(page, f"({pixel('#wave')})[0] {'>' if dark else '<'} 128")


def pixel(canvas: str) -> str:
    return f"[...document.querySelector('{canvas}').getContext('2d').getImageData(1, 1, 1, 1).data]"


def test_names_are_text_and_nothing_else(browser: Browser, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    model = ScriptedModel()
    model.name, model.keywords, model.labels = evil, (evil, "no"), (evil, "no", "_unknown_", "_silence_")
    listener = listener_of(TALK, model)
    with served(listener, tmp_path) as server:
        hear_all(listener, server)
        server.shown.kept.hear(Gap(time_sample=64_000, samples=10, reason=evil))
        with opened(browser, server.url) as page:
            page.on("dialog", lambda _: pytest.fail("a name was run"))
            wait_for(page, "document.querySelectorAll('#events li').length >= 3")
            assert words(page, "fired") == [evil, "no"]
            assert page.locator("main img").count() == 0
            page.locator("#events li[data-kind=fired] .marks button").last.click()
            wait_for(page, "document.querySelector('#events [aria-pressed=true]')")
    assert [one.path.name.startswith(f"{plain(evil)}_") for one in clips(tmp_path)] == [True]


def test_what_is_said_now_appears_as_it_is_said_also_to_a_second_viewer(browser: Browser, tmp_path: Path) -> None:
    source = Pushed()
    listener = listener_of(source)
    with served(listener, tmp_path) as server:
        listener.on_any(server.shown.kept.hear)
        listener.start()
        with opened(browser, server.url) as page, opened(browser, server.url) as other:
            for one in (page, other):
                wait_for(one, "document.querySelector('#state').dataset.state === 'listening'")
            say(source, server.shown.kept, TALK)
            for one in (page, other):
                wait_for(one, "document.querySelectorAll('#events [data-kind=fired]').length === 2")
                assert words(one, "fired") == ["yes", "no"]
                wait_for(one, "document.querySelector('#said').textContent.startsWith('no, 0.9')")
            assert float(page.locator("#level").get_attribute("value") or 0) != -80.0
            assert page.locator("#follow").get_attribute("aria-pressed") == "true"
            page.locator("h1").click()
            page.keyboard.press("Space")
            assert page.locator("#follow").get_attribute("aria-pressed") == "false"


def test_a_page_whose_listener_has_gone_says_so_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    listener = listener_of()
    with served(listener, tmp_path) as server:
        hear_all(listener, server)
        with opened(browser, server.url, quiet=False) as page:
            wait_for(page, "document.querySelector('#events li')")
            server.stop()
            wait_for(page, "document.querySelector('#state').dataset.state === 'gone'")
            again = Server(server.shown, "127.0.0.1", server.port)
            again.token = server.token
            again.start()
            try:
                wait_for(page, "document.querySelector('#state').dataset.state !== 'gone'")
                wait_for(page, "document.querySelectorAll('#events li').length >= 2")
            finally:
                again.stop()
