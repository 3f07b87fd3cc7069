"""Lets the reference say of a field what the comment beside it, or above it, says; most fields have no docstring."""

from __future__ import annotations

import re
from typing import Any, Final

import griffe

_BESIDE: Final = re.compile(r"^[^#]*\S\s+# (?!noqa|type:)(?P<said>.+?)\.?$")
_ABOVE: Final = re.compile(r"^\s*# (?P<said>.+)$")


class Comments(griffe.Extension):
    """Takes comments for the docstrings of fields that have none."""

    def on_attribute(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Look at the lines of a field."""
        if attr.docstring is not None or not attr.lineno or not attr.endlineno or isinstance(attr.filepath, list):
            return
        said = _comment(attr.lines_collection[attr.filepath], attr.lineno - 1, attr.endlineno - 1)
        if said:
            attr.docstring = griffe.Docstring(said[0].upper() + said[1:] + ".", parent=attr)


def _comment(lines: list[str], first: int, last: int) -> str:
    if beside := _BESIDE.match(lines[last]):
        return beside["said"]
    above = first
    while above and _ABOVE.match(lines[above - 1]):
        above -= 1
    return " ".join(line.strip().removeprefix("# ") for line in lines[above:first])
