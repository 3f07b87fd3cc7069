"""Cuts the utterances of a word out of files that are there; says of each file what was found."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from spotter.arrays import Floats
from spotter.errors import BadInputError
from spotter.resample import Resampler
from spotter.settings import SAMPLE_RATE
from spotter.sources.files import AudioFile
from train.data import AUDIO
from train.recording.quality import Quality, judge, nothing, usual_s
from train.recording.session import SESSIONS, Name, Session, plain, read_log
from train.recording.utterances import find
from train.splits import beginnings

LONGEST_FILE_S: Final = 1_800.0
SOMEBODY: Final = "me"
_AS_LONG: Final = 0.5  # of what is usual in a file
_AS_LOUD_DB: Final = 10.0  # under what is usual
_SEVERAL: Final = 3  # utterances, of which the middle one is usual; of fewer it is the longest


@dataclass(slots=True)
class Found:
    """What a file gave."""

    path: Path
    utterances: int = 0
    kept: list[Path] = field(default_factory=list)
    left_out: list[tuple[float, str]] = field(default_factory=list)  # where it begins, in seconds, and why
    trouble: str = ""  # of the file as a whole

    def lines(self) -> list[str]:
        """Say it, for people."""
        if self.trouble and not self.utterances:
            return [f"{self.path}: {self.trouble}"]
        kept = f", {len(self.kept)} kept as {self.kept[0].name}" if self.kept else ", none kept"
        more = f" to {self.kept[-1].name}" if len(self.kept) > 1 else ""
        out = [f"{self.path}: {self.utterances} found{kept}{more}"]
        out += [f"  at {at:.2f} s: {why}" for at, why in self.left_out]
        return [*out, f"  {self.trouble}"] if self.trouble else out


@dataclass(frozen=True, slots=True)
class Whose:
    """Who speaks in a file; `session` is "" where the file is one of its own if it holds several utterances."""

    speaker: str
    session: str


def audio_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files, and those in folders among them, each once."""
    out = []
    for path in paths:
        inside = path.is_dir()
        found = sorted(p for p in path.rglob("*") if p.suffix.lower() in AUDIO and not p.name.startswith("."))
        if inside and not found:
            raise BadInputError(f"the folder {path} holds no sound files; give others")
        out += found if inside else [path]
    return list(dict.fromkeys(out))


def whose(paths: Sequence[Path], word: str, speaker: str | None, session: str | None) -> list[Whose]:
    """Who speaks in each file: as it is said, else as the names tell, else one person."""
    names = [None if speaker or session else Name.of(path) for path in paths]
    rest = [at for at, name in enumerate(names) if name is None]
    told = [] if speaker or session else beginnings([(word, paths[at].stem) for at in rest])
    begins = dict(zip(rest, told, strict=False))
    out = []
    for at, name in enumerate(names):
        if name is not None:
            out.append(Whose(plain(name.speaker, "speaker"), name.session and plain(name.session, "session")))
        elif at in begins:
            out.append(Whose(plain(begins[at], "speaker"), ""))
        else:
            out.append(Whose(plain(speaker or SOMEBODY, "speaker"), plain(session, "session") if session else ""))
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """Collects one word into a folder of words.

    `session` names the session of files that hold one utterance and whose names tell none.
    """

    out: Path
    word: str
    session: str
    pause_s: float
    about: dict[str, Any]

    def collect(self, path: Path, who: Whose) -> Found:
        """Find, cut, look, keep."""
        found = Found(path)
        try:
            source, samples, found.trouble = read(path)
        except BadInputError as error:
            found.trouble = str(error)
            return found
        if before := self._before(source):
            found.trouble = f"was collected before ({before}); passed over"
            return found
        words = find(samples, pause_s=self.pause_s)
        found.utterances = len(words)
        if not words:
            found.trouble = found.trouble or f"none found: {nothing(samples)[1].partition(':')[0]}"
            return found
        own = plain(path.stem, "session")[:40] if len(words) > 1 else self.session
        session = Session(self.out, who.speaker, who.session or own, self.about)
        looked = [(utterance, judge(samples, utterance, usual_s(self.word))) for utterance in words]
        try:
            for utterance, quality in looked:
                start = utterance.first / SAMPLE_RATE
                if why := quality.sentence or _stray(quality, [other for _, other in looked]):
                    found.left_out.append((start, why))
                    continue
                about = {"source": str(path), "source_sha256": source, "start": round(start, 3), **quality.as_dict()}
                clip = samples[utterance.begin : utterance.end]
                found.kept.append(session.keep(self.word, clip, about, once=True, later=True))
        finally:
            if found.kept:
                session.note()
        return found

    def _before(self, source: str) -> str:
        """Return a recording of this word that was cut from the same file; "" if there is none."""
        for log in sorted((self.out / SESSIONS).glob("*.json")):
            for take in read_log(log).get("takes", []):
                if take.get("source_sha256") == source and str(take.get("file", "")).startswith(f"{self.word}/"):
                    return str(take["file"])
        return ""


def _stray(quality: Quality, all_there: Sequence[Quality]) -> str:
    """Why an utterance is none of the word, seen beside the others in its file; "" if it may be."""
    usable = [q for q in all_there if not q.problem]
    usual = np.median if len(usable) >= _SEVERAL else np.max
    seconds, loudest = usual([q.seconds for q in usable]), usual([q.loudest_dbfs for q in usable])
    if quality.seconds >= _AS_LONG * seconds or quality.loudest_dbfs >= loudest - _AS_LOUD_DB:
        return ""
    return f"{quality.seconds:.2f} s, short and soft beside the others: a noise, or another word"


def read(path: Path) -> tuple[str, Floats, str]:
    """Return a file's SHA-256, its samples as 16 kHz mono, and what is wrong with its end, if anything."""
    file = AudioFile(path)
    if file.frames is not None and file.frames > LONGEST_FILE_S * file.sample_rate:
        minutes = file.frames / file.sample_rate / 60.0
        raise BadInputError(f"is {minutes:.0f} minutes long; cut it into pieces of {LONGEST_FILE_S / 60.0:g} at most")
    resampler = Resampler(file.sample_rate, file.channels)
    parts: list[Floats] = []
    trouble = ""
    try:
        parts.extend(resampler.push(np.nan_to_num(block, posinf=0.0, neginf=0.0)).copy() for block in file.blocks())
    except BadInputError as error:
        if not parts:
            raise
        trouble = str(error)
    parts.append(resampler.finish())
    return hashlib.sha256(path.read_bytes()).hexdigest(), np.concatenate(parts), trouble
