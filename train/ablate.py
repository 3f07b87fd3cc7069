"""What each augmentation is worth: the recipe as it is, and once without each, in short runs of one seed.

Every entry is measured in the same way: clips, streams at one threshold and at equal false accepts, and
the loss on the validation speakers under the unchanged recipe. One seed says little: an entry that
changes nothing but the seed shows how far apart two equal runs are.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from spotter.errors import BadInputError
from spotter.model import Model
from spotter.pipeline import hop_for
from train.data import Row
from train.evaluate import Scored, judge, score
from train.recipe import Mixing, Recipe
from train.streams import Stream, draw_words, speech, words_in_noise

SNRS_DB = (None, 10.0, 0.0)
THRESHOLDS = (*(round(0.05 * n, 2) for n in range(4, 20)), 0.97, 0.98, 0.99, 0.995)
_Streams: TypeAlias = Sequence[tuple[Stream, Scored]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One run: options of the recipe's mixing, or of the recipe, that differ; the seed's is a number to add."""

    name: str
    what: str
    mixing: Mapping[str, float] = field(default_factory=dict)
    recipe: Mapping[str, int] = field(default_factory=dict)


AS_IT_IS = "as-it-is"
ENTRIES = (
    Entry(AS_IT_IS, "the recipe as it is"),
    Entry("another-seed", "nothing but the seed changed", recipe={"seed": 1}),
    Entry("shift", "without shift: each word ends at the same place", {"shift": 0.0}),
    Entry("level", "without drawn levels: as recorded", {"level": 0.0}),
    Entry("noise", "without noise under words and speech", {"clean": 1.0, "running_clean": 1.0}),
    Entry("voices", "without speech in the background", {"voices": 0.0}),
    Entry("speed", "without other speeds", {"stretch": 0.0}),
    Entry("microphone", "without tilt and ripples of microphones", {"tilt_db": 0.0, "ripple_db": 0.0}),
    Entry("band", "without band limits", {"band_limit": 0.0}),
    Entry("masks", "without SpecAugment's masks", {"mask": 0.0}),
    Entry("warp", "without other vocal tracts", {"warp": 0.0}),
    Entry("second", "without a second word nearby", {"second": 0.0}),
    Entry("bare", "without digital silence around words", {"bare": 0.0}),
    Entry("rooms", "without rooms", recipe={"rooms": 0}),
    Entry("mixup", "with mixup of one sequence in five", {"mixup": 0.2}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How models are measured.

    threshold : of the first comparison
    false_per_hour : of running speech, at which the second one compares
    per_word : clips of each keyword in each stream
    """

    threshold: float = 0.8
    false_per_hour: float = 10.0
    per_word: int = 40
    seed: int = 0


def chosen(names: Sequence[str]) -> list[Entry]:
    """The entries of these names, all without any; the recipe as it is always comes first."""
    known = [e.name for e in ENTRIES]
    for name in names:
        if name not in known:
            raise BadInputError(f"nothing to switch is called {name!r}; there are: {', '.join(known)}")
    return [e for e in ENTRIES if not names or e.name in names or e.name == AS_IT_IS]


def missing(entry: Entry) -> list[str]:
    """Options that the entry changes and recipes do not have."""
    mixing, recipe = ({f.name for f in dataclasses.fields(cls)} for cls in (Mixing, Recipe))
    return [*(set(entry.mixing) - mixing), *(set(entry.recipe) - recipe)]


def changed(recipe: Recipe, entry: Entry) -> Recipe:
    """The recipe of an entry."""
    own = {k: recipe.seed + v if k == "seed" else v for k, v in entry.recipe.items()}
    mixing = dataclasses.replace(recipe.mixing, **entry.mixing)  # type: ignore[arg-type]
    return dataclasses.replace(recipe, mixing=mixing, **own)  # type: ignore[arg-type]


def is_changed(recipe: Recipe, entry: Entry) -> bool:
    """Whether the entry differs from the recipe: what is switched off already cannot be compared."""
    return entry.name == AS_IT_IS or changed(recipe, entry) != recipe


def run_entries(
    entries: Sequence[Entry],
    recipe: Recipe,
    out: Path,
    asked: Asked,
    one: Callable[[Recipe, Path], dict[str, Any] | None],
    *,
    data: Mapping[str, Any],
    keep: Callable[[list[dict[str, Any]]], None],
) -> list[dict[str, Any]]:
    """Train and measure what is not finished, by `one`, each in a folder of its own; `keep` sees all after each.

    one : gives None where it could only train; the entry has no line then, until it is measured
    data : where the recordings are; with other recordings, or another recipe, nothing is gone on with
    """
    from train.written import write_json

    found: list[dict[str, Any]] = []
    for entry in ENTRIES:
        asked_for = entry in entries
        if reason := _passed_over(recipe, entry):
            if asked_for:
                print(f"passed over {entry.name!r}: {reason}", flush=True)
            continue
        mine = changed(recipe, entry)
        settings = _plain({"recipe": dataclasses.asdict(mine), "asked": dataclasses.asdict(asked), "data": dict(data)})
        folder = out / entry.name
        path, began = folder / "result.json", folder / "settings.json"
        same = began.exists() and json.loads(began.read_text("utf-8")) == settings
        if asked_for:
            folder.mkdir(parents=True, exist_ok=True)
            if began.exists() and not same:
                raise BadInputError(
                    f"{folder} was made with other settings; give another --out, or --force to begin anew"
                )
            write_json(began, settings)
            if not path.exists():
                print(f"{entry.name}: {entry.what}", flush=True)
                if (result := one(mine, folder)) is not None:
                    write_json(path, {"name": entry.name, "what": entry.what, **result})
        if path.exists() and (asked_for or same):  # what an earlier run found has its line too
            found.append(json.loads(path.read_text("utf-8")))
            keep(found)
    return found


def _passed_over(recipe: Recipe, entry: Entry) -> str:
    """Why an entry cannot be compared; "" where it can."""
    if lacking := missing(entry):
        return f"recipes have no option {', '.join(sorted(lacking))}"
    return "" if is_changed(recipe, entry) else "this recipe has it so already"


def _plain(values: Any) -> Any:
    return json.loads(json.dumps(values, default=dict))


# -- streams ---------------------------------------------------------------------------------


def stream_figures(
    model: Model, words: Sequence[Row], noise: Sequence[Row], spoken: Sequence[Row], asked: Asked
) -> dict[str, Any]:
    """Recall in quiet and in noise, and false accepts per hour of speech, at one threshold and at equal false accepts.

    The streams are the same for all models with the same keywords.
    """
    rng = np.random.default_rng(asked.seed)
    said: dict[str, _Streams] = {}
    for snr_db in SNRS_DB if noise else SNRS_DB[:1]:
        some = draw_words(words, model.keywords, asked.per_word, rng)
        stream = words_in_noise(some, noise, rng, snr_db=snr_db)
        said["quiet" if snr_db is None else f"{snr_db:.0f} dB"] = [(stream, score(model, stream.samples))]
    running = [(s, score(model, s.samples)) for s in speech(spoken)]
    hours = sum(s.seconds for s, _ in running) / 3_600
    hop = hop_for(model, None)

    def at(threshold: float) -> dict[str, Any]:
        config = dataclasses.replace(model.decoder, threshold=threshold, thresholds={})
        found = {name: judge(model, streams, config, hop) for name, streams in said.items()}
        false = len(judge(model, running, config, hop).false)
        return {
            "threshold": threshold,
            "recall": {k: len(m.found) / max(1, len(m.found) + len(m.missed)) for k, m in found.items()},
            "of": {k: len(m.found) + len(m.missed) for k, m in found.items()},
            "false": false,
            "false_per_hour": false / hours if hours else None,
        }

    equal = lowest(THRESHOLDS, lambda t: (at(t)["false_per_hour"] or 0.0) <= asked.false_per_hour) if hours else None
    return {
        "hours": hours,
        "equal_threshold": at(asked.threshold),
        "equal_false": None if equal is None else at(equal),
    }


def lowest(thresholds: Sequence[float], good: Callable[[float], bool]) -> float | None:
    """The lowest threshold that is good, where all above one that is good are; None where none is."""
    low, high = 0, len(thresholds)
    while low < high:
        middle = (low + high) // 2
        if good(thresholds[middle]):
            high = middle
        else:
            low = middle + 1
    return thresholds[low] if low < len(thresholds) else None


# -- the table -------------------------------------------------------------------------------


def table(found: Sequence[Mapping[str, Any]], asked: Asked, steps: int) -> str:
    """Markdown: one line per entry, shares in percent."""
    if not found:
        return ""
    first = found[0]
    names = list(first["streams"]["equal_threshold"]["recall"])
    per_hour = f"{asked.false_per_hour:g} false/h"
    columns = [
        "",
        f"{first['labels']} labels",
        f"{first['labels'] - 2} keywords",
        *(f"found {n} at {asked.threshold:g}" for n in names),
        f"false/h at {asked.threshold:g}",
        *(f"found {n} at {per_hour}" for n in names),
        "validation loss",
    ]
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for result in found:
        streams, clips = result["streams"], result["clips"]
        one, equal = streams["equal_threshold"], streams["equal_false"]
        rate = one["false_per_hour"]
        cells = [
            str(result["what"]),
            _percent(clips["all"]["share"]),
            _percent(clips["keywords"]["share"]),
            *(_percent(one["recall"][n]) for n in names),
            "-" if rate is None else f"{rate:.1f}",
            *(_percent(equal["recall"][n]) if equal else "-" for n in names),
            f"{result['validation_loss']:.4f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    streams = first["streams"]
    of = ", ".join(f"{n} {count}" for n, count in streams["equal_threshold"]["of"].items())
    return (
        "\n".join(lines)
        + f"\n\nOne seed, {steps} steps each, no mining. {first['clips']['all']['of']} clips; keywords "
        f"in streams: {of}; {streams['hours']:.2f} h of speech without them. The line with another seed shows what "
        "chance does: smaller differences say nothing.\n"
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
