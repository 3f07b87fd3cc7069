"""What is listened to when tuning, and what its hours prove."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy", reason="limits come from scipy, which the extra `train` brings")
pytest.importorskip("matplotlib", reason="pictures come from the extra `train`")
from spotter.errors import BadInputError
from spotter.settings import DecoderConfig
from tests.tuning import KEYWORDS, LABELS, scored, scored_yes
from train.metrics import Word
from train.tune import hours_to_prove
from train.tune_material import Heard, counted, noisy_seconds, suspicious, weights
from train.tune_report import alike, proof
from train.tune_tally import Part


def test_hours_that_prove_a_target() -> None:
    assert hours_to_prove(0, 0.5) == pytest.approx(2.9957 / 0.5, abs=1e-3)
    assert hours_to_prove(1, 0.5) == pytest.approx(4.7439 / 0.5, abs=1e-3)


def seen(count: int, hours: float, limits: tuple[float, float]) -> dict[str, Any]:
    return {"false": count, "hours": hours, "per_hour": count / hours, "limits": list(limits)}


def test_the_report_says_what_was_proved_and_how_many_hours_are_lacking() -> None:
    lacking = proof(0.5, seen(0, 1.2, (0.0, 2.4964)))
    assert "0 (< 2.5) an hour at 95%: this cannot be told from 0.5 an hour" in lacking[0]
    assert "4.8 h more would have to pass without another (6 h in all)" in lacking[0]
    assert "already 0.83 an hour" in lacking[1]
    assert proof(2.0, seen(0, 3.2, (0.0, 0.94))) == ["0 false accepts in 3.2 h: fewer than 2 an hour, at 95%."]
    assert "more than the 0.5 an hour" in proof(0.5, seen(10, 1.0, (4.8, 18.4)))[0]


def test_targets_that_the_hours_cannot_tell_apart_are_named() -> None:
    rows = [{"wanted": n, "counted": seen(0, 1.2, (0.0, 2.5))} for n in ("0.5", "1", "2", "10")]
    assert alike(rows, 1.2) == "The 1.2 h that count cannot tell 0.5, 1 and 2 an hour apart."


QUIET = Part("words-quiet", (Word("yes", 1.0, 1.4),), scored_yes(*[0.0] * 30))
RUNNING = Part("running", (Word("no", 1.0, 1.4),), scored_yes(*[0.0] * 30))
SPEECH = Part("speech-english", (Word("cat", 1.0, 1.4),), scored_yes(*[0.0] * 30))
NOISE = Part("noise", (), scored_yes(*[0.0] * 30))


def test_recall_is_that_of_words_on_their_own_and_false_accepts_those_in_speech_unless_others_are_named() -> None:
    parts = [QUIET, RUNNING, SPEECH, NOISE]
    assert weights(parts, KEYWORDS, []) == {"words-quiet": 1.0}
    assert weights(parts, KEYWORDS, ["running=0.5"]) == {"words-quiet": 1.0, "running": 0.5}
    assert counted(parts, KEYWORDS, []) == ("speech-english",)
    assert counted([QUIET, NOISE], KEYWORDS, []) == ("noise",)
    assert counted(parts, KEYWORDS, ["noise", "running"]) == ("noise", "running")


@pytest.mark.parametrize(
    ("given", "told"),
    [("speech-english=1", "no stream with keywords is called 'speech-english'; there are words-quiet, running"),
     ("running=much", "is no NAME=NUMBER"), ("running=-1", "is no NAME=NUMBER")],
)  # fmt: skip
def test_weights_that_cannot_be_meant_are_refused(given: str, told: str) -> None:
    with pytest.raises(BadInputError, match=told):
        weights([QUIET, RUNNING, SPEECH], KEYWORDS, [given])


def test_false_accepts_need_something_without_keywords() -> None:
    with pytest.raises(BadInputError, match="nothing without keywords"):
        counted([QUIET, RUNNING], KEYWORDS, [])
    with pytest.raises(BadInputError, match="no stream is called so; there are words-quiet"):
        counted([QUIET], KEYWORDS, ["speech"])


def test_places_in_negatives_are_listed_unless_their_truth_file_names_the_word() -> None:
    values = np.zeros(100)
    values[19], values[59] = 0.97, 0.6
    negative = Part("negatives", (Word("yes", 5.5, 5.9),), scored_yes(*values))
    told = suspicious([Heard(negative, Path("room.wav"), {})], ("negatives",), LABELS, KEYWORDS, 0.5)
    assert [(p.time, p.keyword, round(p.score, 2)) for p in told] == [(2.0, "yes", 0.97)]


def test_only_speech_in_noise_counts_as_noisy() -> None:
    quiet, noisy = np.full(300, -90.0, np.float32), np.full(300, -40.0, np.float32)
    heard = replace(scored(np.zeros((600, 4))), floors=np.concatenate([quiet, noisy]), seconds=60.0)
    assert noisy_seconds([Part("speech", (), heard)], DecoderConfig()) == 30.0
