"""`python -m benchmarks.page_picture docs/pictures/page.png`: the live page as a picture, settings being tried on it.

Needs Chromium and Playwright; shows the recording that comes with the package.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from spotter.cli.listen import DEMO

_MOVED = {'input[data-keyword="left"]': "0.985", 'input[data-keyword="stop"]': "0.8", "#smooth": "80"}


def draw(path: Path, *, dark: bool, width: int = 1240, height: int = 800) -> None:
    """Open the page, move some sliders, and keep what is seen."""
    command = [sys.executable, "-m", "spotter.page", str(DEMO), "--address", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process, sync_playwright() as playwright:
        if process.stderr is None:
            return
        url = process.stderr.readline().split()[1]
        process.stderr.readline()  # all is heard
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), chromium_sandbox=False)
        try:
            scheme = "dark" if dark else "light"
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
            page.goto(url)
            page.locator("#events li").nth(9).wait_for()
            for slider, value in _MOVED.items():
                page.locator(slider).fill(value)
            page.locator("#events li[data-kind=gone]").first.wait_for()
            page.locator(":focus").blur()
            page.wait_for_timeout(500)
            page.screenshot(path=path)
        finally:
            browser.close()
            process.terminate()


def main() -> None:
    """Draw it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page_picture", description=__doc__)
    parser.add_argument("out", type=Path, metavar="FILE.png")
    parser.add_argument("--dark", action="store_true")
    options = parser.parse_args()
    draw(options.out, dark=options.dark)


if __name__ == "__main__":
    main()
