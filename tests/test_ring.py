"""The ring between two threads: never a wrong sample, every loss at its place."""

from __future__ import annotations

import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.ring import Lost, Ring


def numbered(first: int, count: int, channels: int = 1) -> np.ndarray:
    """Frames that carry their own number (exact in float32 below 2**24)."""
    return np.repeat(np.arange(first, first + count, dtype=np.float32)[:, None], channels, axis=1)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 9)),
        st.tuples(st.just("lose"), st.integers(1, 50)),
        st.tuples(st.just("read"), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=200)
@given(steps=steps, capacity=st.integers(1, 12), channels=st.integers(1, 3), raw=st.booleans())
def test_what_comes_out_is_what_went_in_with_every_loss_at_its_place(
    *, steps: list[tuple[str, int]], capacity: int, channels: int, raw: bool
) -> None:
    ring = Ring(capacity, channels)
    model: list[object] = []  # frame numbers that must come out, and ("lost", reason) marks with their length
    out: list[object] = []
    number = lost = 0

    def remember_loss(frames: int, reason: str) -> None:
        tail: list[Lost] = []
        while model and isinstance(last := model[-1], Lost):
            tail.insert(0, last)
            model.pop()
        merged = {item.reason: item.frames for item in tail}
        merged[reason] = merged.get(reason, 0) + frames
        model.extend(Lost(frames, reason) for reason, frames in merged.items())

    def read_one() -> bool:
        piece = ring.read()
        if isinstance(piece, Lost):
            out.append(piece)
        elif piece is not None:
            assert (piece == piece[:, :1]).all()
            out.extend(piece[:, 0].astype(int).tolist())
        return piece is not None

    for what, amount in steps:
        if what == "write":
            block = numbered(number, amount, channels)
            stored = ring.write_raw(block.tobytes(), amount) if raw else ring.write(block)
            model.extend(range(number, number + stored))
            if stored < amount:
                lost += amount - stored
                remember_loss(amount - stored, "overflow")
            number += amount
        elif what == "lose":
            ring.lose(amount)
            remember_loss(amount, "driver")
        else:
            read_one()
    ring.flush()
    while read_one():
        pass
    assert out == model
    assert ring.dropped == lost


def test_a_full_ring_drops_the_new_frames_and_counts_them() -> None:
    ring = Ring(10, 1)
    assert ring.write(numbered(0, 8)) == 8
    assert ring.write(numbered(8, 8)) == 2
    assert ring.write(numbered(16, 4)) == 0
    assert (ring.dropped, ring.overflows) == (10, 1)
    piece = ring.read()
    assert isinstance(piece, np.ndarray)
    assert piece[:, 0].tolist() == list(range(10))
    assert ring.read() is None
    assert ring.write(numbered(20, 3)) == 3
    assert ring.read() == Lost(10, "overflow")
    piece = ring.read()
    assert isinstance(piece, np.ndarray)
    assert piece[:, 0].tolist() == [20, 21, 22]


def test_a_piece_that_is_being_looked_at_is_not_overwritten() -> None:
    ring = Ring(4, 1)
    ring.write(numbered(0, 4))
    piece = ring.read()
    assert isinstance(piece, np.ndarray)
    assert ring.write(numbered(4, 4)) == 0
    assert piece[:, 0].tolist() == [0, 1, 2, 3]
    ring.read()
    assert ring.write(numbered(8, 4)) == 4


def test_a_loss_shows_when_writing_resumes_or_at_the_end() -> None:
    ring = Ring(8, 1)
    ring.write(numbered(0, 2))
    ring.lose(5)
    ring.read()
    assert ring.read() is None
    ring.flush()
    assert ring.read() == Lost(5, "driver")
    assert ring.read() is None


def test_losses_without_a_reader_stay_within_fixed_memory_and_none_is_forgotten() -> None:
    ring = Ring(100_000, 1)
    for number in range(5_000):
        ring.write(numbered(number, 1))
        ring.lose(1)
    assert len(ring._losses) <= 256
    ring.flush()
    frames = missing = 0
    while (piece := ring.read()) is not None:
        if isinstance(piece, Lost):
            missing += piece.frames
        else:
            assert piece[:, 0].tolist() == list(range(frames, frames + len(piece)))
            frames += len(piece)
    assert frames + missing == 10_000


def test_reset_equals_new() -> None:
    ring = Ring(4, 1)
    ring.write(numbered(0, 9))
    ring.read()
    ring.lose(3)
    ring.reset()
    assert ring.read() is None
    assert (ring.dropped, ring.overflows) == (0, 0)
    assert ring.write(numbered(0, 4)) == 4


@pytest.mark.parametrize("shape", [(5, 1), (5, 3), (5,)])
def test_a_wrong_number_of_channels_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="channels"):
        Ring(10, 2).write(np.zeros(shape, np.float32))


def test_raw_data_of_another_size_is_refused_and_nothing_stored() -> None:
    ring = Ring(10, 1)
    with pytest.raises(ValueError, match=r"size|structures"):
        ring.write_raw(bytes(12), 4)
    assert ring.read() is None


def test_a_ring_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        Ring(0, 1)


@pytest.mark.parametrize(("capacity", "pause"), [(4_000, False), (300, True), (50, True)])
def test_two_threads_never_see_a_wrong_sample(*, capacity: int, pause: bool) -> None:
    total = 200_000
    ring = Ring(capacity, 2)
    rng = np.random.default_rng(1)
    sizes = rng.integers(1, 120, size=total // 20).tolist()
    done = threading.Event()
    lost_by_driver = 0

    def write() -> None:
        nonlocal lost_by_driver
        number = 0
        for turn, size in enumerate(sizes):
            if turn % 97 == 96:
                ring.lose(size)
                number += size
                lost_by_driver += size
                continue
            block = numbered(number, size, 2)
            if pause:
                ring.write_raw(block.data.cast("B"), size)
            else:  # lossless: wait for room, as a file does
                stored = 0
                while stored < size:
                    room = capacity - (ring._written - ring._read)
                    if room:
                        stored += ring.write(block[stored : stored + room])
                    else:
                        time.sleep(0)
            block.fill(-1.0)  # the driver takes its buffer back
            number += size
            if number >= total:
                break
        ring.flush()
        done.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        writer = threading.Thread(target=write)
        writer.start()
        expected = missing_overflow = missing_driver = pieces = 0
        while True:
            ended = done.is_set()
            piece = ring.read()
            if piece is None:
                if ended:
                    break
                time.sleep(0)
            elif isinstance(piece, Lost):
                expected += piece.frames
                if piece.reason == "overflow":
                    missing_overflow += piece.frames
                else:
                    missing_driver += piece.frames
            else:
                wanted = numbered(expected, len(piece), 2)
                assert np.array_equal(piece, wanted)
                pieces += 1
                if pause and pieces % 5 == 0:
                    time.sleep(0.0002)
                assert np.array_equal(piece, wanted), "overwritten while it was looked at"
                expected += len(piece)
        writer.join()
    finally:
        sys.setswitchinterval(interval)
    assert missing_driver == lost_by_driver
    assert missing_overflow == ring.dropped
    assert (ring.overflows > 0) == pause
    assert expected >= total
