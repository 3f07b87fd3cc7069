"""Places in running speech that fooled a model, as a table; and where they lie among the frames of training.

`python -m train mine` writes the table, `fit --hard` reads it. Tab-separated, one place a line; path,
time, keyword and score must be there, the columns of the augmented copy may be missing or empty.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spotter.errors import BadInputError
from spotter.settings import SAMPLE_RATE, FrontendConfig
from train.augment.copies import Copy
from train.bank import Bank
from train.data import Row, Split
from train.pools import Ints

CLOSE_S = 0.5  # places nearer than that are one
_NEEDED = ("path", "time", "keyword", "score")
_COPY = ("copy", "speed", "gain_db", "room", "noise", "noise_at", "snr_db")
_JITTER = 30  # frames by which a batch moves a sequence to and fro
_TAIL = 60  # frames after a word within which it is still judged, about


@dataclass(frozen=True, slots=True, kw_only=True)
class Hard:
    """One place.

    path : the last three parts of the recording's path, FOLDER/SPEAKER/FILE
    time : end of the window in samples of the recording as it is, whatever the copy's speed
    keyword, score : what was heard there, which nobody said
    copy : how the recording was augmented when it fooled the model; number 0 is as it is
    """

    path: str
    time: int
    keyword: str
    score: float
    copy: Copy = field(default_factory=Copy)


def key_of(path: Path) -> str:
    """FOLDER/SPEAKER/FILE: what a recording is called in tables, wherever the folder lies."""
    return "/".join(path.absolute().parts[-3:])


def read_hard(path: Path) -> list[Hard]:
    """Read a table of places; what cannot be used is an error that names the line."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise BadInputError(f"no table at {path}; make one with python -m train mine") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path} cannot be read ({error}); give a table that python -m train mine wrote") from None
    reader = csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    if missing := [c for c in _NEEDED if c not in (reader.fieldnames or ())]:
        raise BadInputError(f"{path} has no column {missing[0]!r}; give a table that python -m train mine wrote")
    places = []
    for line in reader:
        try:
            places.append(_place({k: v or "" for k, v in line.items() if isinstance(k, str)}))
        except ValueError as error:
            raise BadInputError(f"{path}, line {reader.line_num}: {error}; mend or remove that line") from None
    return places


def _place(line: dict[str, str]) -> Hard:
    time, score = int(line["time"]), float(line["score"])
    if time < 0 or not 0.0 <= score <= 1.0 or not line["path"]:
        raise ValueError(f"time {time} and score {score} of {line['path']!r} cannot be")
    number, speed, gain_db, room, noise, noise_at, snr_db = (line.get(name, "") for name in _COPY)
    copy = Copy(
        number=int(number or 0),
        speed=float(speed or 1.0),
        gain_db=float(gain_db or 0.0),
        room=int(room) if room else None,
        noise=noise,
        noise_at=int(noise_at or 0),
        snr_db=float(snr_db) if snr_db else None,
    )
    return Hard(path=line["path"], time=time, keyword=line["keyword"], score=score, copy=copy)


def table(places: Sequence[Hard]) -> str:
    """Lay out the table that `read_hard` reads."""
    lines = ["\t".join((*_NEEDED, *_COPY))]
    for p in places:
        c = p.copy
        copy: tuple[object, ...] = (c.number, c.speed, c.gain_db, "" if c.room is None else c.room)
        noise: tuple[object, ...] = ("", "", "") if c.snr_db is None else (c.noise, c.noise_at, c.snr_db)
        cells = [str(v) for v in (p.path, p.time, p.keyword, f"{p.score:.4f}", *copy, *noise)]
        if any(c in cell for cell in cells for c in "\t\r\n"):
            raise BadInputError(f"the name {p.path!r} holds a tab or a line break, which no table can; rename the file")
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"


def hard_frames(
    hard: Sequence[Hard],
    rows: Sequence[Row],
    bank: Bank,
    config: FrontendConfig,
    *,
    offset: int,
    context: int,
    length: int,
    split: Split = "training",
) -> Ints:
    """First frames of sequences of `length` frames with the places in their middle, for `Pools.hard`.

    Places of the other side of the split, beyond the frames that there are, or closer than half a
    second to one with a higher score are left out. A sequence, moved by the 30 frames to and fro of
    a batch, never touches a recording of the other side.

    Parameters
    ----------
    rows, bank
        The speech: rows, and their bank, in which each recording is as it is.
    offset : int
        Where the bank's first frame lies in `Pools.frames`.
    context : int
        Frames that a score depends on.

    Raises
    ------
    BadInputError
        There are places, and none lies in the speech that was given.
    """
    items: dict[int, int] = {}
    for number, row_number in enumerate(bank.row.tolist()):
        items.setdefault(row_number, number)  # further ones are in rooms
    on_side = np.array([rows[r].split == split for r in bank.row.tolist()], bool)
    keys = {key_of(row.path): items[at] for at, row in enumerate(rows) if at in items}
    if hard and not any(h.path in keys for h in hard):
        raise BadInputError(
            f"none of the {len(hard)} hard places lies in the speech that was given ({hard[0].path!r}, for one); "
            "give --speech the folder that was mined"
        )
    low, high = _stretches(bank, on_side)
    close = round(CLOSE_S * SAMPLE_RATE / config.hop_samples)
    taken: dict[int, list[int]] = {}
    first: list[int] = []
    for place in sorted(hard, key=lambda h: -h.score):
        item = keys.get(place.path)
        end = config.frames_in(place.time)  # exclusive
        if item is None or not on_side[item] or any(abs(end - other) < close for other in taken.get(item, ())):
            continue
        at = int(bank.start[item]) + end
        begin = at - context - (length - context) // 2
        begin = min(max(begin, int(low[item]) + _JITTER), int(high[item]) - length - _JITTER)
        if begin >= low[item] and begin + context <= at <= begin + length + _TAIL:
            taken.setdefault(item, []).append(end)
            first.append(offset + begin)
    return np.asarray(sorted(first), np.intp)


def _stretches(bank: Bank, on_side: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """First and last frame (exclusive), for each recording, of its neighbours on the same side of the split."""
    begins = np.flatnonzero(np.diff(on_side, prepend=~on_side[:1]))
    group = np.searchsorted(begins, np.arange(len(on_side)), side="right") - 1
    ends = np.append(begins[1:], len(on_side)) - 1
    return bank.start[begins][group], (bank.start + bank.length)[ends][group]
