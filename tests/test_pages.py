"""Commands on any page of the documentation, and in the README, are ones that the product takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doc_commands import mentioned, parse, typed, unknown_options

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_PLACES = ("COMMAND", "STEP")  # where a page speaks of any command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_to_be_typed_are_taken_and_those_in_sentences_name_options_that_there_are(page: Path) -> None:
    text = page.read_text("utf-8")
    for command in typed(text):
        if not command.startswith("spotter serve --processes "):  # what the benchmark prints begins with it
            try:
                parse(command)
            except ValueError as error:
                pytest.fail(f"{command}: {error}")
    for command in mentioned(text):
        if not any(place in command.split() for place in _PLACES):
            assert unknown_options(command) == [], command


def test_a_command_with_a_slip_would_be_noticed_in_each_kind_of_place() -> None:
    assert typed("```\n$ spotter serve --urs x  # now\n```\n\nor\n\n    spotter page a.wav | less\n") == [
        "spotter serve --urs x # now",
        "spotter page a.wav | less",
    ]
    with pytest.raises(ValueError, match="--urs"):
        parse("spotter serve --urs x # now")
    with pytest.raises(ValueError, match="nobody knows"):
        parse("spotter lissen")
    assert parse("spotter page a.wav | less") is not None
    assert unknown_options("spotter listen --input --expla") == ["--expla"]
