"""The bank of background: embeddings of what is no own word, small enough to come with a package.

An own word's head is fitted against it, and its threshold set on it, so it holds hours of speech, other
words, noise and music. Its numbers are the leading principal components of the embeddings, all rounded to one
step (components of small variance cost next to nothing then), packed with LZMA. Segments (a speaker, or a
recording of noise) are in folds, so that a head is never judged by those that it was fitted to.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from spotter.arrays import Floats
from spotter.errors import BadInputError, ModelError
from spotter.settings import SAMPLE_RATE

FORMAT: Final = "background-2"
KINDS: Final = ("speech", "words", "noise", "music")
FOLDS: Final = 4
_FILTERS: Final = [{"id": lzma.FILTER_LZMA2, "preset": 6}]


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """What is kept of embeddings: components, rounded.

    What a bank does not keep must not tell own words from it: they are kept alike, and weights lose what is lost.

    basis : float32, shape (components, size), of unit length
    center : float32, shape (size,)
    step : between two values of a component
    """

    basis: Floats
    center: Floats
    step: float

    def codes(self, embeddings: Floats) -> npt.NDArray[np.int8]:
        """Return the rounded components, shape (n, components)."""
        inside = (embeddings - self.center) @ self.basis.T
        return np.asarray(np.clip(np.rint(inside / np.float32(self.step)), -127, 127), np.int8)

    def embeddings(self, codes: npt.NDArray[np.int8]) -> Floats:
        """Return embeddings of components, shape (n, size)."""
        return np.asarray(codes.astype(np.float32) @ (self.basis * np.float32(self.step)) + self.center, np.float32)

    def kept(self, embeddings: Floats) -> Floats:
        """Return embeddings, shape (..., size), as they would be in the bank."""
        flat = embeddings.reshape(-1, embeddings.shape[-1])
        return self.embeddings(self.codes(flat)).reshape(embeddings.shape)

    def kept_weights(self, weights: Floats) -> Floats:
        """Return weights, shape (window, size), that do not see what is not kept."""
        return np.asarray(weights @ self.basis.T @ self.basis, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """Embeddings of background, segment after segment.

    embeddings : float32, shape (n, size)
    length : intp, shape (segments,), embeddings of each segment; no window goes from one into the next
    kind : intp, shape (segments,), an index into `KINDS`
    fold : intp, shape (segments,), 0 .. FOLDS - 1; all segments of a speaker are in one
    step : samples between two embeddings
    backbone, backbone_sha256 : what embedded it
    about : what it was made of, for people
    packed : how its embeddings were rounded; None where they are as the backbone gave them
    said : of each segment, the words that are said in it, as far as that is known; or empty
    """

    embeddings: Floats
    length: npt.NDArray[np.intp]
    kind: npt.NDArray[np.intp]
    fold: npt.NDArray[np.intp]
    step: int
    backbone: str
    backbone_sha256: str
    about: Mapping[str, Any] = field(default_factory=dict)
    packed: Packed | None = None
    said: tuple[frozenset[str], ...] = ()

    def without(self, words: frozenset[str]) -> Bank:
        """Return what is left without the segments in which all of these words are said.

        Where somebody says the word that is to be heard, a head must not learn to leave it alone.
        """
        keep = np.array([not words <= said for said in self.said], bool)
        if not words or keep.all():
            return self
        return replace(
            self,
            embeddings=self.embeddings[np.repeat(keep, self.length)],
            length=self.length[keep],
            kind=self.kind[keep],
            fold=self.fold[keep],
            said=tuple(said for said, kept in zip(self.said, keep, strict=True) if kept),
        )

    def hours(self, *kinds: str) -> float:
        """Hours of audio of some kinds, or of all."""
        wanted = np.isin(self.kind, [KINDS.index(k) for k in kinds or KINDS])
        return float(self.length[wanted].sum()) * self.step / SAMPLE_RATE / 3600.0


def fold_of(name: str) -> int:
    """Return the fold of a speaker or a recording, by a hash of its name."""
    return hashlib.sha256(name.encode()).digest()[0] % FOLDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """How embeddings become bytes."""

    components: int = 80
    step: float = 10.0  # between two values, in the embeddings' own unit


def write_bank(path: Path, bank: Bank, packing: Packing | None = None) -> None:
    """Write a bank, all at once or not at all; what is read again differs from it by the rounding."""
    packing = packing or Packing()
    center = bank.embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
    covariance = np.cov(bank.embeddings.T.astype(np.float64))
    components = min(packing.components, len(center))
    basis = np.linalg.eigh(covariance)[1][:, ::-1][:, :components].T.astype(np.float32)
    codes = Packed(basis, center, packing.step).codes(bank.embeddings)
    packed = lzma.compress(np.ascontiguousarray(codes.T).tobytes(), lzma.FORMAT_RAW, filters=_FILTERS)
    arrays = {
        "codes": np.frombuffer(packed, np.uint8),
        "basis": basis,
        "center": center,
        "length": bank.length.astype(np.int32),
        "kind": bank.kind.astype(np.uint8),
        "fold": bank.fold.astype(np.uint8),
        "said": np.frombuffer(_text_bytes(bank.said), np.uint8),
    }
    about = {
        "format": FORMAT,
        "backbone": {"name": bank.backbone, "sha256": bank.backbone_sha256},
        "step_samples": bank.step,
        "packing_step": packing.step,
        "sha256": _digest(arrays),
        "about": dict(bank.about),
    }
    arrays["facts"] = np.frombuffer(json.dumps(about, ensure_ascii=False).encode(), np.uint8)
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_bank(path: Path, *, backbone: str = "", sha256: str = "") -> Bank:
    """Read a bank and check it.

    backbone, sha256 : those of the backbone in use; another one's bank is refused

    Raises
    ------
    BadInputError
        There is no such file.
    ModelError
        It is damaged, of another format, or of another backbone.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        facts = json.loads(arrays.pop("facts").tobytes())
        if facts["format"] != FORMAT:
            raise ModelError(f"{path} is a bank of format {facts['format']!r}, not {FORMAT!r}; update spotter")
        if facts["sha256"] != _digest(arrays):
            raise ModelError(f"{path} is damaged: its checksum differs; make it again with python -m train background")
        bank = _unpacked(arrays, facts)
    except FileNotFoundError:
        raise BadInputError(f"there is no bank {path}; make one with python -m train background") from None
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, lzma.LZMAError) as problem:
        if isinstance(problem, ModelError):
            raise
        raise ModelError(f"{path} is no bank of background or is damaged; make it again") from problem
    if (backbone and bank.backbone != backbone) or (sha256 and bank.backbone_sha256 != sha256):
        raise ModelError(f"{path} was made with the backbone {bank.backbone}, not {backbone}; make one for it")
    return bank


