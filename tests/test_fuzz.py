"""Whatever stands in a manifest, a sound file or a stream: a clean result or a clean error, never another exception."""

from __future__ import annotations

import copy
import io
import json
import os
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spotter.errors import ModelError, SpotterError
from spotter.examination import Examination
from spotter.listener import Listener
from spotter.manifest import parse_manifest
from spotter.model import Model
from spotter.pipeline import Spotter
from spotter.sources import Missing
from spotter.sources.pcm import PcmStream
from spotter.sources.recordings import notes_path, open_sound
from tests.fakes import TALK, ScriptedModel

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = Path(__file__).parents[1] / "models" / "commands"
MANIFEST: dict[str, Any] = json.loads((MODEL / "manifest.json").read_text("utf-8"))
MANIFEST["training"] = {"command": "python -m train"}  # the rest of it is of no interest here, and long
RATE = 16_000
# SPOTTER_FUZZ=100 tries a hundred times as much, each time something else.
MORE = int(os.environ.get("SPOTTER_FUZZ", "0"))


def tries(count: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=count * max(1, MORE),
        derandomize=not MORE,
        suppress_health_check=list(HealthCheck),
    )


# Manifests

NUMBERS = st.one_of(
    st.integers(-3, 700),
    st.integers(),
    st.sampled_from([2**31, 2**63, 2**80, 1e308, -0.0, 1e-320, float("nan"), float("inf"), 16_000, 320, 0.5]),
    st.floats(),
)
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), NUMBERS, st.text(max_size=8), st.sampled_from(["mel", "yes", "_unknown_", "a/b"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)


def places(values: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in nested lists and objects."""
    found = [path] if path else []
    children = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, value in children:
        found.extend(places(value, (*path, key)))
    return found


PLACES = places(MANIFEST)


@st.composite
def manifests(draw: st.DrawFn) -> Any:
    values = copy.deepcopy(MANIFEST)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(PLACES))
        inner: Any = values
        try:
            for key in path[:-1]:
                inner = inner[key]
            old = inner[path[-1]]
            what = draw(st.sampled_from(["replace", "replace", "nearby", "remove", "add"]))
            if what == "remove":
                del inner[path[-1]]
            elif what == "add" and isinstance(inner, dict):
                inner[draw(st.text(max_size=6))] = draw(VALUES)
            elif what == "nearby" and isinstance(old, int | float):
                inner[path[-1]] = draw(st.sampled_from([old + 1, old - 1, -old, old * 2, old / 2, old * 1_000]))
            else:
                inner[path[-1]] = draw(VALUES)
        except (KeyError, IndexError, TypeError):
            continue
    return values


@tries(300)
@given(manifests())
def test_a_manifest_is_read_or_refused(values: Any) -> None:
    with suppress(SpotterError):
        parse_manifest(values)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("fuzzed") / "model"
    shutil.copytree(MODEL, where)
    return where


@tries(60)
@given(values=manifests())
def test_a_model_is_opened_and_hears_or_is_refused(folder: Path, values: Any) -> None:
    opens(folder, values)


def opens(folder: Path, values: Any) -> None:
    (folder / "manifest.json").write_text(json.dumps(values), "utf-8")
    with suppress(SpotterError):
        model = Model.open(folder)
        spotter = Spotter(model)
        spotter.write(TALK[: 3 * RATE])
        list(spotter.events())
        list(spotter.finish())


@tries(60)
@given(st.binary(max_size=200), st.integers(0, 1_000), st.booleans())
def test_bytes_that_are_no_manifest_are_refused(folder: Path, data: bytes, at: int, whole: bool) -> None:
    real = json.dumps(MANIFEST).encode()
    (folder / "manifest.json").write_bytes(data if whole else real[:at] + data + real[at + len(data) :])
    with suppress(ModelError):
        Model.open(folder)


# Sound files


@cache
def sound_file(form: str, subtype: str | None) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, np.stack((TALK, -TALK), axis=1)[: 2 * RATE], RATE, subtype=subtype, format=form)
    return out.getvalue()


FORMATS = [
    ("WAV", None),
    ("WAV", "FLOAT"),
    ("FLAC", None),
    ("OGG", "OPUS"),
    ("OGG", None),
    ("MP3", None),
    ("AIFF", None),
]
FORMATS += [("W64", None), ("RF64", "FLOAT"), ("AU", None), ("WAV", "IMA_ADPCM")]


class Damage(NamedTuple):
    """What is done to a sound file: bytes changed, most in its header, something put in, the end cut off."""

    form: tuple[str, str | None]
    patches: list[tuple[float, bytes]]  # where, and what
    put_in: tuple[float, bytes]
    cut: float

    def done(self) -> bytes:
        data = bytearray(sound_file(*self.form))

        def place(where: float) -> int:
            return round(where) if where >= 1 else round(where * len(data))

        for where, patch in self.patches:
            data[place(where) : place(where) + len(patch)] = patch
        at = place(self.put_in[0])
        data[at:at] = self.put_in[1]
        return bytes(data[: place(self.cut)] if self.cut else data)


WHERE = st.one_of(st.integers(1, 120).map(float), st.floats(0.0, 0.999))
DAMAGES = st.builds(
    Damage,
    form=st.sampled_from(FORMATS),
    patches=st.lists(
        st.tuples(WHERE, st.one_of(st.binary(min_size=1, max_size=4), st.sampled_from([b"\xff" * 4, bytes(4)]))),
        max_size=4,
    ),
    put_in=st.tuples(WHERE, st.one_of(st.just(b""), st.binary(max_size=64))),
    cut=st.one_of(st.just(0.0), WHERE),
)


def hears(data: bytes, notes: object = None) -> None:
    """Hear a file to its end, and examine it."""
    with tempfile.TemporaryDirectory() as where:
        path = Path(where) / "sound"
        path.write_bytes(data)
        if notes is not None:
            notes_path(path).write_text(json.dumps(notes))
        with suppress(SpotterError):
            source = open_sound(path)
            listener = Listener(ScriptedModel(), source=source)
            listener.run(20.0)
            examination = Examination(source.sample_rate, source.channels)
            frames = 0
            for block in source.blocks():
                if not isinstance(block, Missing):
                    examination.add(block)
                    frames += len(block)
                if frames > 20 * source.sample_rate:
                    break
            examination.finish()
            json.dumps(examination.figures())


@tries(120)
@given(DAMAGES)
def test_a_damaged_sound_file_is_heard_as_far_as_it_goes_or_refused(damage: Damage) -> None:
    hears(damage.done())


@tries(40)
@given(
    st.binary(max_size=400), st.sampled_from([b"", b"RIFF", b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"riff", b"FORM"])
)
def test_bytes_that_are_no_sound_are_refused(data: bytes, begin: bytes) -> None:
    hears(begin + data)


ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "frame": st.one_of(st.integers(0, 70_000), NUMBERS, VALUES),
        "frames": st.one_of(st.integers(0, 70_000), NUMBERS),
        "samples": st.one_of(st.integers(0, 70_000), NUMBERS),
        "reason": st.one_of(st.text(max_size=5), VALUES),
    },
)


@tries(60)
@given(st.one_of(VALUES, st.lists(ENTRIES, max_size=5)), VALUES)
def test_notes_of_any_kind_beside_a_recording_are_used_or_refused(missing: Any, form: Any) -> None:
    notes = {"type": "recording", "sample_rate": RATE, "channels": 2, "missing": missing, "format": 1 if form else form}
    hears(sound_file("WAV", "FLOAT"), notes)


# Streams


class Trickle(io.RawIOBase):
    """Standard input that gives a few bytes at a time."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece]

    def read1(self, _most: int) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


@tries(60)
@given(st.lists(st.one_of(st.binary(max_size=50), st.binary(min_size=2_000, max_size=9_001)), max_size=12))
def test_any_bytes_on_standard_input_are_heard_in_whole_samples(pieces: list[bytes]) -> None:
    stream: Any = Trickle(pieces)
    listener = Listener(ScriptedModel(), source=PcmStream(stream))
    with suppress(SpotterError):
        listener.run()
    assert listener.spotter is not None
    assert listener.spotter.position == sum(map(len, pieces)) // 2


@tries(60)
@given(
    st.lists(
        st.lists(st.floats(width=32, allow_nan=True, allow_infinity=True), min_size=1, max_size=30),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([1_000, 16_000, 44_100, 768_000]),
    st.integers(1, 3),
)
def test_any_floats_are_heard_and_examined(rows: list[list[float]], rate: int, channels: int) -> None:
    spotter = Spotter(ScriptedModel(), sample_rate=rate, channels=channels)
    examination = Examination(rate, channels)
    for row in rows:
        frames = np.repeat(np.array(row, np.float32), channels * 50).reshape(-1, channels)
        spotter.write(frames)
        list(spotter.events())
        examination.add(frames)
    list(spotter.finish())
    examination.finish()
    json.dumps(examination.figures(), allow_nan=False)
    examination.findings()


# What was found this way


def test_samples_that_are_absurdly_large_are_counted_as_no_sound() -> None:
    examination = Examination(RATE, 1)
    examination.add(np.full((1_000, 1), 7.9e18, np.float32))
    examination.add(TALK[:, None])
    examination.finish()
    assert examination.figures()["invalid_samples"] == 1_000
    assert "absurdly large" in examination.findings()["invalid"]
