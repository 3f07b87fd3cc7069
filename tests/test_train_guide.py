"""Which takes are asked for, when one ends, and what the keys do."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from spotter.arrays import Floats
from tests.spoken import ASKED, RATE, ROOM, USUAL, room, said, talk
from train.recording.guide import Guide, Pace, Say
from train.recording.takes import MANNERS, Step, Take, manners, schedule


@pytest.mark.parametrize("count", [1, 2, 3, 7, 10, 30, 100])
def test_so_many_takes_are_wanted_and_the_usual_way_comes_first(count: int) -> None:
    plan = manners(count)
    assert len(plan) == count
    assert plan[0].name == "usual"
    order = [MANNERS.index(m) for m in plan]
    assert order == sorted(order)
    if count >= 10:
        assert {m.name for m in plan} == {m.name for m in MANNERS}
    assert not any(m.moves for m in manners(count, moves=False))
    assert len(manners(count, moves=False)) == count


def test_words_take_turns_within_a_manner_and_what_is_there_is_not_asked_for() -> None:
    steps = schedule({"lamp": "lamp", "hey_robot": "hey robot"}, 10, {"lamp": 9, "hey_robot": 0})
    assert [s.folder for s in steps].count("hey_robot") == 10
    assert [(s.folder, s.manner.name) for s in steps if s.folder == "lamp"] == [("lamp", "room")]
    both = schedule({"a": "a", "b": "b"}, 2, {})
    assert [s.folder for s in both] == ["a", "b", "a", "b"]


@pytest.mark.parametrize("block", [160, 1_600, 48_000])
def test_a_take_ends_by_itself_after_the_word_or_after_its_time(block: int) -> None:
    samples = talk(1.0, said(), 5.0)
    take = Take(room(0.2), 5.0)
    ended = next(at for at in range(0, len(samples), block) if take.push(samples[at : at + block]))
    assert ended / RATE < 2.3
    quiet = Take(room(0.2), 2.0)
    over = [quiet.push(samples[:8_000]) for _ in range(4)]
    assert over == [False, False, False, True]


PIPED = Pace(asks=False, countdown_s=0.4, take_s=3.0, plays=False)


def play_through(guide: Guide, samples: Floats, keys: dict[int, str] | None = None, block: int = 800) -> list[object]:
    done: list[object] = list(guide.begin())
    for number, at in enumerate(range(0, len(samples), block)):
        done += guide.push(samples[at : at + block], (keys or {}).get(number, ""))
    return done


def kinds(actions: Iterable[object]) -> list[str]:
    return [type(action).__name__ for action in actions]


@pytest.mark.parametrize("block", [160, 800, 4_000])
def test_without_a_keyboard_takes_follow_one_another(block: int) -> None:
    guide = Guide([Step("lamp", "lamp", USUAL)] * 2, PIPED)
    done = play_through(guide, talk(1.5, said(), 2.0, said(), 2.0), block=block)
    assert kinds(done) == ["Say", "Keep", "Keep"]
    assert guide.phase == "over"
    assert not guide.failed


def test_nobody_there_ends_it_after_some_takes() -> None:
    guide = Guide([Step("lamp", "lamp", USUAL)], PIPED)
    done = play_through(guide, room(30.0))
    assert guide.failed
    assert guide.phase == "over"
    assert sum("not kept" in a.text for a in done if isinstance(a, Say)) == 5


def test_at_a_keyboard_each_manner_waits_for_enter_and_what_is_kept_is_played() -> None:
    guide = Guide([Step("lamp", "lamp", USUAL), Step("lamp", "lamp", ROOM)], ASKED)
    done = play_through(guide, talk(5.0, said(), 3.0), {60: "\n"})
    assert kinds(done) == ["Say", "Keep", "Play", "Say"]
    assert kinds(guide.push(room(0.1), "\n")) == ["Move"]
    assert kinds(guide.push(room(0.1), "q")) == []
    assert guide.phase == "over"


def test_d_throws_the_last_take_away_and_asks_again() -> None:
    guide = Guide([Step("lamp", "lamp", USUAL)] * 2, ASKED)
    play_through(guide, talk(1.0, said(), 0.7), {0: "\n"})
    assert (guide.phase, guide.kept) == ("play", 1)
    assert kinds(guide.push(room(0.1), "p")) == ["Play"]
    assert kinds(guide.push(room(0.1), "d")) == ["Undo", "Say"]
    assert guide.kept == 0
    assert kinds(guide.push(room(0.1), "d")) == []
    assert len([s for s in (guide.step,) if s]) == 1


def test_s_leaves_a_manner_out() -> None:
    guide = Guide([Step("lamp", "lamp", USUAL), Step("lamp", "lamp", ROOM)], ASKED)
    guide.begin()
    guide.push(room(0.1), "s")
    assert guide.step is not None
    assert guide.step.manner == ROOM
    guide.push(room(0.1), "s")
    assert guide.phase == "over"


def test_a_take_in_which_audio_was_lost_is_not_kept() -> None:
    guide = Guide([Step("lamp", "lamp", USUAL)], PIPED)
    play_through(guide, room(1.2))
    (told,) = guide.push(None)
    assert isinstance(told, Say)
    assert "lost" in told.text
    assert guide.phase == "count"
