"""Prints what `spotter-kws` without extras brings: its distributions, and their bytes without bytecode, as JSON."""

from __future__ import annotations

import json
import re
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement  # a clean environment has no other


def needed(name: str, found: dict[str, int]) -> dict[str, int]:
    """Add a distribution and all that it needs to `found`, with their bytes; those of extras are left out."""
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in found:
        return found
    try:
        files = distribution(name).files or []
    except PackageNotFoundError:  # for another platform or version
        return found
    paths = {Path(str(file.locate())) for file in files if file.suffix != ".pyc"}
    found[key] = sum(path.stat().st_size for path in paths if path.is_file())
    for line in requires(name) or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            needed(requirement.name, found)
    return found


if __name__ == "__main__":
    parts = needed("spotter-kws", {})
    print(json.dumps({"distributions": parts, "bytes": sum(parts.values())}))
