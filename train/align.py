"""Words cut out of transcribed speech: which recording holds which word, from which sample to which.

An aligner may choose among a word's pronunciations and set in pauses; both are its own business and
are taken out again. A sentence is used whole or not at all: with a
word missing from the dictionary every other word could shift. What is skipped is counted, with why.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from spotter.errors import BadInputError, SpotterError
from spotter.settings import SAMPLE_RATE
from train.aligner import Aligner, Samples, Sphinx
from train.workers import each
from train.written import write_text

FRAME: Final = SAMPLE_RATE // 100  # samples between the aligner's frames
SHORTEST_S: Final = 0.12  # shorter words are swallowed or misplaced
LONGEST_S: Final = 1.2  # longer ones have a pause or a cough in them
LONGEST_SENTENCE_S: Final = 60.0
_TOGETHER = 100  # sentences that a worker takes at once
_NO_WORD = "no transcript"
_UNKNOWN = "a word is not in the dictionary"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A recording and what is said in it; `path` is relative to the folder that holds the table."""

    path: str
    speaker: str
    transcript: str


@dataclass(frozen=True, slots=True)
class Aligned:
    """One word in a recording, from `start_sample` to `end_sample` (exclusive), at 16 kHz."""

    path: str
    speaker: str
    word: str
    start_sample: int
    end_sample: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """What was left out, by reason; and the words that the dictionary lacks, with their number."""

    sentences: Counter[str]
    words: Counter[str]
    unknown: Counter[str]

    def add(self, other: Skipped) -> None:
        """Count what `other` counted, too."""
        self.sentences.update(other.sentences)
        self.words.update(other.words)
        self.unknown.update(other.unknown)


def words_of(transcript: str) -> list[str]:
    """Words of a transcript in lower case, with apostrophes and without any other punctuation."""
    text = transcript.lower().replace("’", "'")  # noqa: RUF001 - the typographer's apostrophe is meant
    return [word for word in (w.strip("'") for w in re.findall(r"[^\W_]+(?:'[^\W_]+)*'?", text)) if word]


def sentences_of(folder: Path) -> tuple[list[Sentence], Counter[str]]:
    """English sentences of the table FOLDER.tsv, and how many rows it leaves out and why.

    Columns: path (relative to the table's folder), speaker and transcript; language, where there is one.
    """
    table = folder.with_suffix(".tsv")
    sentences, skipped = [], Counter[str]()
    for row in _rows(table, ("path", "speaker", "transcript"), "transcripts are needed beside the recordings"):
        if (row.get("language") or "en").partition("-")[0] != "en":
            skipped["not English"] += 1
        elif not row["transcript"]:
            skipped[_NO_WORD] += 1
        else:
            sentences.append(Sentence(row["path"], row["speaker"], row["transcript"]))
    if not sentences:
        raise BadInputError(f"no English transcript in {table}; fill in its column transcript")
    return sentences, skipped


def align(sentence: Sentence, samples: Samples, aligner: Aligner) -> tuple[list[Aligned], Skipped]:
    """Words of one sentence, in its order, and what was left out."""
    words = words_of(sentence.transcript)
    skipped = Skipped(Counter(), Counter(), Counter())
    skipped.unknown.update(w for w in words if not aligner.knows(w))
    if not words:
        skipped.sentences[_NO_WORD] += 1
    elif skipped.unknown:
        skipped.sentences[_UNKNOWN] += 1
    elif len(samples) > LONGEST_SENTENCE_S * SAMPLE_RATE:
        skipped.sentences[f"longer than {LONGEST_SENTENCE_S:g} s"] += 1
    elif (found := aligner.segments(words, samples)) is None:
        skipped.sentences["transcript and sound do not fit"] += 1
    else:
        return _kept(sentence, found, skipped), skipped
    return [], skipped


def _kept(sentence: Sentence, found: list[tuple[str, int, int]], skipped: Skipped) -> list[Aligned]:
    out = []
    for marked, first, last in found:
        word = re.sub(r"\(\d+\)$", "", marked)  # which pronunciation
        if word.startswith(("<", "[", "+")):  # pause, noise, begin and end of the sentence
            continue
        seconds = (last + 1 - first) * FRAME / SAMPLE_RATE
        if SHORTEST_S <= seconds <= LONGEST_S:
            out.append(Aligned(sentence.path, sentence.speaker, word, first * FRAME, (last + 1) * FRAME))
        else:
            skipped.words["too short" if seconds < SHORTEST_S else "too long"] += 1
    return out


def align_all(folder: Path) -> tuple[list[Aligned], Skipped]:
    """Align every sentence of FOLDER.tsv, on all cores."""
    sentences, left_out = sentences_of(folder)
    jobs = [(folder.parent, sentences[at : at + _TOGETHER]) for at in range(0, len(sentences), _TOGETHER)]
    words: list[Aligned] = []
    skipped = Skipped(left_out, Counter(), Counter())
    for found, why in each(_worker, jobs, what=f"alignment, {_TOGETHER} sentences at a time"):
        words += found
        skipped.add(why)
    if not words:
        raise SpotterError(f"no word of {folder} could be aligned; skipped sentences: {dict(skipped.sentences)}")
    return words, skipped


def _worker(job: tuple[Path, list[Sentence]]) -> tuple[list[Aligned], Skipped]:
    from train.bank import read

    base, sentences = job
    aligner = Sphinx()
    words: list[Aligned] = []
    skipped = Skipped(Counter(), Counter(), Counter())
    for sentence in sentences:
        try:
            samples = read(base / sentence.path)
        except (OSError, soundfile.LibsndfileError):
            skipped.sentences["recording cannot be read"] += 1
            continue
        found, why = align(sentence, (samples * 32_767.0).clip(-32_768, 32_767).astype(np.int16), aligner)
        words += found
        skipped.add(why)
    return words, skipped


_COLUMNS = ("path", "speaker", "word", "start", "end")


def write_aligned(path: Path, words: Iterable[Aligned]) -> None:
    """Write the table all at once or not at all: path, speaker, word, start, end; samples at 16 kHz."""
    lines = ["\t".join(str(getattr(w, f.name)) for f in fields(Aligned)) for w in words]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "\n".join(["\t".join(_COLUMNS), *lines, ""]))


def read_aligned(path: Path) -> list[Aligned]:
    """Read the table that `write_aligned` writes.

    Raises
    ------
    BadInputError
        It cannot be read, lacks a column or has none, or a row's samples are no numbers or run backwards.
    """
    words = []
    for at, row in enumerate(_rows(path, _COLUMNS, "`python -m train words align` makes it"), 2):
        try:
            start, end = int(row["start"]), int(row["end"])
        except (TypeError, ValueError):
            raise BadInputError(f"{path}, line {at}: start and end must be whole numbers; make it anew") from None
        if not (0 <= start < end and row["word"] and row["path"]):
            raise BadInputError(f"{path}, line {at}: {row['word']!r} from sample {start} to {end}; make it anew")
        words.append(Aligned(row["path"], row["speaker"], row["word"], start, end))
    if not words:
        raise BadInputError(f"{path} holds no words; `python -m train words align` makes it")
    return words


def _rows(path: Path, columns: Sequence[str], fix: str) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            if missing := [c for c in columns if c not in (rows.fieldnames or ())]:
                raise BadInputError(f"{path} has no column {' and '.join(missing)}; {fix}")
            yield from rows
    except OSError as error:
        raise BadInputError(f"{path} cannot be read ({error.strerror}); {fix}") from error
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path} is no table in UTF-8; {fix}") from error
