"""The documentation builds as a site that stands alone; a link that leads nowhere ends its build."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import spotter
from tests.chromium import chromium, opened

ROOT = Path(__file__).parents[1]
LIMIT_S = 300
FETCHING = {"audio", "embed", "iframe", "img", "link", "object", "script", "source", "video"}


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """As CI does it; never with -q, which lets a broken link pass."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command,
        cwd=root,
        env=env,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
    )


@pytest.fixture(scope="module", autouse=True)
def _tools() -> None:
    lacks = [name for name in ("mkdocs", "material", "mkdocstrings_handlers") if find_spec(name) is None]
    if lacks and os.environ.get("SPOTTER_VIRTUAL_MIC") == "require":
        pytest.fail(f"no {lacks[0]}, and SPOTTER_VIRTUAL_MIC=require says that all must run")
    if lacks:
        pytest.skip(f"no {lacks[0]} here; the extra docs brings it")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stdout
    assert [line for line in done.stdout.splitlines() if line.startswith("WARNING")] == []
    return folder


def test_ci_and_make_build_it_in_the_same_way() -> None:
    for name in (".ci/run", "Makefile"):
        lines = [line for line in (ROOT / name).read_text("utf-8").splitlines() if "mkdocs build" in line]
        assert [line.partition(" #")[0].split()[1:] for line in lines] == [["-m", "mkdocs", "build", "--strict"]], name


@dataclass
class Html(HTMLParser):
    """What a page fetches, where it leads, and which places in it have a name."""

    fetched: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.names |= {values[name] for name in ("id", "name") if name in values}
        address = values.get("href", values.get("src"))
        if address is None:
            return
        (self.fetched if tag in FETCHING else self.links).append(address)
        if tag == "img":
            assert values.get("alt"), f"{address} is shown without words for those who cannot see it"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Html]:
    read = {}
    for path in sorted(site.rglob("*.html")):
        read[path] = Html()
        read[path].feed(path.read_text("utf-8"))
    return read


def test_no_page_fetches_anything_from_elsewhere(site: Path, pages: dict[Path, Html]) -> None:
    assert len(pages) > 30
    for path, page in pages.items():
        assert [address for address in page.fetched if urlsplit(address).scheme or urlsplit(address).netloc] == [], path
    for style in site.rglob("*.css"):
        found = re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')]+)", style.read_text("utf-8"))
        assert [address for address in found if not address.startswith(("data:", "#"))] == [], style


def test_every_link_within_the_site_leads_to_a_page_and_a_place_that_are_there(
    site: Path, pages: dict[Path, Html]
) -> None:
    for path, address in _inner(pages):
        if path.name == "404.html":
            continue  # it is shown anywhere, so its links begin at the root
        parts = urlsplit(address)
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        target = target / "index.html" if target.is_dir() else target
        assert target.is_file(), f"{path.relative_to(site)}: {address}"
        if parts.fragment and target in pages:
            assert unquote(parts.fragment) in pages[target].names, f"{path.relative_to(site)}: {address}"


def _inner(pages: dict[Path, Html]) -> Iterator[tuple[Path, str]]:
    for path, page in pages.items():
        for address in [*page.links, *page.fetched]:
            parts = urlsplit(address)
            if not parts.scheme and not parts.netloc:
                yield path, address


def test_every_page_is_in_the_navigation_once(pages: dict[Path, Html], site: Path) -> None:
    text = (site / "404.html").read_text("utf-8")  # of no place in it
    shown = re.findall(r'<a href="/([^"#]+)" class="md-nav__link', text)
    written = {str(path.relative_to(site)) for path in pages} - {"404.html"}
    assert sorted(shown) == sorted(name for name in written if not name.startswith("repository/"))


def test_every_public_name_and_every_command_is_in_the_reference(site: Path, pages: dict[Path, Html]) -> None:
    names = set().union(*(page.names for path, page in pages.items() if path.parent.name == "reference"))
    assert {f"spotter.{name}" for name in spotter.__all__ if name != "__version__"} <= names
    text = (site / "reference" / "commands.html").read_text("utf-8")
    for command in ("listen", "page", "serve", "scan", "doctor"):
        assert f"usage: spotter {command} [-h]" in text
    events = (site / "reference" / "events.html").read_text("utf-8")
    assert "Estimate of the word's first sample." in events  # said by a comment beside the field


def test_the_search_works_in_a_browser_without_server_and_network(site: Path) -> None:
    with chromium() as browser, opened(browser, (site / "index.html").as_uri()) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.locator("[data-md-component=search-query]").fill("refractory")
        first = page.locator("[data-md-component=search-result] a.md-search-result__link").first
        first.wait_for(state="attached")
        assert "html" in (first.get_attribute("href") or "")
        assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_a_link_an_anchor_a_name_and_a_page_that_lead_nowhere_each_end_the_build(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    for name in ("README.md", "examples", "models", "spotter", "tests", "train", "LICENSE"):
        (tmp_path / name).symlink_to(ROOT / name)
    with (tmp_path / "docs" / "tune.md").open("a", encoding="utf-8") as page:
        page.write(
            "\n[a](nowhere.md) [b](listen.md#nowhere) [c](../README.md#nowhere) [d](../nowhere.py) [e][spotter.no]\n"
        )
    (tmp_path / "docs" / "left_out.md").write_text("# No page leads here\n", encoding="utf-8")
    done = build(tmp_path, tmp_path / "site")
    warnings = [line for line in done.stdout.splitlines() if line.startswith("WARNING")]
    assert done.returncode == 1
    for told in (
        "'nowhere.md'",
        "listen.md#nowhere",
        "README.md#nowhere",
        "'../nowhere.py'",
        "spotter.no",
        "not included",
    ):
        assert any(told in line for line in warnings), (told, done.stdout)
    assert len(warnings) == 6, done.stdout
