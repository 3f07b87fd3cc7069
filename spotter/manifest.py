"""A model folder's manifest: what the model is, as data, with the checksum of every file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from spotter.errors import ModelError, SpotterError
from spotter.settings import SAMPLE_RATE, SILENCE, UNKNOWN, DecoderConfig, FrontendConfig

FORMAT: Final = 1
FILE_NAME: Final = "manifest.json"
WINDOW_NETWORK: Final = "model.tflite"
STREAM_NETWORK: Final = "model.stream.tflite"
HEAD: Final = "head.npz"  # of own words; their backbone is installed, and named in the manifest
VOICE: Final = "voice.npz"  # beside a head: whose voice passes
INT8_NETWORK: Final = "model.int8.tflite"  # the window form in whole numbers; float32 goes in and comes out

_AGAIN: Final = "export the model again, or fetch it anew"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a file of the folder must be."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest that was read and found consistent; `raw` is the whole of it."""

    name: str
    labels: tuple[str, ...]  # in the order of the network's output
    keywords: tuple[str, ...]
    window: int  # samples
    context: int  # samples before its end that a score depends on
    step: int  # samples; hops are multiples of it
    frontend: FrontendConfig
    decoder: DecoderConfig
    files: Mapping[str, Checksum]
    raw: Mapping[str, Any]
    backbone: tuple[str, str] | None = None  # name and SHA-256 of the embedding under own words
    languages: tuple[str, ...] = ()  # that the keywords are of, such as "en" or "pt-BR"; () where nothing says so
    phrases: Mapping[str, str] = field(default_factory=dict)  # how a keyword is said, where its name does not say it


def read_manifest(folder: Path) -> Manifest:
    """Read and check a folder's manifest; `ModelError` names what is wrong with it and what to do."""
    path = folder / FILE_NAME
    try:
        values = json.loads(path.read_bytes())
    except FileNotFoundError as problem:
        raise ModelError(f"{folder} holds no {FILE_NAME}; give the folder of an exported model") from problem
    except OSError as problem:
        raise ModelError(f"{path} cannot be read ({problem.strerror}); check the path and its rights") from problem
    except (ValueError, RecursionError) as problem:
        raise ModelError(f"{path} is not JSON ({problem}); {_AGAIN}") from problem
    if not isinstance(values, dict):
        raise ModelError(f"{path} holds no JSON object; {_AGAIN}")
    try:
        return parse_manifest(values)
    except SpotterError as problem:
        raise ModelError(f"{path}: {problem}") from problem


def parse_manifest(values: Mapping[str, Any]) -> Manifest:
    """Check a manifest that is plain data already."""
    # First: what a newer format means by the other keys is not known here.
    written_in = _get(values, "format", int)
    if written_in > FORMAT:
        raise ModelError(f"format {written_in} is newer than {FORMAT}, which this version reads; update spotter")
    if written_in < 1:
        raise ModelError(f"format {written_in} never existed; {_AGAIN}")
    labels, keywords = _words(values, "labels"), _words(values, "keywords")
    strangers = [word for word in keywords if word not in labels or word in (UNKNOWN, SILENCE)]
    if strangers:
        raise ModelError(f"keyword {strangers[0]!r} is none of the labels {', '.join(labels)}; {_AGAIN}")
    sample_rate = _get(values, "sample_rate", int)
    if sample_rate != SAMPLE_RATE:
        raise ModelError(f"sample_rate is {sample_rate} Hz; train the model at {SAMPLE_RATE} Hz")
    frontend = FrontendConfig.from_dict(_get(values, "frontend", dict))
    decoder = DecoderConfig.from_dict(_get(values, "decoder", dict))
    unheard = [word for word in decoder.thresholds if word not in keywords]
    if unheard:
        raise ModelError(f"decoder threshold for {unheard[0]!r}, which is no keyword; {_AGAIN}")
    files = {name: _checksum(name, value) for name, value in _get(values, "files", dict).items()}
    backbone = None
    if "backbone" in values:
        named = _get(values, "backbone", dict)
        backbone = (_get(named, "name", str, " of backbone"), _get(named, "sha256", str, " of backbone"))
    needed = WINDOW_NETWORK if backbone is None else HEAD
    if needed not in files:
        raise ModelError(f"files does not list {needed}; {_AGAIN}")
    manifest = Manifest(
        name=_get(values, "name", str),
        labels=labels,
        keywords=keywords,
        window=_get(values, "window", int),
        context=_get(values, "context", int),
        step=_get(values, "step", int),
        frontend=frontend,
        decoder=decoder,
        files=files,
        raw=values,
        backbone=backbone,
        languages=_words(values, "languages") if "languages" in values else (),
        phrases=_phrases(values, keywords),
    )
    _check_samples(manifest)
    _get(values, "training", dict)
    _get(values, "licence", str)
    return manifest


