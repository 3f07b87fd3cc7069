"""The figures of `evaluate-stream` as text: tables for a terminal that are Markdown as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def markdown(report: Mapping[str, Any]) -> str:
    """The whole report, picture included."""
    return f"# {report['model']['name']} on streams\n\n`{report['command']}`\n\n{text(report)}\n\n" + (
        "## Misses against false accepts\n\n![DET curves](det.png)\n\n" + det_table(report["det"]) + "\n"
        if report["det"]
        else ""
    )


def text(report: Mapping[str, Any]) -> str:
    """What is printed."""
    figures = report["figures"]
    parts = [f"{_settings(report['settings'])}; hop {report['hop_ms']:g} ms. Limits are 95%.", _kinds(figures)]
    parts.append("confused: where another word was said; stray: where the truth file names no word")
    if figures["total"]["said"]:
        parts += [_keywords(figures), _confusions(figures)]
    parts += [_foreign(kind, one) for kind, several in figures["foreign"].items() for one in several]
    return "\n\n".join(p for p in parts if p)


def _settings(of: Mapping[str, Any]) -> str:
    own = ", ".join(f"{word} {value:g}" for word, value in of.get("thresholds", {}).items())
    rest = ", ".join(f"{name} {value:g}" for name, value in of.items() if name != "thresholds")
    return rest + (f" ({own})" if own else "")


def _kinds(figures: Mapping[str, Any]) -> str:
    rows = [
        [
            kind,
            f"{of['hours']:.2f}",
            share(of) if of["said"] else "-",
            rate(of["false"]) if not of["said"] else "-",
            str(of["taken"]) if of["said"] else "-",
            str(of["stray"]) if of["said"] else "-",
            str(of["duplicates"]) if of["said"] else "-",
            delay(of),
        ]
        for kind, of in figures["kinds"].items()
    ]
    heads = ["streams", "h", "keywords found", "false/h", "confused", "stray", "duplicates", "delay median, 95%"]
    return table(heads, rows)


def _keywords(figures: Mapping[str, Any]) -> str:
    total = figures["total"]
    kinds = total["kinds_with_keywords"]
    rows = [
        [
            keyword,
            share(of),
            *(percent(of["by_kind"][kind]["recall"]) for kind in kinds),
            rate(of["false"]),
            str(of["taken"]),
            str(of["duplicates"]),
            delay(of),
        ]
        for keyword, of in figures["keywords"].items()
    ]
    taken = sum(of["taken"] for of in figures["keywords"].values())
    of_kinds = [percent(figures["kinds"][kind]["recall"]) for kind in kinds]
    last = [share(total), *of_kinds, rate(total["false"]), str(taken), str(total["duplicates"]), delay(total)]
    rows.append(["all", *last])
    where = f"{', '.join(total['kinds_without'])}, {total['false']['hours']:.2f} h" if total["kinds_without"] else "-"
    heads = ["keyword", "found", *kinds, "false/h", "false among words", "duplicates", "delay median, 95%"]
    return f"{table(heads, rows)}\n\nfalse/h in: {where}"


def _confusions(figures: Mapping[str, Any]) -> str:
    rows = [
        [keyword, ", ".join(f"{word or '(nothing named)'} {count}" for word, count in said.items())]
        for keyword, said in figures["confusions"].items()
    ]
    return table(["reported", "when this was said"], rows) if rows else "no keyword was reported for another word"


def _foreign(kind: str, of: Mapping[str, Any]) -> str:
    if kind == "mlperf":
        verdict = "within" if of["within_limits"] else "not within"
        return (
            f"MLPerf Tiny's rule: {of['true_positives']} true positives, {of['false_negatives']} false negatives, "
            f"{of['false_positives']} false positives; {verdict} the 8 and 8 that it allows (for its own one word)"
        )
    lines = []
    for name, what in (("all_words", "all words, as it counts"), ("keywords_only", "keywords alone")):
        one = of[name]
        lines.append(
            f"TensorFlow's streaming test, {what}: of {one['said']} words {one['matched_percent']}% matched, "
            f"{one['correct_percent']}% correctly, {one['wrong_percent']}% wrongly, "
            f"{one['false_percent']}% false positives"
        )
    return "\n\n".join(lines)


def det_table(det: Mapping[str, Any]) -> str:
    """One line per threshold."""
    names = list(det["points"][0]["missed"])
    rows = [
        [f"{p['threshold']:g}", *(percent(1 - p["missed"][n]) for n in names), f"{p['false_per_hour']:.1f}"]
        for p in det["points"]
    ]
    return table(["threshold for all", *(f"found {n}" for n in names), "false/h"], rows)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown whose columns stand under each other."""
    widths = [max(len(r[i]) for r in (heads, *rows)) for i in range(len(heads))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) + " |" for r in (heads, *rows)]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]])


def percent(value: float | None) -> str:
    """A share with one digit; a dash where there is none."""
    return "-" if value is None else f"{value:.1%}"


def share(of: Mapping[str, Any]) -> str:
    """Recall, counts and limits."""
    low, high = of["recall_limits"]
    return f"{percent(of['recall'])} ({low:.0%}-{high:.0%}) of {of['said']}"


def rate(of: Mapping[str, Any]) -> str:
    """Events per hour with limits; of none the upper one."""
    if of["limits"] is None:
        return "-"
    low, high = of["limits"]
    return f"{of['per_hour']:.2f} ({low:.2f}-{high:.2f})" if of["count"] else f"0 (< {high:.2f})"


def delay(of: Mapping[str, Any]) -> str:
    """Median and 95th percentile."""
    late = of["latency_s"]
    return f"{late['median']:.2f}, {late['p95']:.2f} s" if late else "-"
