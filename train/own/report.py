"""What is known of a fitted head, for people: as lines of a terminal and as a card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_FEW_SESSIONS = 3


def lines(words: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Sentences on each word: what was given, what is to be expected, and what more recordings would bring."""
    out = []
    for word, report in words.items():
        sessions = report["sessions"]
        out.append(f"{word}: {report['recordings']} recordings in {_count(sessions, 'session')}")
        for name, where in (("quiet", "in quiet"), ("noise_10_db", "in noise at 10 dB")):
            out.append(f"  found {where}: {_share(report['recall'][name])}, about {_missed(report, name)} missed")
        out.append(f"  {_false(report)}")
        if report.get("said_in_background"):
            segments = _count(report["said_in_background"], "recording")
            out.append(f"  left out: {segments} of the background in which it is said")
        if report.get("suspected_in_background"):
            places = _count(report["suspected_in_background"], "place")
            out.append(f"  not counted: {places} in the background where somebody may have said it")
        if report["missed_with_more_recordings"]:
            for name, where in (("quiet", "in quiet"), ("noise_10_db", "in noise")):
                more = report["missed_with_more_recordings"][name]
                told = ", ".join(f"with {count} recordings about {share:.1%}" for count, share in more.items())
                out.append(f"  missed {where}: {told}")
        if sessions == 1:
            out.append(
                "  all of one session: how it hears another day, room or person is not known; record some elsewhere"
            )
        elif sessions < _FEW_SESSIONS:
            out.append(f"  {sessions} sessions are too few to judge one by the others; recordings were left out singly")
    return out


def card(
    name: str,
    words: Mapping[str, Mapping[str, Any]],
    *,
    backbone: str,
    bank_hours: float,
    synthetic: Sequence[str] = (),
) -> str:
    """A model card in Markdown."""
    table = [
        "| word | recordings | sessions | found in quiet | found at 10 dB | false accepts an hour |",
        "|---|---|---|---|---|---|",
    ]
    for word, report in words.items():
        quiet, noisy = (_share(report["recall"][n]) for n in ("quiet", "noise_10_db"))
        table.append(
            f"| {word} | {report['recordings']} | {report['sessions']} | {quiet} | {noisy} | {_rate(report)} |"
        )
    names = ", ".join(synthetic)
    human = [
        f"No human voice has been tested for {names}: the recordings are synthetic. Record yourself, and fit again."
    ]
    return "\n".join(
        [
            f"# {name}",
            "",
            f"A head for own words on the backbone {backbone}, fitted by `python -m train fit`.",
            "",
            *table,
            "",
            "Recall is of recordings that were left out of the fit in turn (by session where there are three or",
            f"more). False accepts are expected ones in {bank_hours:.1f} h of speech, noise and music that were left",
            "out in turn, with the 95% limits of what was counted; the threshold was set on the same hours.",
            *(["", *human] if synthetic else []),
            "",
        ]
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _share(found: Mapping[str, Any]) -> str:
    return f"{found['found']} of {found['of']} ({found['low']:.0%}-{found['high']:.0%})"


def _missed(report: Mapping[str, Any], name: str) -> str:
    return f"{report['expected_missed'][name]:.1%}"


def _false(report: Mapping[str, Any]) -> str:
    promise = report["false_accepts"]
    return f"false accepts: {_rate(report)} an hour expected, counted {promise['counted']} in {promise['hours']:.1f} h"


def _rate(report: Mapping[str, Any]) -> str:
    promise = report["false_accepts"]
    return f"{promise['expected_per_hour']:.2f} ({promise['low_per_hour']:.2f}-{promise['high_per_hour']:.2f})"
