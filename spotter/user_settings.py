"""A person's own decoder settings, one file for all models: below the command line, above the model's manifest.

    {"format": 1, "models": {"commands": {"thresholds": {"stop": 0.9}, "smooth_ms": 120, "margin": 0.15}}}

A model is called by the `name` of its manifest; what may be set are the settings of its `decoder`. The commands
`listen`, `page` and `scan` read the file; `serve`, which may run for many, and the Python classes do what they are told
and do not look at it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from spotter.clip_files import write_over
from spotter.errors import BadInputError, SpotterError
from spotter.settings import DecoderConfig, check_keywords, with_threshold

FORMAT: Final = 1
_MOST_BYTES: Final = 1 << 20
_FIX: Final = "correct it there, or remove the file"


def settings_file() -> Path:
    """Return where the file is; it need not exist."""
    if sys.platform == "win32":
        base = os.environ.get("APPDATA") or os.path.expanduser("~/AppData/Roaming")  # noqa: PTH111
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Application Support")  # noqa: PTH111  (Path's fails without a home)
    else:
        base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111
    return Path(base) / "spotter" / "settings.json"


@dataclasses.dataclass(frozen=True, slots=True)
class Applied:
    """The settings that hold, and where they are from; `said` is "" where the user's file says nothing."""

    decoder: DecoderConfig
    said: str


def applied(
    name: str,
    decoder: DecoderConfig,
    keywords: Sequence[str],
    for_all: float | None = None,
    for_words: Mapping[str, float] | None = None,
) -> Applied:
    """Lay the user's file over a model's settings, and the command line's thresholds over both.

    Parameters
    ----------
    name, decoder, keywords : of the model
    for_all, for_words : the command line's threshold for all keywords, and those for some

    Raises
    ------
    BadInputError
        The file cannot be read, or does not fit the model; a threshold is for no keyword.
    """
    own, words = own_settings(name), dict(for_words or {})
    result = with_own(decoder, own, keywords) if own else decoder
    result = with_threshold(with_threshold(result, for_all, keywords), words, keywords)
    return Applied(result, _said(own, for_all, words))


def own_settings(name: str) -> dict[str, Any]:
    """Return what the user's file says of a model; empty where it says nothing."""
    return dict(_models(_read()).get(name, {}))


def with_own(decoder: DecoderConfig, own: Mapping[str, Any], keywords: Sequence[str]) -> DecoderConfig:
    """Lay settings of the file over a model's; a `threshold` for all replaces those for its words."""
    thresholds = own.get("thresholds", {})
    base = {} if "threshold" in own else decoder.thresholds
    try:
        # What is read is checked as a manifest is, before it meets the model's own.
        checked = DecoderConfig.from_dict(own)
        check_keywords(thresholds, keywords)
        values: dict[str, Any] = {key: getattr(checked, key) for key in own}
        return dataclasses.replace(decoder, **{**values, "thresholds": {**base, **thresholds}})
    except SpotterError as error:
        problem = str(error).rpartition(";")[0] or str(error)
        raise BadInputError(f"{settings_file()}: {problem}; {_FIX}") from None


def save_own(
    name: str, model: DecoderConfig, thresholds: Mapping[str, float], *, smooth_ms: float, margin: float
) -> Path:
    """Write settings for a model into the user's file, what else is in it stays; return where that is.

    Parameters
    ----------
    name, model : the model's name and its own settings; what equals these is left out
    thresholds : of every keyword
    smooth_ms, margin : as in `DecoderConfig`
    """
    path = settings_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone_in(path.parent):
            values = _read()
            values["models"] = _with(_models(values), name, model, thresholds, smooth_ms=smooth_ms, margin=margin)
            data = json.dumps({**values, "format": FORMAT}, ensure_ascii=False, indent=2) + "\n"
            write_over(path, data.encode())
    except OSError as error:
        raise BadInputError(f"{path} cannot be written ({error.strerror}); make room, or check its rights") from None
    return path


