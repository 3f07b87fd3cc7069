"""What a comparison of networks found, as one table for the model card."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spotter.settings import UNKNOWN
from train.costs import WINDOWS_PER_SECOND, Costs
from train.metrics import share_limits
from train.networks import NETWORKS

_COLUMNS = (
    "network",
    "parameters",
    "multiply-adds a window",
    "µs a window",
    "times the floor",
    "multiply-adds a second",
    "µs a second",
    "training",
    "all labels",
    "keywords",
    "others taken",
)


def results(out: Path) -> list[dict[str, Any]]:
    """Read what all finished pairs in a folder found, in the order of networks and seeds."""
    found = [json.loads(p.read_text("utf-8")) for p in out.glob("*/seed*/result.json")]
    order = list(NETWORKS)
    return sorted(found, key=lambda r: (order.index(r["network"]), r["seed"]))


def spread(shares: Sequence[tuple[int, int]]) -> str:
    """Mean of shares (counted, of), and from which to which: "97.1% (96.9 to 97.3)"; a dash for none."""
    values = [100.0 * counted / of for counted, of in shares if of]
    if not values:
        return "-"
    return f"{np.mean(values):.1f}%" + (f" ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else "")


def table(found: Sequence[Mapping[str, Any]], costs: Mapping[str, Costs], peak: float) -> str:
    """Markdown: a row for each network, and what the columns mean.

    peak : multiply-adds per second of the best matrix product of the machine that timed
    """
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|---" * len(_COLUMNS) + "|"]
    for name in dict.fromkeys(r["network"] for r in found):
        pairs = [r for r in found if r["network"] == name]
        lines.append("| " + " | ".join(_cells(name, pairs, costs[name], peak)) + " |")
    return "\n".join([*lines, "", *_notes(found, costs, peak)]) + "\n"


def _cells(name: str, pairs: Sequence[Mapping[str, Any]], cost: Costs, peak: float) -> list[str]:
    minutes = float(np.mean([r["minutes"] for r in pairs]))
    steps = f", {pairs[0]['steps']} steps" if "steps" in pairs[0] else ""
    seeds = "1 seed" if len(pairs) == 1 else f"{len(pairs)} seeds"
    star = "" if cost.streams else "*"
    return [
        name,
        f"{pairs[0]['parameters'] / 1e3:.1f} k",
        f"{cost.window_multiply_adds / 1e6:.2f} M",
        f"{cost.window_us:.0f}",
        f"{cost.times_floor(peak):.1f}",
        f"{cost.second_multiply_adds / 1e6:.1f} M{star}",
        f"{cost.second_us:.0f}{star}",
        f"{minutes:.1f} min{steps}, {seeds}",
        spread([_right(r["clips"], "all") for r in pairs if "as_a_listener" not in r["clips"]]),
        spread([_right(r["clips"], "keywords") for r in pairs]),
        spread([_taken(r["clips"]) for r in pairs]),
    ]


def _notes(found: Sequence[Mapping[str, Any]], costs: Mapping[str, Costs], peak: float) -> list[str]:
    of = {key: max(_right(r["clips"], key)[1] for r in found) for key in ("all", "keywords")}
    low, high = share_limits(round(0.97 * of["all"]), of["all"])
    validation = (
        f"Validation speakers, {of['all']} clips with all labels, {of['keywords']} of keywords; mean over the seeds, "
        f"from and to. By chance of the clips alone 97.0% may be {low:.1%} to {high:.1%}. "
        "Others taken: other words that were called a keyword."
    )
    measured = (
        "Multiply-adds are counted from the exported file (convolutions and dense layers); times are LiteRT's on one "
        f"thread; the floor is a matrix product of {peak / 1e9:.1f} thousand million multiply-adds a second."
    )
    lines = [validation, "", measured]
    if not all(c.streams for c in costs.values()):
        lines.append(f"\n\\* No stream form: {WINDOWS_PER_SECOND} whole windows a second.")
    heard = [r["clips"]["as_a_listener"] for r in found if "as_a_listener" in r["clips"]]
    if heard:
        lines.append(
            "\nThe tutorial's CNN has no label but the keywords, so whatever it hears it calls one of them. It is "
            "given each clip as its window, as it was trained; of keywords heard as a listener hears them, in silence, "
            f"it gets {spread([_right(r, 'keywords') for r in heard])} right."
        )
    return lines


def _right(clips: Mapping[str, Any], key: str) -> tuple[int, int]:
    return int(clips[key]["right"]), int(clips[key]["of"])


def _taken(clips: Mapping[str, Any]) -> tuple[int, int]:
    other = clips["taken"].get(UNKNOWN, {"best_is_a_keyword": 0, "clips": 0})
    return int(other["best_is_a_keyword"]), int(other["clips"])
