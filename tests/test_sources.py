"""Where samples come from: files of all kinds, raw PCM, memory; and what damaged ones give."""

from __future__ import annotations

import builtins
import contextlib
import io
import logging
import os
import struct
import sys
import threading
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import soundfile

from spotter.errors import BadInputError, SpotterError
from spotter.sources.files import AudioFile
from spotter.sources.memory import Samples, as_frames
from spotter.sources.pcm import PcmStream

if TYPE_CHECKING:
    from spotter.arrays import Floats

NOISE = (np.random.default_rng(0).standard_normal(16_000) * 3_000).astype(np.int16)


def read(source: AudioFile | PcmStream | Samples) -> Floats:
    return np.concatenate([block.copy() for block in source.blocks()])


def wav(path: Path, samples: np.ndarray, *, size: int | None = None, form: bytes = b"RIFF", extra: bytes = b"") -> Path:
    """Write a WAV file whose header says `size` bytes of 16-bit samples at 16 kHz."""
    order = ">" if form == b"RIFX" else "<"
    data = samples.astype(order + "i2").tobytes()
    size = len(data) if size is None else size
    chunks = b""
    if form == b"RF64":
        chunks = b"ds64" + struct.pack("<IQQQI", 28, size + 72, size, size // 2, 0)
    chunks += extra + b"fmt " + struct.pack(order + "IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    stated = 0xFFFFFFFF if form == b"RF64" else size
    chunks += b"data" + struct.pack(order + "I", stated) + data
    whole = 0xFFFFFFFF if form == b"RF64" else min(size + 36, 0xFFFFFFFF)
    path.write_bytes(form + struct.pack(order + "I", whole) + b"WAVE" + chunks)
    return path


@pytest.mark.parametrize(
    ("kind", "subtype", "tolerance"),
    [
        ("WAV", "PCM_U8", 1 / 128),
        ("WAV", "PCM_16", 0.0),
        ("WAV", "PCM_24", 0.0),
        ("WAV", "PCM_32", 0.0),
        ("WAV", "FLOAT", 0.0),
        ("WAV", "DOUBLE", 0.0),
        ("RF64", "PCM_16", 0.0),
        ("FLAC", "PCM_16", 0.0),
        ("AIFF", "PCM_16", 0.0),
    ],
)
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate", [8_000, 96_000])
def test_every_format_gives_the_samples_at_full_scale_one(
    tmp_path: Path, kind: str, subtype: str, tolerance: float, channels: int, rate: int
) -> None:
    frames = as_frames(NOISE[: 15_996 // channels * channels].reshape(-1, channels))
    path = tmp_path / "sound"
    soundfile.write(path, frames, rate, subtype, format=kind)
    source = AudioFile(path)
    assert (source.sample_rate, source.channels, source.frames) == (rate, channels, len(frames))
    np.testing.assert_allclose(read(source), frames, atol=tolerance)


def test_a_file_may_be_read_again(tmp_path: Path) -> None:
    source = AudioFile(wav(tmp_path / "a.wav", NOISE))
    assert np.array_equal(read(source), read(source))


def test_blocks_are_about_a_second_and_memory_stays_constant(tmp_path: Path) -> None:
    path = wav(tmp_path / "long.wav", np.tile(NOISE, 200))
    source = AudioFile(path)
    tracemalloc.start()
    try:
        sizes = [len(block) for block in source.blocks()]
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sizes == [16_000] * 200
    assert most < 1_000_000


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (None, "there is no file"),
        (b"", "is empty"),
        (b"RIFF", "no audio file"),
        (b"words, not sound\n" * 99, "no audio"),
    ],
)
def test_what_is_no_recording_is_refused_in_a_sentence(tmp_path: Path, content: bytes | None, hint: str) -> None:
    path = tmp_path / "talk.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInputError, match=hint) as caught:
        AudioFile(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["noise.raw", "noise.mp3", "noise"])
def test_a_name_makes_no_recording(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(bytes(range(256)) * 20)
    with pytest.raises(BadInputError, match="no audio file"):
        AudioFile(tmp_path / name)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="is a folder"):
        AudioFile(tmp_path)


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(BadInputError, match="check the path"):
        AudioFile("a\0b")


def test_a_file_without_rights_is_refused(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav", NOISE)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(BadInputError, match="cannot be read"):
        AudioFile(path)


def test_a_recording_of_nothing_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.aiff", np.zeros(0, np.float32), 16_000)
    with pytest.raises(BadInputError, match="no samples"):
        AudioFile(tmp_path / "a.aiff")
    with pytest.raises(BadInputError, match="no samples"):
        AudioFile(wav(tmp_path / "a.wav", NOISE[:0]))


@pytest.mark.parametrize(
    ("form", "extra"),
    [
        (b"RIFF", b""),
        (b"RIFF", b"LIST" + struct.pack("<I", 3) + b"abc\0"),
        (b"RIFX", b"LIST" + struct.pack(">I", 3) + b"abc\0"),
        (b"RF64", b""),
    ],
)
def test_a_header_that_promises_more_is_not_believed_and_the_shortfall_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, form: bytes, extra: bytes
) -> None:
    source = AudioFile(wav(tmp_path / "cut.wav", NOISE, size=4 * len(NOISE), form=form, extra=extra))
    assert np.array_equal(read(source), as_frames(NOISE))
    assert "1.00 s shorter than its header says; the 1.00 s that are there were used" in caplog.text


@pytest.mark.parametrize("kind", ["AIFF", "AU", "W64"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_other_formats_that_are_cut_are_said_to_be_shorter_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, subtype: str
) -> None:
    path = tmp_path / "sound"
    soundfile.write(path, as_frames(np.tile(NOISE, 4).reshape(-1, 2)), 16_000, subtype, format=kind)
    assert len(read(AudioFile(path))) == 32_000
    assert not caplog.text
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 15_900 < len(read(AudioFile(path))) <= 16_000
    assert "1.00 s shorter than its header says; the 1.00 s that are there were used" in caplog.text


@pytest.mark.parametrize("size", [0, 0xFFFF_FFFF])
def test_an_au_file_of_a_streaming_writer_promises_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    path = tmp_path / "piped.au"
    soundfile.write(path, as_frames(NOISE), 16_000)
    content = bytearray(path.read_bytes())
    content[8:12] = struct.pack(">I", size)
    path.write_bytes(content)
    with contextlib.suppress(BadInputError):  # libsndfile takes a 0 at its word
        read(AudioFile(path))
    assert not caplog.text


@pytest.mark.parametrize("size", [0, 0x7FFF_F000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF])
def test_a_length_that_a_streaming_writer_left_is_no_promise(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    source = AudioFile(wav(tmp_path / "piped.wav", NOISE, size=size))
    assert np.array_equal(read(source), as_frames(NOISE))
    assert not caplog.text


@pytest.mark.parametrize("size", [0, (1 << 64) - 1])
def test_a_long_header_without_a_length_is_no_promise(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    path = wav(tmp_path / "piped.wav", NOISE, size=1, form=b"RF64")
    content = bytearray(path.read_bytes())
    content[28:36] = struct.pack("<Q", size)
    path.write_bytes(content)
    assert np.array_equal(read(AudioFile(path)), as_frames(NOISE))
    assert not caplog.text


def test_a_header_that_promises_less_is_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = AudioFile(wav(tmp_path / "tail.wav", NOISE, size=8_000))
    assert np.array_equal(read(source), as_frames(NOISE[:4_000]))
    assert not caplog.text


def test_a_file_that_is_damaged_midway_gives_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "cut.flac"
    soundfile.write(path, np.tile(NOISE, 4), 16_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    got: list[Floats] = []
    with pytest.raises(BadInputError, match=r"cannot be decoded after 1\.\d+ s"):
        got.extend(block.copy() for block in AudioFile(path).blocks())
    heard = np.concatenate(got)
    assert 24_000 < len(heard) <= 32_000
    assert np.array_equal(heard, as_frames(np.tile(NOISE, 4))[: len(heard)])


def damaged_mp3(path: Path) -> Path:
    """An MP3 file that libmpg123 reads and complains about: it is short, and a frame in it is damaged."""
    soundfile.write(path, np.tile(NOISE, 4), 16_000, format="MP3")
    content = bytearray(path.read_bytes())
    del content[4_000:4_400]
    path.write_bytes(content)
    return path


def test_what_libmpg123_says_about_a_file_that_it_reads_is_kept_from_stderr(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = damaged_mp3(tmp_path / "a.mp3")
    soundfile.read(path)
    assert "Warning: " in capfd.readouterr().err  # else this would test nothing
    assert len(read(AudioFile(path))) > 30_000
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (ModuleNotFoundError("No module named 'soundfile'"), "the package soundfile is missing; run `"),
        (OSError("cannot load library 'libsndfile.so'"), "libsndfile, .* does not load .*libsndfile.so.*; run `"),
    ],
)
def test_without_libsndfile_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, hint: str
) -> None:
    really = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name == "soundfile":
            raise error
        return really(name, *rest, **more)

    path = wav(tmp_path / "a.wav", NOISE)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(SpotterError, match=hint) as caught:
        AudioFile(path)
    assert caught.value.exit_code == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in the file system")
def test_a_named_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = wav(tmp_path / "a.wav", NOISE).read_bytes()
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    source = AudioFile(pipe)
    assert np.array_equal(read(source), as_frames(NOISE))
    writer.join()


class Trickle(io.RawIOBase):
    """A stream that hands over these pieces, one a read."""

    def __init__(self, *pieces: bytes) -> None:
        super().__init__()
        self._pieces = list(pieces)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self._pieces.pop(0) if self._pieces else b""
        buffer[: len(piece)] = piece
        return len(piece)


@pytest.mark.parametrize("size", [1, 2, 3, 999, 32_000])
def test_raw_samples_come_as_they_arrive_even_when_a_read_splits_one(size: int) -> None:
    data = NOISE.astype("<i2").tobytes()
    pieces = [data[at : at + size] for at in range(0, 4_000, size)]
    source = PcmStream(io.BufferedReader(Trickle(*pieces)))
    blocks = [block.copy() for block in source.blocks()]
    whole = sum(map(len, pieces)) // 2
    assert np.array_equal(np.concatenate(blocks), as_frames(NOISE[:whole]))
    assert len(blocks) == len(pieces)


def test_half_a_sample_at_the_end_is_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    data = NOISE.astype("<i2").tobytes()
    source = PcmStream(io.BytesIO(data + b"x"))
    assert np.array_equal(read(source), as_frames(NOISE))
    assert "standard input ended in the middle of a sample; the 1.00 s before it were used" in caplog.text


@pytest.mark.parametrize("data", [b"", b"x"])
def test_a_stream_of_nothing_is_refused(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(BadInputError, match="no samples"):
        read(PcmStream(io.BytesIO(data)))
    assert not caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="nobody can tell there whether a pipe has something")
def test_a_pipe_is_not_waited_for_until_the_buffer_is_full() -> None:
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb") as stream:
        blocks = PcmStream(stream).blocks()
        assert len(next(blocks)) == 0  # nothing yet, and that is said
        os.write(theirs, NOISE[:160].astype("<i2").tobytes())
        assert np.array_equal(next(blocks), as_frames(NOISE[:160]))
        os.close(theirs)
        assert list(blocks) == []


def test_int16_is_exactly_x_over_32768() -> None:
    every = np.arange(-32_768, 32_768).astype(np.int16)
    assert np.array_equal(as_frames(every)[:, 0] * 32_768, every.astype(np.float32))
    assert np.array_equal(read(PcmStream(io.BytesIO(every.astype("<i2").tobytes()))), as_frames(every))


def test_samples_in_memory_come_in_blocks() -> None:
    source = Samples(as_frames(NOISE), 8_000, block_samples=3_000)
    assert [len(block) for block in source.blocks()] == [3_000] * 5 + [1_000]
    assert np.array_equal(read(source), as_frames(NOISE))


@pytest.mark.parametrize(
    "samples", [np.zeros(5, np.int32), np.zeros((2, 2, 2), np.float32), np.zeros((3, 0), np.float32)]
)
def test_samples_without_agreed_meaning_are_refused(samples: np.ndarray) -> None:
    with pytest.raises(BadInputError, match="give"):
        Samples(cast("Floats", samples))


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "spotter")
