"""Everything that `evaluate-stream` says of a model on streams, as one piece of plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spotter.events import Detection
from spotter.model import Model
from spotter.settings import DecoderConfig
from train import foreign
from train.evaluate import Scored, decode, worth_a_look
from train.metrics import Matched, Word, confusions, latency, match, rate_limits, share_limits, together
from train.truth import Truth

FOREIGN = ("tensorflow", "mlperf")  # kinds with rules of their own, which are left out of the totals
_NO_SPEECH = "noise"  # this kind's hours would make the rate in speech look better


@dataclass(frozen=True, slots=True)
class Heard:
    """One stream: what is known of it, its scores, and what became of them."""

    truth: Truth
    scored: Scored
    detections: tuple[Detection, ...]
    matched: Matched

    @property
    def words(self) -> tuple[Word, ...]:
        """What was said."""
        return self.truth.words


def hear(model: Model, truth: Truth, scored: Scored, config: DecoderConfig, hop_samples: int) -> Heard:
    """Decode a stream's scores and compare them with its words."""
    detections = tuple(decode(model, worth_a_look(model, scored, config), config, hop_samples))
    return Heard(truth, scored, detections, match(detections, truth.words, model.keywords))


def by_kind(streams: Sequence[Heard]) -> dict[str, list[Heard]]:
    """Streams of the same kind, in the order in which the kinds come."""
    kinds: dict[str, list[Heard]] = {}
    for stream in streams:
        kinds.setdefault(stream.truth.kind, []).append(stream)
    return kinds


def is_silent(streams: Sequence[Heard], keywords: Sequence[str]) -> bool:
    """Whether nobody says a keyword in them."""
    return not any(w.word in keywords for s in streams for w in s.words)


def without_keywords(kinds: Mapping[str, Sequence[Heard]], keywords: Sequence[str]) -> dict[str, Sequence[Heard]]:
    """The kinds that false accepts per hour are counted in: those without keywords, and without noise if others are."""
    silent = {k: v for k, v in kinds.items() if k not in FOREIGN and is_silent(v, keywords)}
    return {k: v for k, v in silent.items() if k != _NO_SPEECH} or silent


def figures(streams: Sequence[Heard], keywords: Sequence[str]) -> dict[str, Any]:
    """Per kind, per keyword and in total; limits are 95%."""
    kinds = by_kind(streams)
    silent = without_keywords(kinds, keywords)
    said = {k: v for k, v in kinds.items() if k not in FOREIGN and not is_silent(v, keywords)}
    spoken = [s for v in said.values() for s in v]
    free = [s for v in silent.values() for s in v]
    return {
        "kinds": {k: _of_kind(v, keywords) for k, v in kinds.items()},
        "keywords": {k: _of_keyword(k, said, spoken, free) for k in keywords},
        "total": {
            **_recall(together(s.matched for s in spoken)),
            "kinds_with_keywords": list(said),
            "kinds_without": list(silent),
            "false": _rate(sum(len(s.matched.false) for s in free), _hours(free)),
        },
        "confusions": confusions((d, s.words) for s in spoken for d in s.matched.false),
        "others": sum(w.word not in keywords for s in spoken for w in s.words),
        "foreign": {
            k: [dict(foreign.figures(s.detections, s.words, keywords, k)) for s in v]
            for k, v in kinds.items()
            if k in FOREIGN
        },
    }


def _of_kind(streams: Sequence[Heard], keywords: Sequence[str]) -> dict[str, Any]:
    matched = together(s.matched for s in streams)
    wrong = confusions((d, s.words) for s in streams for d in s.matched.false)
    stray = sum(row.get("", 0) for row in wrong.values())
    return {
        "recordings": len(streams),
        "hours": _hours(streams),
        **_recall(matched),
        "others": sum(w.word not in keywords for s in streams for w in s.words),
        "false": _rate(len(matched.false), _hours(streams)),
        "taken": len(matched.false) - stray,  # where another word was said
        "stray": stray,  # where the truth file names no word
    }


def _of_keyword(
    keyword: str, said: Mapping[str, Sequence[Heard]], spoken: Sequence[Heard], free: Sequence[Heard]
) -> dict[str, Any]:
    matched = _only(keyword, spoken)
    return {
        **_recall(matched),
        "by_kind": {kind: _recall(_only(keyword, streams)) for kind, streams in said.items()},
        "false": _rate(len(_only(keyword, free).false), _hours(free)),
        "taken": len(matched.false),
    }


def _only(keyword: str, streams: Sequence[Heard]) -> Matched:
    whole = together(s.matched for s in streams)
    return Matched(
        tuple((w, d) for w, d in whole.found if w.word == keyword),
        tuple(w for w in whole.missed if w.word == keyword),
        tuple(d for d in whole.duplicates if d.keyword == keyword),
        tuple(d for d in whole.false if d.keyword == keyword),
    )


def _recall(matched: Matched) -> dict[str, Any]:
    found, said = len(matched.found), len(matched.found) + len(matched.missed)
    delay = latency(matched.delays)
    return {
        "said": said,
        "found": found,
        "recall": found / said if said else None,
        "recall_limits": list(share_limits(found, said)),
        "duplicates": len(matched.duplicates),
        "latency_s": {"median": delay[0], "p95": delay[1]} if delay else None,
    }


def _rate(count: int, hours: float) -> dict[str, Any]:
    if not hours:
        return {"count": count, "hours": 0.0, "per_hour": None, "limits": None}
    return {"count": count, "hours": hours, "per_hour": count / hours, "limits": list(rate_limits(count, hours))}


def _hours(streams: Sequence[Heard]) -> float:
    return sum(s.scored.seconds for s in streams) / 3_600
