"""One training run is one frozen recipe, read from TOML, seed included."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from spotter.errors import BadInputError
from spotter.settings import SILENCE, UNKNOWN, FrontendConfig

if sys.version_info >= (3, 11):
    import tomllib
else:  # the standard library's own since 3.11
    import tomli as tomllib

_T = TypeVar("_T")
_NEVER = ("know", "write", "rite", "wright")
COMMANDS = ("down", "go", "left", "no", "right", "stop", "up", "yes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixing:
    """What sequences are made of, in shares and probabilities; times in frames of 10 ms."""

    keywords: float = 0.44
    others: float = 0.18
    fragments: float = 0.12  # of running speech, cut by its level, or by alignment where that was given
    speech: float = 0.18
    noise: float = 0.08
    hard: float = 0.14  # once something was mined
    said_keywords: float = 0.12  # of the keywords by synthetic voices, where there are some
    said_others: float = 0.3  # of the other words; about as many as of the keywords, or voices tell the word
    aligned: float = 0.5  # of the fragments that are aligned words
    other_weights: Mapping[str, float] = field(default_factory=lambda: {"on": 3.0, "off": 3.0})
    early: int = 10  # the keyword must be given from so long after its end
    late: int = 44  # to so long
    gone: int = 66  # and no more after so long
    shift: float = 1.0  # share of the sequence over which a word may end
    stretch: float = 0.6
    warp: float = 0.5
    mask: float = 0.4
    bare: float = 0.08
    second: float = 0.3
    level: float = 1.0  # share whose level is drawn; the others keep their own
    clean: float = 0.3  # of words without noise
    running_clean: float = 0.6  # of running speech without noise
    snr_low_db: float = -3.0
    voices: float = 0.2  # of the noise that is speech
    tilt_db: float = 4.0
    ripple_db: float = 2.0
    band_limit: float = 0.08
    mixup: float = 0.0
    notes: float = 0.0  # of the noise that is made up, plucked and gliding notes
    noise_open: float = 0.3  # of the noise that may be given as unknown too


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A whole run: labels, front-end, network, mixing, and how long to learn."""

    keywords: tuple[str, ...] = COMMANDS
    seed: int = 0
    steps: int = 9_000
    batch: int = 128
    outputs: int = 50  # judgements per sequence
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    warm_up: int = 300
    check_every: int = 500  # steps between looks at the validation speakers
    patience: int = 8  # looks without a better one before stopping
    averaging: float = 0.998  # of the weights, exponential
    never: tuple[str, ...] = _NEVER  # sound like keywords: no fair negatives
    rooms: int = 1  # copies of each word in drawn rooms
    rounds: int = 1  # of mining running speech for what fools the network, and learning on
    round_steps: int = 5_000
    round_learning_rate: float = 8e-4
    round_mixing: tuple[Mapping[str, float], ...] = ()  # what is other in the mixing, round by round; the last stays
    mined_copies: int = 0  # of the speech, each with other gain, noise and speed, mined besides
    network: str = "temporal"
    network_options: Mapping[str, Any] = field(default_factory=dict)
    frontend: FrontendConfig = field(default_factory=FrontendConfig)
    mixing: Mixing = field(default_factory=Mixing)

    @property
    def labels(self) -> tuple[str, ...]:
        """Order of the network's outputs."""
        return (SILENCE, UNKNOWN, *self.keywords)


def in_rounds(recipe: Recipe, number: int) -> Recipe:
    """The recipe of a round after mining; the first round is number 1."""
    other = recipe.round_mixing[min(number, len(recipe.round_mixing)) - 1] if recipe.round_mixing else {}
    return dataclasses.replace(
        recipe,
        steps=recipe.round_steps,
        learning_rate=recipe.round_learning_rate,
        seed=recipe.seed + 1_000 * number,
        mixing=dataclasses.replace(recipe.mixing, **other),  # type: ignore[arg-type]
    )


def read(path: Path) -> Recipe:
    """Read a recipe; an option that does not exist is an error that names it."""
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise BadInputError(f"no recipe at {path}; see train/recipes/ for those that come along") from None
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"{path} is no TOML ({error}); mend that line") from None
    return from_dict(values, str(path))


def from_dict(values: Mapping[str, Any], where: str = "recipe") -> Recipe:
    """Make a recipe of plain data, as TOML or `run.json` hold it."""
    rest = dict(values)
    mixing = _make(Mixing, rest.pop("mixing", {}), where)
    frontend = FrontendConfig.from_dict(rest.pop("frontend", {}))
    rest["round_mixing"] = tuple(dict(one) for one in rest.get("round_mixing", ()))
    for other in rest["round_mixing"]:
        _known(Mixing, other, f"{where}, round_mixing")
    rest["keywords"] = tuple(rest.get("keywords", COMMANDS))
    rest["never"] = tuple(rest.get("never", _NEVER))
    return _make(Recipe, {**rest, "mixing": mixing, "frontend": frontend}, where)


def _make(cls: type[_T], values: Mapping[str, Any], where: str) -> _T:
    _known(cls, values, where)
    return cls(**values)


def _known(cls: type[Any], values: Mapping[str, Any], where: str) -> None:
    known = {f.name for f in dataclasses.fields(cls)}
    if unknown := set(values) - known:
        raise BadInputError(f"{where}: unknown option {min(unknown)!r}; known are {', '.join(sorted(known))}")
