"""The tour keeps its promises: its commands parse, its pictures and links are there, its figures are the card's."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doc_commands import FENCED, Strict, mentioned, parse, typed

__all__ = ["Strict", "commands", "missing"]  # tests of other pages take them from here

ROOT = Path(__file__).parent.parent
TOUR = ROOT / "docs" / "tutorial.md"
PICTURES = ROOT / "docs" / "pictures"
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def commands(text: str) -> list[str]:
    return [*typed(text), *mentioned(text)]


def anchors(path: Path) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", path.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def missing(path: Path) -> Iterator[str]:
    """Links of a page that lead nowhere; those into the web are only looked at."""
    for link in _LINK.findall(FENCED.sub("", path.read_text("utf-8"))):
        where, _, anchor = link.partition("#")
        if where.startswith("https://"):
            continue
        target = (path.parent / where) if where else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


def test_the_tour_has_a_command_for_each_step_of_the_tutorial() -> None:
    used = {
        words[3] for c in commands(TOUR.read_text("utf-8")) if (words := c.split())[:3] == ["python", "-m", "train"]
    }
    assert used >= {"explore", "fit", "evaluate", "predict", "compare"}
    assert any(c.startswith("spotter listen") for c in commands(TOUR.read_text("utf-8")))


@pytest.mark.parametrize("command", commands(TOUR.read_text("utf-8")))
def test_every_command_of_the_tour_is_one_that_our_parsers_take(command: str) -> None:
    args = vars(parse(command) or argparse.Namespace())
    recipe = args.get("recipe")
    assert recipe is None or (ROOT / recipe).is_file()


@pytest.mark.parametrize(
    "command",
    [
        "python -m train fit data/words --out models/mine --stepz 3",
        "python -m train fit data/words",
        "python -m train evaluate models/mine data/words --nois data/noise",
        "python -m train compere data/words --out runs/compare",
        "spotter listen --treshold 0.9",
        "python -m nothing",
    ],
)
def test_a_command_with_a_slip_would_be_noticed(command: str) -> None:
    assert commands(f"Type\n\n```\n{command}\n```\n") == [command]
    assert commands(f"Type `{command}`.") == [command]
    with pytest.raises(ValueError, match=r".+"):
        parse(command)


def test_a_command_over_two_lines_is_read_as_one() -> None:
    assert commands("```\n$ spotter listen \\\n    --hop 20  # quick\n```\n") == ["spotter listen --hop 20 # quick"]
    assert parse("spotter listen --hop 20 # quick") == parse("spotter listen --hop 20")


def test_every_picture_and_link_of_the_tour_is_there() -> None:
    assert list(missing(TOUR)) == []


def test_a_link_that_leads_nowhere_would_be_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A heading, here\n[a](#a-heading-here) [b](#nowhere) ![c](c.png) [d](page.md#x) [e](https://e.org)"
    )
    assert list(missing(page)) == ["#nowhere", "c.png", "page.md#x"]


def test_the_pictures_are_small_and_each_is_shown_with_words_for_those_who_cannot_see_it() -> None:
    pages = "".join(page.read_text("utf-8") for page in sorted(TOUR.parent.glob("*.md")))
    shown = re.findall(r"!\[([^\]]+)\]\(pictures/([^)]+)\)", pages)
    files = sorted(PICTURES.iterdir())
    assert sorted(name for _, name in shown) == [file.name for file in files]
    assert all(len(words.split()) > 3 for words, _ in shown)
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)
    assert sum(file.stat().st_size for file in files) < 700_000


def test_what_the_tour_says_of_the_shipped_model_is_what_its_card_says() -> None:
    card = (ROOT / "models" / "commands" / "CARD.md").read_text("utf-8")
    told = re.findall(r"^validation speakers, .*$|^the 8 keywords: .*$|^any keyword above .*$", card, re.MULTILINE)
    after = TOUR.read_text("utf-8").partition("python -m train evaluate models/commands ")[2]
    assert len(told) == 4
    assert all(line in after for line in told[:3])
