"""Recordings that cannot be used, found before training and listed once; and whether what is left is enough."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from spotter.errors import BadInputError
from train.data import Row
from train.facts import LONGEST_WORD_S, all_facts
from train.written import write_json

FEWEST = 20  # recordings of a keyword on the training side, under which a network learns nothing that holds
_LISTED = 20  # files named on the terminal; all are in the JSON


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that is passed over, why, and what to do."""

    path: Path
    why: str
    word: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return it as plain data."""
        return {"path": str(self.path), "why": self.why}


def usable(
    rows: Sequence[Row], cache: Path | None = None, *, longest_s: float = LONGEST_WORD_S, what: str = "recordings"
) -> tuple[list[Row], list[Problem]]:
    """Read every file once; return the rows that can be used and what is wrong with the others.

    The answer is kept in the folder `cache`, for files whose size and time of change are the same.
    """
    key = json.dumps(["usable-1", longest_s, [(str(r.path), *_stamp(r.path)) for r in rows]])
    known = cache / f"usable-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json" if cache else None
    if known and known.exists():
        wrong = {int(at): str(why) for at, why in json.loads(known.read_text("utf-8")).items()}
    else:
        facts = all_facts([r.path for r in rows], longest_s=longest_s, what=what)
        wrong = {at: f.trouble for at, f in enumerate(facts) if f.trouble}
        if known:
            known.parent.mkdir(parents=True, exist_ok=True)
            write_json(known, wrong)
    return (
        [row for at, row in enumerate(rows) if at not in wrong],
        [Problem(rows[at].path, why, rows[at].word) for at, why in sorted(wrong.items())],
    )


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:  # a link to nowhere
        return 0, 0
    return status.st_size, status.st_mtime_ns


def foreign(paths: Sequence[Path]) -> list[Problem]:
    """Sound in formats that cannot be read."""
    return [
        Problem(p, f"{p.suffix} cannot be read; convert it, such as `ffmpeg -i {p.name} {p.stem}.wav`") for p in paths
    ]


def tell(problems: Sequence[Problem], out: TextIO | None = None) -> None:
    """List what is passed over; long lists are cut."""
    if not problems:
        return
    out = out or sys.stderr
    files = "1 file is" if len(problems) == 1 else f"{len(problems)} files are"
    print(f"{files} passed over:", file=out)
    for problem in problems[:_LISTED]:
        print(f"  {problem.path}: {problem.why}", file=out)
    if len(problems) > _LISTED:
        print(f"  … and {len(problems) - _LISTED} more", file=out)


def enough(
    rows: Sequence[Row], keywords: Sequence[str], problems: Sequence[Problem] = (), *, others: bool = False
) -> None:
    """Raise `BadInputError` where the recordings cannot make a model, saying what is missing.

    Parameters
    ----------
    rows : sequence of Row
        Usable recordings of words.
    keywords : sequence of str
        Words that the model is to hear.
    problems : sequence of Problem
        Recordings of words that were passed over, to be counted in the message.
    others : bool
        Whether anything but these words teaches what to leave alone: phrases, speech, or noise.
    """
    if not keywords:
        raise BadInputError("no keywords; name at least one with --keywords")
    there = {r.word for r in rows} | {p.word for p in problems} - {""}
    for word in keywords:
        _enough_of(word, rows, problems, there)
    if there <= set(keywords) and len(keywords) < 2 and not others:
        raise BadInputError(
            f"{keywords[0]!r} is the only word: a keyword and something else are needed; add folders of other words, "
            "or give --speech or --noise"
        )


def _enough_of(word: str, rows: Sequence[Row], problems: Sequence[Problem], there: set[str]) -> None:
    if word not in there:
        found = ", ".join(sorted(there)[:40]) or "none"
        raise BadInputError(f"there are no recordings of the keyword {word!r} (found: {found}); add its folder")
    mine = [r for r in rows if r.word == word]
    training = sum(r.split == "training" for r in mine)
    bad = sum(p.word == word for p in problems)
    if training < FEWEST:
        passed = f", {bad} more cannot be used" if bad else ""
        raise BadInputError(
            f"{training} training clips of {word!r} are too few ({len(mine)} recordings in all{passed}); "
            f"give at least {FEWEST} for training, of as many people as you can, and some for validation"
        )


def not_validated(rows: Sequence[Row], keywords: Sequence[str]) -> str:
    """Say which keywords have no recording on the validation side; "" where all have one."""
    there = {r.word for r in rows if r.split == "validation"}
    missing = [w for w in keywords if w not in there]
    if not missing:
        return ""
    return (
        f"WARNING: no validation recordings of {', '.join(missing)}: one speaker alone said it, so nothing will tell "
        "how well others are heard; give recordings of one more"
    )