def write_manifest(folder: Path, manifest: Mapping[str, Any], files: Iterable[str]) -> None:
    """Write `manifest.json` with the checksums of `files`, all at once or not at all.

    Parameters
    ----------
    folder : Path
        Where the files are and the manifest goes.
    manifest : mapping
        Everything but `format` and `files`, which are filled in here.
    files : iterable of str
        Names of the model's files in the folder.

    Raises
    ------
    ModelError
        What would be written could not be read: the same checks as when a model is opened.
    """
    checksums = {}
    for name in files:
        data = (folder / name).read_bytes()
        checksums[name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    values = {"format": FORMAT, **manifest, "files": checksums}
    parse_manifest(values)
    part = folder / f"{FILE_NAME}.part"
    with part.open("w", encoding="utf-8", newline="\n") as out:
        json.dump(values, out, indent=2, ensure_ascii=False)
        out.write("\n")
        out.flush()
        os.fsync(out.fileno())
    part.replace(folder / FILE_NAME)


def read_file(folder: Path, name: str, wanted: Checksum) -> bytes:
    """Read a file of the model; `ModelError` where it is missing or a byte of it has changed."""
    path = folder / name
    try:
        data = path.read_bytes()
    except FileNotFoundError as problem:
        raise ModelError(f"{path}, which the manifest names, is missing; {_AGAIN}") from problem
    except OSError as problem:
        raise ModelError(f"{path} cannot be read ({problem.strerror}); check its rights") from problem
    if len(data) != wanted.bytes:
        raise ModelError(f"{path} has {len(data)} bytes where the manifest says {wanted.bytes}; {_AGAIN}")
    if hashlib.sha256(data).hexdigest() != wanted.sha256:
        raise ModelError(f"{path} is not the file that the manifest describes: its SHA-256 differs; {_AGAIN}")
    return data


def _check_samples(manifest: Manifest) -> None:
    frontend, context = manifest.frontend, manifest.context
    whole = frontend.samples_for(frontend.frames_in(context))
    if context < 1 or context != whole:
        raise ModelError(f"context {context} is not the samples of a whole number of frames ({whole} are); {_AGAIN}")
    if not 1 <= manifest.window <= context:
        raise ModelError(f"window {manifest.window} does not lie within the context of {context} samples; {_AGAIN}")
    if manifest.step < 1 or manifest.step % frontend.hop_samples:
        raise ModelError(
            f"step {manifest.step} is no positive multiple of the front-end's hop of {frontend.hop_samples}; {_AGAIN}"
        )
    if manifest.step > min(SAMPLE_RATE, context):
        raise ModelError(f"step {manifest.step} is more than a second or than the context of {context}; {_AGAIN}")


def _words(values: Mapping[str, Any], key: str) -> tuple[str, ...]:
    words = _get(values, key, list)
    if not words or not all(isinstance(word, str) and word for word in words) or len(set(words)) != len(words):
        raise ModelError(f"{key} is {words!r}, not a list of different words; {_AGAIN}")
    return tuple(words)


def _phrases(values: Mapping[str, Any], keywords: tuple[str, ...]) -> dict[str, str]:
    phrases = _get(values, "phrases", dict) if "phrases" in values else {}
    for word, phrase in phrases.items():
        if word not in keywords:
            raise ModelError(f"phrases has {word!r}, which is no keyword; {_AGAIN}")
        if not isinstance(phrase, str) or not phrase.strip():
            raise ModelError(f"phrases has {phrase!r} for {word}, not the words that are said; {_AGAIN}")
    return dict(phrases)


def _checksum(name: str, value: object) -> Checksum:
    if name in ("", ".", "..", FILE_NAME) or "/" in name or "\\" in name or ":" in name:
        raise ModelError(f"files names {name!r}, which is no file of the folder; {_AGAIN}")
    if not isinstance(value, dict):
        raise ModelError(f"files has {value!r} for {name}, not its sha256 and bytes; {_AGAIN}")
    return Checksum(_get(value, "sha256", str, f" of {name}").lower(), _get(value, "bytes", int, f" of {name}"))


def _get(values: Mapping[str, Any], key: str, kind: type[_T], of: str = "") -> _T:
    if key not in values:
        raise ModelError(f"{key!r}{of} is missing; {_AGAIN}")
    value = values[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ModelError(f"{key!r}{of} is {value!r}, not {_KINDS[kind]}; {_AGAIN}")
    return value


_KINDS: Final[Mapping[type, str]] = {int: "an integer", str: "a text", list: "a list", dict: "an object"}
