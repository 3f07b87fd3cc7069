"""A real browser, without a window: Debian's Chromium, driven by Playwright; what it logs is kept."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LIMIT_MS = 60_000  # only guards against hanging


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start it; where it is missing the test is skipped, and fails where it must not be."""
    lacks = "no chromium" if PROGRAM is None else "" if find_spec("playwright") else "no playwright"
    if lacks and os.environ.get("SPOTTER_VIRTUAL_MIC") == "require":
        pytest.fail(f"{lacks}, and SPOTTER_VIRTUAL_MIC=require says that all must run")
    if lacks:
        pytest.skip(f"{lacks} here")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=PROGRAM, chromium_sandbox=False, args=["--js-flags=--expose-gc"]
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, url: str, *, dark: bool = False, quiet: bool = True) -> Iterator[Page]:
    """Open a page in a fresh profile; whatever it logs as a warning or an error fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, color_scheme="dark" if dark else "light")
    context.set_default_timeout(LIMIT_MS)
    logged: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: logged.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: logged.append(f"error: {error}"))
    page.on("requestfailed", lambda request: logged.append(f"failed: {request.url}"))
    try:
        page.goto(url)
        yield page
        if quiet:
            assert [line for line in logged if "willReadFrequently" not in line] == []  # the tests look at canvases
    finally:
        context.close()


def wait_for(page: Page, condition: str) -> None:
    """Ask again and again; Playwright's own waiting has the page evaluate a text, which its policy forbids."""
    ends = time.monotonic() + LIMIT_MS / 1_000
    while not page.evaluate(condition):
        assert time.monotonic() < ends, f"did not come about: {condition}"
        page.wait_for_timeout(20)
