"""One client's conversation with the wake-word service, without a socket."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping

from spotter.errors import BadInputError
from spotter.recorded import spot
from spotter.serving.words import Words
from tests.fakes import TALK, recording
from tests.wyoming_parts import AudioChunk, AudioStart, AudioStop, Detect, ToneModel, chunks, pcm, session, tell


def heard(*events: Event, models: tuple[ToneModel, ...] = ()) -> list[tuple[str, Any]]:
    """What a session answers to all of that: types, or for detections name and timestamp."""
    it, _ = session(*models)
    answers = [answer for event in events for answer in tell(it, event)]
    return [
        (answer.data["name"], answer.data["timestamp"]) if answer.type == "detection" else (answer.type, answer.data)
        for answer in answers
    ]


def start(rate: int = 16_000, channels: int = 1, timestamp: int | None = None) -> Event:
    return AudioStart(rate=rate, width=2, channels=channels, timestamp=timestamp).event()


def sent(samples: np.ndarray[Any, Any], **how: Any) -> list[Event]:
    return [chunk.event() for chunk in chunks(samples, **how)]


def test_describe_is_answered_with_one_program_and_a_model_for_each_keyword() -> None:
    it, _ = session()
    (answer,) = tell(it, Describe().event())
    info = Info.from_event(answer)
    assert len(info.wake) == 1
    assert not any((info.asr, info.tts, info.handle, info.intent, info.mic, info.snd))
    assert [(m.name, m.description, m.phrase, m.languages) for m in info.wake[0].models] == [
        ("yes", "oh yes", "oh yes", ["en"]),
        ("no", "no", "no", ["en"]),
    ]
    assert info.wake[0].models[0].attribution.name == "scripted (Apache-2.0)"
    assert info.wake[0].models[0].attribution.url == "https://spdx.org/licenses/Apache-2.0.html"
    assert info.wake[0].installed
    assert info.wake[0].version


def test_a_licence_in_words_has_no_address() -> None:
    model = ToneModel()
    model.manifest = {"licence": "what you say of it; the backbone is Apache-2.0"}
    it, _ = session(model)
    attribution = Info.from_event(tell(it, Describe().event())[0]).wake[0].models[0].attribution
    assert attribution.name == "scripted (what you say of it; the backbone is Apache-2.0)"
    assert attribution.url == ""


def test_without_names_every_keyword_is_heard_and_the_end_says_nothing_more() -> None:
    nothing: list[list[str] | None] = [None, []]
    for names in nothing:
        found = heard(Detect(names=names).event(), start(), *sent(TALK), AudioStop().event())
        assert [name for name, _ in found] == ["yes", "no"]


def test_it_hears_what_a_recording_of_the_same_gives() -> None:
    wanted = spot(TALK, 16_000, model=ToneModel())
    for size in (160, 512, 1_024, 16_000, 100_000):
        found = heard(start(), *sent(TALK, size=size), AudioStop().event())
        assert [name for name, _ in found] == [event.keyword for event in wanted]
        for (_, stamp), event in zip(found, wanted, strict=True):
            assert stamp <= event.time * 1_000 <= stamp + size / 16 + 1


@pytest.mark.parametrize("pattern", [[True], [False, True], [True, True, True, False], [True] * 40 + [False]])
def test_what_waits_behind_a_chunk_changes_nothing_of_what_is_heard(pattern: list[bool]) -> None:
    it, _ = session()
    answers = []
    for number, event in enumerate(sent(TALK, size=160)):
        answers += tell(it, event, more=pattern[number % len(pattern)])
    answers += [answer for answer in it.settle() if not isinstance(answer, float)]
    found = [(answer.data["name"], answer.data["timestamp"]) for answer in answers]
    assert found == heard(*sent(TALK, size=160))


def test_names_choose_what_is_reported() -> None:
    found = heard(Detect(names=["no"]).event(), start(), *sent(TALK), AudioStop().event())
    assert [name for name, _ in found] == ["no"]


def test_a_stream_without_a_word_ends_with_not_detected() -> None:
    silence = np.zeros(16_000, np.float32)
    assert heard(start(), *sent(silence), AudioStop().event()) == [("not-detected", {})]
    assert heard(
        Detect(names=["no"]).event(), start(), *sent(recording((0.5, "yes"), seconds=2.0)), AudioStop().event()
    ) == [("not-detected", {})]
    assert heard(AudioStop().event()) == [("not-detected", {})]


def test_an_unknown_name_is_answered_and_logged_and_the_others_are_heard() -> None:
    it, said = session()
    (answer,) = tell(it, Detect(names=["maybe", "no", "x" * 500]).event())
    assert answer.type == "error"
    assert answer.data["code"] == "unknown-wake-word"
    assert answer.data["text"] == f"no wake word called 'maybe', '{'x' * 40}'; there are yes, no"
    assert said == [answer.data["text"]]
    found = [a.data["name"] for event in [start(), *sent(TALK)] for a in tell(it, event)]
    assert found == ["no"]


def test_with_unknown_names_alone_nothing_is_heard() -> None:
    found = heard(Detect(names=["maybe"]).event(), start(), *sent(TALK), AudioStop().event())
    assert [name for name, _ in found] == ["error", "not-detected"]


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (22_050, 1), (44_100, 2), (48_000, 1), (48_000, 6)])
def test_any_rate_and_number_of_channels_is_heard(rate: int, channels: int) -> None:
    samples = recording((1.5, "yes"), (3.0, "no"), seconds=4.5, sample_rate=rate)
    found = heard(*sent(samples, rate=rate, channels=channels, size=rate // 50), AudioStop().event())
    assert [name for name, _ in found] == ["yes", "no"]
    assert 1_500 < found[0][1] < 2_200
    assert 3_000 < found[1][1] < 3_700


def test_the_timestamp_is_that_of_the_clients_own_chunk() -> None:
    plain = heard(start(), *sent(TALK, size=512))
    for begin in (10**15, -5_000):
        assert heard(start(), *sent(TALK, size=512, begin=begin)) == [(name, begin + at) for name, at in plain]
    stamps = [chunk.timestamp for chunk in chunks(TALK, size=512)]
    assert all(at in stamps for _, at in plain)


def test_without_timestamps_milliseconds_are_counted_from_where_audio_start_says() -> None:
    plain = heard(start(), *sent(TALK, size=512))
    assert heard(start(), *sent(TALK, size=512, begin=None)) == plain
    assert heard(start(timestamp=7_000), *sent(TALK, size=512, begin=None)) == [(n, 7_000 + at) for n, at in plain]


def test_a_clock_that_counts_nanoseconds_is_kept_too() -> None:
    events = [
        AudioChunk(c.rate, c.width, c.channels, c.audio, timestamp=(c.timestamp or 0) * 1_000_000) for c in chunks(TALK)
    ]
    plain = heard(*sent(TALK))
    assert heard(*(event.event() for event in events)) == [(name, at * 1_000_000) for name, at in plain]


@pytest.mark.parametrize("again", [Detect(names=None).event(), start()])
def test_detect_and_audio_start_begin_anew(again: Event) -> None:
    uncounted = sent(TALK, begin=None)
    assert heard(*sent(TALK[:7_777], begin=None), again, *uncounted) == heard(*uncounted)
    assert heard(*sent(TALK[:7_777], begin=None), *uncounted) != heard(*uncounted)


def test_a_word_at_the_very_begin_and_one_at_the_very_end_are_heard() -> None:
    samples = recording((0.0, "yes"), (1.5, "no"), seconds=2.0)
    assert [name for name, _ in heard(start(), *sent(samples), AudioStop().event())] == ["yes", "no"]


@pytest.mark.parametrize(
    ("rate", "width", "channels", "sentence"),
    [
        (16_000, 1, 1, "samples of 1 bytes are not taken; send 16-bit PCM, of 2 bytes"),
        (16_000, 4, 1, "samples of 4 bytes are not taken"),
        (0, 2, 1, "a sample rate of 0 Hz is out of range"),
        (16_000, 2, 0, "0 channels hold no sound"),
        (16_000, 2, 65, "65 channels are more than 64"),
        (768_000, 2, 64, "64 channels at 768000 Hz are more than 1536000 samples a second"),
        (None, 2, 1, "audio came without its rate, width and channels"),
        (float("nan"), 2, 1, "audio came without its rate"),
        ("16000", 2, 1, "audio came without its rate"),
        ([], {}, True, "audio came without its rate"),
        (10**30, 2, 1, "audio came without its rate"),
    ],
)
def test_audio_that_cannot_be_heard_gets_one_error_and_one_line(
    rate: object, width: object, channels: object, sentence: str
) -> None:
    it, said = session()
    data = {"rate": rate, "width": width, "channels": channels}
    answers = [a for _ in range(5) for a in tell(it, Event("audio-chunk", data, b"\0" * 64))]
    assert [a.type for a in answers] == ["error"]
    assert answers[0].data["text"].startswith(sentence)
    assert said == [answers[0].data["text"]]
    assert [a.data["name"] for event in sent(TALK) for a in tell(it, event)] == ["yes", "no"]


def test_half_a_sample_ends_the_stream_with_one_error() -> None:
    it, said = session()
    odd = AudioChunk(16_000, 2, 1, b"\0" * 65).event()
    answers = [a for event in (*sent(TALK[:8_000]), odd, odd, *sent(TALK)) for a in tell(it, event)]
    assert [a.type for a in answers] == ["error"]
    assert said == ["65 bytes of audio are no whole frames; send whole ones"]
    assert [a.data["name"] for event in (start(), *sent(TALK)) for a in tell(it, event)] == ["yes", "no"]


@pytest.mark.parametrize("names", [3, "yes", [3], {"a": 1}])
def test_names_that_are_no_list_of_texts_get_an_error(names: object) -> None:
    it, said = session()
    (answer,) = tell(it, Event("detect", {"names": names}))
    assert answer.data["code"] == "bad-names"
    assert len(said) == 1


def test_what_is_not_for_a_wake_word_service_is_passed_over() -> None:
    it, said = session()
    for kind in ("transcribe", "run-satellite", "audio-chunks", "", "wake"):
        assert tell(it, Event(kind, {"a": 1}, b"xyz")) == []
    assert said == []
    (pong,) = tell(it, Ping(text="here?").event())
    assert (pong.type, pong.data) == ("pong", {"text": "here?"})


def test_the_same_keyword_of_two_models_is_told_apart_by_the_models_name() -> None:
    models = ToneModel("mine"), ToneModel("theirs")
    it, _ = session(*models)
    info = Info.from_event(tell(it, Describe().event())[0])
    assert [(m.name, m.description) for m in info.wake[0].models] == [
        ("mine/yes", "oh yes (mine)"),
        ("mine/no", "no (mine)"),
        ("theirs/yes", "oh yes (theirs)"),
        ("theirs/no", "no (theirs)"),
    ]
    found = heard(Detect(names=["theirs/yes", "mine/no"]).event(), *sent(TALK), models=models)
    assert [name for name, _ in found] == ["theirs/yes", "mine/no"]


def test_two_models_of_the_same_name_and_keyword_are_refused() -> None:
    with pytest.raises(BadInputError, match="'scripted/yes' is in two of the models under the same name; rename"):
        Words(cast("Any", (ToneModel(), ToneModel())))


def test_stamps_of_many_tiny_chunks_take_bounded_memory() -> None:
    it, _ = session()
    audio = pcm(np.zeros(1, np.float32))
    event = Event("audio-chunk", {"rate": 48_000, "width": 2, "channels": 1}, audio)
    for _ in range(6_000):
        tell(it, event)
    assert it._stream is not None
    assert len(it._stream._timestamps) <= 4_096