def _unpacked(arrays: Mapping[str, Any], facts: Mapping[str, Any]) -> Bank:
    raw = lzma.decompress(arrays["codes"].tobytes(), lzma.FORMAT_RAW, filters=_FILTERS)
    keeps = Packed(arrays["basis"], arrays["center"], float(facts["packing_step"]))
    codes = np.frombuffer(raw, np.int8).reshape(len(keeps.basis), -1)
    embeddings = keeps.embeddings(codes.T)
    length = arrays["length"].astype(np.intp)
    if length.sum() != len(embeddings):
        raise ValueError(f"{len(embeddings)} embeddings in segments of {length.sum()}")
    lines = lzma.decompress(arrays["said"].tobytes(), lzma.FORMAT_RAW, filters=_FILTERS).decode().split("\n")
    said = tuple(frozenset(line.split()) for line in lines) if len(lines) == len(length) else ()
    about = facts["backbone"]
    return Bank(
        embeddings=embeddings,
        length=length,
        kind=arrays["kind"].astype(np.intp),
        fold=arrays["fold"].astype(np.intp),
        step=int(facts["step_samples"]),
        backbone=str(about["name"]),
        backbone_sha256=str(about["sha256"]),
        about=facts["about"],
        packed=keeps,
        said=said,
    )


def _text_bytes(said: Sequence[frozenset[str]]) -> bytes:
    text = "\n".join(" ".join(sorted(words)) for words in said)
    return lzma.compress(text.encode(), lzma.FORMAT_RAW, filters=_FILTERS)


def _digest(arrays: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