def _with(
    models: Mapping[str, dict[str, Any]],
    name: str,
    model: DecoderConfig,
    thresholds: Mapping[str, float],
    *,
    smooth_ms: float,
    margin: float,
) -> dict[str, dict[str, Any]]:
    """Return the entries of all models with one of them anew, or left out where it says nothing."""
    own = {key: value for key, value in models.get(name, {}).items() if key != "threshold"}
    own["thresholds"] = {k: round(v, 4) for k, v in thresholds.items() if _differ(v, model.threshold_of(k))}
    for key, value in (("smooth_ms", smooth_ms), ("margin", margin)):
        own[key] = round(value, 4) if _differ(value, getattr(model, key)) else None
    own = {key: value for key, value in own.items() if value not in (None, {})}
    others = {other: entry for other, entry in models.items() if other != name}
    return {**others, **({name: own} if own else {})}


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes and threads out that would save just now: what they read would be old. Not on Windows."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _differ(one: float, other: float) -> bool:
    return abs(one - other) > 5e-5


def _bytes(path: Path) -> bytes | None:
    """Content of the file, as far as it can be one of settings; None where there is none."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # reading a pipe would wait for ever
            raise BadInputError(f"{path} is no file; {_FIX}")
        return path.read_bytes() if about.st_size <= _MOST_BYTES else b"too long"
    except FileNotFoundError:
        return None
    except PermissionError as error:
        if not os.access(path.parent, os.X_OK):  # a service with somebody else's home: these are not its settings
            return None
        raise _unreadable(path, error) from None
    except OSError as error:
        raise _unreadable(path, error) from None


def _read() -> dict[str, Any]:
    path = settings_file()
    data = _bytes(path)
    if data is None:
        return {}
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{path} is not JSON ({error}); {_FIX}") from None
    if not isinstance(values, dict):
        raise BadInputError(f"{path} holds no JSON object; {_FIX}")
    form = values.get("format", FORMAT)
    if not isinstance(form, int) or isinstance(form, bool) or form < 1:
        raise BadInputError(f"{path}: format is {form!r}, not {FORMAT}; {_FIX}")
    if form > FORMAT:
        raise BadInputError(
            f"{path} is of format {form}, newer than {FORMAT}, which this version reads; update spotter"
        )
    strange = sorted(values.keys() - {"format", "models"})
    if strange:
        raise BadInputError(f"{path} holds {strange[0]!r} beside format and models; {_FIX}")
    return values


def _unreadable(path: Path, error: OSError) -> BadInputError:
    return BadInputError(f"{path} cannot be read ({error.strerror}); check its rights, or remove it")


def _models(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    models = values.get("models", {})
    if not isinstance(models, dict):
        raise BadInputError(f"{settings_file()}: models is {models!r}, which is no object; {_FIX}")
    for name, entry in models.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("thresholds", {}), dict):
            raise BadInputError(f"{settings_file()}: {name!r} has {entry!r}, with which nothing can be set; {_FIX}")
    return models


def _said(own: Mapping[str, Any], for_all: float | None, for_words: Mapping[str, float]) -> str:
    """Say in one line what is from the user's file, and what goes before it; "" where the file says nothing."""
    if not own:
        return ""
    line = ["threshold"] if for_all is not None else []
    line += [f"threshold of {', '.join(sorted(for_words))}"] if for_words else []
    file = [key for key in own if key not in ("threshold", "thresholds")]
    if for_all is None:
        words = sorted(own.get("thresholds", {}).keys() - for_words.keys())
        file += ["threshold"] if "threshold" in own else []
        file += [f"threshold of {', '.join(words)}"] if words else []
    parts = [f"{' and '.join(line)} from the command line"] if line else []
    parts += [f"{' and '.join(file)} from {settings_file()}" if file else f"nothing from {settings_file()}"]
    return f"settings: {'; '.join(parts)}; all else from the model"
