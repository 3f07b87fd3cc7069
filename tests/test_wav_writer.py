"""A WAV file that can be read while it grows, also past what WAV can hold."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.sources.files import AudioFile
from spotter.wav_writer import HEADER_BYTES, WavWriter, header
from tests.recorded_streams import RATE

if TYPE_CHECKING:
    from spotter.arrays import Floats


@settings(max_examples=25)
@given(st.integers(1, 3), st.sampled_from([8_000, 16_000, 44_100]), st.lists(st.integers(0, 700), max_size=6))
def test_what_is_written_is_read_back_to_the_bit_at_any_moment(channels: int, rate: int, sizes: list[int]) -> None:
    import tempfile

    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.wav"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
        writer = WavWriter(descriptor, rate, channels)
        written: Floats = np.zeros((0, channels), np.float32)
        for size in sizes:
            block = rng.standard_normal((size, channels)).astype(np.float32)
            writer.write(block)
            writer.update()
            written = np.concatenate((written, block))
            samples, found = soundfile.read(path, dtype="float32", always_2d=True)
            assert found == rate
            assert np.array_equal(samples, written)
        os.close(descriptor)


def test_past_two_gigabytes_it_is_an_rf64_file_that_others_read(tmp_path: Path) -> None:
    frames = (5 << 30) // 4
    path = tmp_path / "long.wav"
    with path.open("wb") as out:
        out.write(header(frames, RATE, 1))
        out.truncate(HEADER_BYTES + 4 * frames)  # a hole: it takes no room
    info = soundfile.info(path)
    assert (info.format, info.frames, info.samplerate) == ("RF64", frames, RATE)
    assert AudioFile(path).frames == frames
    with soundfile.SoundFile(path) as file:
        file.seek(frames - 10)
        assert len(file.read()) == 10


def test_below_that_it_is_a_plain_wav_file(tmp_path: Path) -> None:
    assert header(1_000, RATE, 1)[:4] == b"RIFF"
    assert header(1_000, RATE, 2)[:4] == b"RIFF"
    assert header((1 << 31) // 4, RATE, 1)[:4] == b"RF64"
    assert len(header(10, RATE, 1)) == len(header(1 << 40, RATE, 1)) == HEADER_BYTES
