"""The notes beside a recording: where something is missing, and notes that are damaged or of something else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from spotter.cli.listen import main as listen
from spotter.errors import BadInputError
from spotter.sources import Missing
from spotter.sources.recordings import Recording, notes_path, open_sound
from tests.fakes import TALK
from tests.recorded_streams import RATE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def kept(folder: Path, missing: object) -> Path:
    path = folder / "a.wav"
    soundfile.write(path, TALK, RATE, "FLOAT")
    values = {"type": "recording", "format": 1, "sample_rate": RATE, "channels": 1, "missing": missing}
    notes_path(path).write_text(json.dumps(values), "utf-8")
    return path


def pieces(path: Path) -> Iterator[int | Missing]:
    for block in open_sound(path).blocks():
        yield block if isinstance(block, Missing) else len(block)


def test_missing_places_lie_where_the_notes_say(tmp_path: Path) -> None:
    missing = [
        {"frame": 0, "samples": 5, "reason": "device"},
        {"frame": 16_000, "frames": 7, "reason": "driver"},
        {"frame": 16_000, "frames": 8, "reason": "overflow"},
        {"frame": 20_000, "frames": 9, "reason": "driver"},
        {"frame": len(TALK), "frames": 10, "reason": "driver"},
        {"frame": len(TALK) + 1, "frames": 11, "reason": "driver"},  # the kill came before the samples
    ]
    found = list(pieces(kept(tmp_path, missing)))
    assert [item for item in found if isinstance(item, Missing)] == [
        Missing(samples=5, reason="device"),
        *(
            Missing(frames=frames, reason=why)
            for frames, why in ((7, "driver"), (8, "overflow"), (9, "driver"), (10, "driver"))
        ),
    ]
    at, places = 0, []
    for item in found:
        if isinstance(item, Missing):
            places.append(at)
        else:
            at += item
    assert places == [0, 16_000, 16_000, 20_000, len(TALK)]
    assert at == len(TALK)


@pytest.mark.parametrize(
    "missing",
    [
        None,
        "x",
        [3],
        [{}],
        [{"frame": 1}],
        [{"frame": -1, "frames": 1, "reason": "x"}],
        [{"frame": 1, "frames": 0, "reason": "x"}],
        [{"frame": 1, "frames": 1, "samples": 1, "reason": "x"}],
        [{"frame": 1, "frames": 1, "reason": 3}],
        [{"frame": 1, "frames": True, "reason": "x"}],
        [{"frame": 1, "frames": 1 << 60, "reason": "x"}],
        [{"frame": 9, "frames": 1, "reason": "x"}, {"frame": 1, "frames": 1, "reason": "x"}],
    ],
)
def test_damaged_notes_get_one_line_and_2(missing: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert listen(["--input", str(kept(tmp_path, missing))]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "a.wav.json does not fit its recording" in line


def test_notes_of_another_recording_are_refused(tmp_path: Path) -> None:
    path = kept(tmp_path, [])
    soundfile.write(path, np.stack((TALK, TALK), axis=1), RATE, "FLOAT")
    with pytest.raises(BadInputError, match="channels is 1, and the recording's 2"):
        open_sound(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"type": "review"}', '{"name": "x"}', "[" * 100_000])
def test_a_file_of_that_name_that_is_something_else_is_not_looked_at(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, TALK, RATE)
    notes_path(path).write_text(text)
    source = open_sound(path)
    assert not isinstance(source, Recording)
    assert source.padded


def test_notes_of_a_newer_version_are_said_to_be(tmp_path: Path) -> None:
    path = kept(tmp_path, [])
    notes_path(path).write_text(json.dumps({"type": "recording", "format": 2}))
    with pytest.raises(BadInputError, match="update spotter"):
        open_sound(path)


def test_a_picture_of_a_recording_shows_what_is_missing_as_silence(tmp_path: Path) -> None:
    from spotter.cli.explaining import piece

    path = kept(
        tmp_path,
        [{"frame": 20_000, "frames": 3_000, "reason": "driver"}, {"frame": 40_000, "samples": 100, "reason": "x"}],
    )
    shown = piece(open_sound(path), 1.0, 3.0)
    whole = np.concatenate((TALK[:20_000], np.zeros(3_000), TALK[20_000:40_000], np.zeros(100), TALK[40_000:]))
    assert np.array_equal(shown, whole[16_000:48_000].astype(np.float32))
