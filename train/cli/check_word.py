"""Is a word a good one to listen for? From how it is spoken, and from what a backbone hears of it.

Each WORD (or phrase) is compared with the other words given, with the eight shipped ones, and with what people say
all day: too short, too near, inside another. Distances go from 0, the same, towards 1; 0.67 is as if every sound were
another one. Where the backbone of own words is installed, synthetic voices say the word and its nearest ones, and its
own distances are told as well: how many times as far another word is as another voice. With --data the same is told
of your recordings, one folder for each word.

The verdict is advice: good, risky or poor, why, and what to do.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotter.errors import ModelError

if TYPE_CHECKING:
    from train.say.choosing import Choice
    from train.say.hearing import Embeds, Take
    from train.say.reading import Reader
    from train.say.voices import Source

EXAMPLE = """examples:
  python -m train check-word jarvis
  python -m train check-word "hey robot" lamp fan
  python -m train check-word lamp fan --data recordings --json"""
_COMPARED = 4  # nearest words that are said as well
_RECORDED = "your recordings"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("words", nargs="+", metavar="WORD", help='word or phrase, such as "hey robot"')
    parser.add_argument("--data", type=Path, metavar="DIR", help="own recordings, one folder for each word")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.add_argument("--seed", type=int, default=0, help="of the synthetic voices (default: 0)")


def run(args: argparse.Namespace) -> int:
    """Judge the words; return 0 whatever the verdict."""
    from train.recording.session import folder_names
    from train.say.hearing import recorded
    from train.say.reading import Hibari, clean
    from train.say.voices import open_sources

    words = [clean(word) for word in args.words]
    folder_names(words)
    recordings = recorded(args.data) if args.data is not None else {}
    reader = Hibari()
    backbone, why = _backbone()
    sources = open_sources(reader=reader) if backbone is not None else []
    found = choices(words, reader)
    report: dict[str, Any] = {"backbone": backbone.name if backbone else None, "pronunciation_alone": why}
    if backbone is not None:
        found = [heard(choice, backbone, said(choice, sources, args.seed)) for choice in found]
        if recordings:
            found = [in_recordings(choice, backbone, recordings) for choice in found]
    report["words"] = [choice.as_dict() for choice in found]
    if args.json:
        print(json.dumps(report, indent=2, ensure_ascii=False))
        return 0
    for choice in found:
        print("\n".join(lines(choice)))
    if why:
        print(f"judged by pronunciation alone: {why}")
    return 0


def choices(words: Sequence[str], reader: Reader) -> list[Choice]:
    """Judge words by how they are spoken."""
    from train.say.choosing import judge
    from train.say.known import SHIPPED, common

    everyday = [reader.read(text) for text in dict.fromkeys([*SHIPPED, *common()])]
    readings = [reader.read(word) for word in words]
    return [judge(r, wanted=[o for o in readings if o is not r], everyday=everyday) for r in readings]


def said(choice: Choice, sources: Sequence[Source], seed: int) -> dict[str, list[Take]]:
    """Let voices say a word and the nearest others."""
    from train.say.hearing import spoken

    near = [other.text for other in choice.nearest if other.distance > 0.0][:_COMPARED]
    return spoken([choice.word, *near], sources, seed=seed)


def heard(choice: Choice, backbone: Embeds, takes: dict[str, list[Take]], *, of: str = "synthetic voices") -> Choice:
    """Add what the backbone hears of a word and the others among the recordings."""
    from dataclasses import replace

    from train.say import hearing

    by_word = hearing.embedded(takes, backbone)
    pairs = [hearing.apart(choice.word, other, by_word) for other in takes if other != choice.word]
    found = sorted((pair for pair in pairs if pair is not None), key=lambda a: a.ratio)
    told = [
        {"of": of, "other": a.other, "ratio": round(a.ratio, 3), "between": a.between, "within": a.within}
        for a in found
    ]
    return replace(choice, heard=(*choice.heard, *told)).with_concerns(
        hearing.concerns(found, backbone.name, of, recorded=of == _RECORDED)
    )


def in_recordings(choice: Choice, backbone: Embeds, takes: dict[str, list[Take]]) -> Choice:
    """Add what the backbone hears of a word among one's own recordings."""
    from dataclasses import replace

    own = next((name for name in takes if name.lower() == choice.word.lower()), None)
    if own is None:
        found = ", ".join(takes)
        return replace(choice, notes=(*choice.notes, f"there are no recordings of it (but of {found})"))
    if len(takes) < 2:
        return replace(choice, notes=(*choice.notes, "there are recordings of no other word to compare it with"))
    return heard(replace(choice, word=own), backbone, takes, of=_RECORDED)


def lines(choice: Choice) -> list[str]:
    """What is told of a word."""
    what = f"{len(choice.sounds.replace(' ', ''))} sounds, {choice.syllables} syllable{'s' * (choice.syllables != 1)}"
    out = [f"{choice.word}: {choice.verdict}", f"  spoken {choice.sounds}: {what}{', guessed' * choice.guessed}"]
    near = ", ".join(f"{o.text} {o.distance:.2f}" for o in choice.nearest)
    out.append(f"  nearest by sound: {near}")
    for of in dict.fromkeys(h["of"] for h in choice.heard):
        its = ", ".join(f"{h['other']} {h['ratio']:.2f}" for h in choice.heard if h["of"] == of)
        out.append(f"  times as far as another voice, to the backbone, of {of}: {its}")
    out += [f"  {c.level}: {c.why}; {c.fix}" for c in choice.concerns]
    return [*out, *(f"  note: {note}" for note in choice.notes)]


def _backbone() -> tuple[Embeds | None, str]:
    from spotter.backbone import open_backbone

    try:
        return open_backbone(), ""
    except ModelError as problem:
        return None, str(problem)
