"""What may be wrong with a model's folder, and what is said of it; what is written can be read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spotter.errors import ModelError
from spotter.manifest import read_manifest, write_manifest
from spotter.model import Model
from tests.tiny_model import TINY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may spoil."""
    return Path(shutil.copytree(TINY, tmp_path / "tiny"))


def spoil(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    values = json.loads(path.read_text())
    for key, value in changes.items():
        if value is ...:
            del values[key]
        else:
            values[key] = value
    path.write_text(json.dumps(values))


ALL_KEYS = ("format", "name", "labels", "keywords", "sample_rate", "window", "context", "step", "frontend", "files",
            "decoder", "training", "licence")  # fmt: skip


@pytest.mark.parametrize("key", ALL_KEYS)
def test_a_missing_key_is_named(folder: Path, key: str) -> None:
    spoil(folder, **{key: ...})
    with pytest.raises(ModelError, match=rf"'{key}' is missing; export"):
        Model.open(folder)


@pytest.mark.parametrize("key", ALL_KEYS)
def test_a_value_of_another_type_is_named(folder: Path, key: str) -> None:
    spoil(folder, **{key: True})
    with pytest.raises(ModelError, match=rf"'{key}' is True, not an? \w+; export"):
        Model.open(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "format 2 is newer than 1, .*; update spotter"),
        ({"format": 0}, "format 0 never existed; export"),
        ({"labels": ["yes", "yes"]}, r"labels is \['yes', 'yes'\], not a list of different words"),
        ({"labels": []}, r"labels is \[\]"),
        ({"labels": ["yes", 3]}, r"labels is \['yes', 3\]"),
        ({"keywords": ["maybe"]}, "keyword 'maybe' is none of the labels _silence_, _unknown_, yes, no; export"),
        ({"keywords": ["_unknown_"]}, "keyword '_unknown_' is none of the labels"),
        ({"sample_rate": 8_000}, "sample_rate is 8000 Hz; train the model at 16000 Hz"),
        ({"context": 18_001}, r"context 18001 is not the samples of a whole number of frames \(18000 are\)"),
        ({"context": 0}, "context 0 is not"),
        ({"window": 20_000}, "window 20000 does not lie within the context of 18000 samples"),
        ({"step": 0}, "step 0 is no positive multiple of the front-end's hop of 160"),
        ({"step": 200}, "step 200 is no positive multiple"),
        ({"step": 16_160}, "step 16160 is more than a second or than the context of 18000"),
        ({"frontend": {"kind": "log_mel", "pcen": True}}, "unknown front-end option 'pcen'; update spotter"),
        ({"frontend": {"kind": "wavelet"}}, "no front-end called 'wavelet'; update spotter"),
        ({"frontend": {"mel_bands": "40"}}, "front-end option 'mel_bands' has the value '40'"),
        ({"decoder": {"threshold": 2.0}}, "threshold 2.0 is out of range; give a number between 0 and 1"),
        ({"decoder": {"thresholds": {"maybe": 0.5}}}, "threshold for 'maybe', which is no keyword"),
        ({"files": {}}, "files does not list model.tflite; export"),
        ({"files": {"../model.tflite": {}}}, "files names '../model.tflite', which is no file of the folder"),
        ({"files": {"model.tflite": 3}}, "files has 3 for model.tflite, not its sha256 and bytes"),
        ({"files": {"model.tflite": {"bytes": 3}}}, "'sha256' of model.tflite is missing"),
        ({"files": {"model.tflite": {"sha256": "00", "bytes": "3"}}}, "'bytes' of model.tflite is '3', not an integer"),
    ],
)
def test_a_wrong_value_is_named_with_the_fix(folder: Path, changes: dict[str, Any], words: str) -> None:
    spoil(folder, **changes)
    with pytest.raises(ModelError, match=words) as caught:
        Model.open(folder)
    said = str(caught.value)
    assert said.startswith(str(folder / "manifest.json"))
    assert "; " in said
    assert "\n" not in said


@pytest.mark.parametrize("text", ["", "{", "[1]", "\xff", "null"])
def test_a_manifest_that_is_no_json_object_is_named(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match=r"manifest\.json (is not JSON|holds no JSON object).*; export"):
        Model.open(folder)


def test_a_folder_without_a_manifest_is_named(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    with pytest.raises(ModelError, match=r"tiny holds no manifest\.json; give the folder"):
        Model.open(folder)


def changed_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def shorter(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("file", ["model.tflite", "model.stream.tflite"])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (Path.unlink, "which the manifest names, is missing; export"),
        (shorter, r"has \d+ bytes where the manifest says \d+; export"),
        (changed_byte, "its SHA-256 differs; export"),
    ],
)
def test_a_damaged_file_is_named(folder: Path, file: str, damage: Callable[[Path], None], words: str) -> None:
    damage(folder / file)
    with pytest.raises(ModelError, match=words) as caught:
        Model.open(folder)
    assert str(folder / file) in str(caught.value)


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("model.tflite", {"labels": ["_silence_", "_unknown_", "yes", "no", "more"]}),
        ("model.tflite", {"context": 18_160}),
        ("model.tflite", {"frontend": {"mel_bands": 32}}),
        ("model.stream.tflite", {}),
    ],
)
def test_a_network_that_does_not_fit_the_manifest_is_named(folder: Path, file: str, changes: dict[str, Any]) -> None:
    if not changes:
        shutil.copy(folder / "model.tflite", folder / file)
    manifest = {**json.loads((folder / "manifest.json").read_text()), **changes}
    write_manifest(folder, manifest, ["model.tflite", "model.stream.tflite"])
    with pytest.raises(ModelError, match=rf"{file} takes .* ask for .*; export the model again"):
        Model.open(folder)


def test_a_network_that_is_none_is_named(folder: Path) -> None:
    (folder / "model.tflite").write_bytes(b"not a network")
    write_manifest(folder, json.loads((folder / "manifest.json").read_text()), ["model.tflite"])
    with pytest.raises(ModelError, match=r"no readable \.tflite file .*; export"):
        Model.open(folder)


def test_a_manifest_that_could_not_be_read_is_not_written(folder: Path) -> None:
    before = (folder / "manifest.json").read_bytes()
    with pytest.raises(ModelError, match="step 7"):
        write_manifest(folder, {**json.loads(before), "step": 7}, ["model.tflite"])
    assert (folder / "manifest.json").read_bytes() == before
    assert not list(folder.glob("*.part"))


def test_what_is_written_is_read(folder: Path) -> None:
    write_manifest(folder, {**json.loads((folder / "manifest.json").read_text()), "name": "größer"}, ["model.tflite"])
    manifest = read_manifest(folder)
    assert manifest.name == "größer"
    assert list(manifest.files) == ["model.tflite"]
    assert not list(folder.glob("*.part"))
