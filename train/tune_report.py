"""A tuning as plain data, as words, and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spotter.events import Detection
from spotter.model import Model
from spotter.settings import DecoderConfig, as_dict
from train.evaluate import decode
from train.metrics import Matched, match, rate_limits, share_limits
from train.pictures import drawing
from train.tune import Curves, hours_to_prove
from train.tune_material import Place
from train.tune_tally import Part, Tally

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CLEAR = 0.9  # from which score a place in a recording without keywords sounds like the keyword itself


def figures(model: Model, parts: Sequence[Part], config: DecoderConfig, hop_samples: int) -> dict[str, dict[str, Any]]:
    """What the listener's decoder makes of the parts, by name: recall, false accepts, delay, with 95% limits."""
    kept: dict[str, list[tuple[Matched, float]]] = {}
    for part in parts:
        heard: list[Detection] = decode(model, part.scored, config, hop_samples)
        kept.setdefault(part.name, []).append((match(heard, part.words, model.keywords), part.scored.seconds))
    return {name: _counted(pairs, model.keywords) for name, pairs in kept.items()}


def _counted(pairs: Sequence[tuple[Matched, float]], keywords: Sequence[str]) -> dict[str, Any]:
    found = sum(len(m.found) for m, _ in pairs)
    said = found + sum(len(m.missed) for m, _ in pairs)
    false = [d.keyword for m, _ in pairs for d in m.false]
    hours = sum(seconds for _, seconds in pairs) / 3_600
    delays = np.concatenate([m.delays for m, _ in pairs])
    return {
        "said": said,
        "found": found,
        "recall": found / said if said else None,
        "recall_limits": list(share_limits(found, said)),
        "false": len(false),
        "false_by_keyword": {k: false.count(k) for k in keywords},
        "hours": hours,
        "false_per_hour": len(false) / hours,
        "false_limits": list(rate_limits(len(false), hours)),
        "twice": sum(len(m.duplicates) for m, _ in pairs),
        "delay_s": [float(np.median(delays)), float(np.percentile(delays, 95))] if len(delays) else None,
    }


def total(found: Mapping[str, Mapping[str, Any]], counted: Sequence[str]) -> dict[str, Any]:
    """False accepts of all that counts, in one."""
    count = sum(found[name]["false"] for name in counted)
    hours = sum(found[name]["hours"] for name in counted)
    return {"false": count, "hours": hours, "per_hour": count / hours, "limits": list(rate_limits(count, hours))}


def row(
    name: str, config: DecoderConfig, found: Mapping[str, Any], counted: Sequence[str], expected: float | None
) -> dict[str, Any]:
    """One line of the table as plain data; `expected` false accepts an hour, of the tail."""
    return {
        "wanted": name,
        "decoder": as_dict(config),
        "parts": dict(found),
        "counted": total(found, counted),
        "expected_per_hour": expected,
    }


def table(rows: Sequence[Mapping[str, Any]], keywords: Sequence[str], chosen: int | None = None) -> list[str]:
    """Lines of a Markdown table: wanted, thresholds, recall by part, false accepts an hour by part."""
    parts = rows[0]["parts"]
    said = [n for n, p in parts.items() if p["said"]]
    heads = ["wanted", "thresholds", "share in noise, smoothing, margin, re-arming, refractory"]
    heads += [f"found {n} ({parts[n]['said']})" for n in said]
    heads += [f"false/h that count ({rows[0]['counted']['hours']:.3g} h)", "expected/h"]
    heads += [f"false {n} ({p['hours']:.3g} h)" for n, p in parts.items()]
    heads += ["twice", "delay median, 95%"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for number, line in enumerate(rows):
        decoder, heard = line["decoder"], line["parts"]
        name = f"**{line['wanted']}, chosen**" if number == chosen else line["wanted"]
        cells = [name, thresholds(decoder, keywords), settings(decoder)]
        cells += [f"{heard[n]['recall']:.1%} ({_percents(heard[n]['recall_limits'])})" for n in said]
        expected = line["expected_per_hour"]
        cells += [rate(line["counted"]), "-" if expected is None else _number(expected)]
        cells += [str(p["false"]) for p in heard.values()]
        delays = [heard[n]["delay_s"] for n in said if heard[n]["delay_s"]]
        slow = f"{max(d[0] for d in delays):.2f}, {max(d[1] for d in delays):.2f} s" if delays else "-"
        cells += [str(sum(p["twice"] for p in heard.values())), slow]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def thresholds(decoder: Mapping[str, Any], keywords: Sequence[str]) -> str:
    """The common threshold and those of single keywords."""
    own = ", ".join(f"{k} {decoder['thresholds'][k]:.3g}" for k in keywords if k in decoder["thresholds"])
    return f"{decoder['threshold']:.3g}" + (f"; {own}" if own else "")


def settings(decoder: Mapping[str, Any]) -> str:
    """The other settings that are tuned."""
    names = ("noise_share", "smooth_ms", "margin", "rearm", "refractory_ms")
    return ", ".join(f"{decoder[name]:g}{' ms' if name.endswith('_ms') else ''}" for name in names)


def rate(counted: Mapping[str, Any]) -> str:
    """False accepts per hour with limits."""
    low, high = counted["limits"]
    if not counted["false"]:
        return f"0 (< {_number(high)})"
    return f"{_number(counted['per_hour'])} ({_number(low)}-{_number(high)})"


def proof(per_hour: float, counted: Mapping[str, Any]) -> list[str]:
    """What the hours that were heard prove of a target, and how many more would."""
    count, hours = counted["false"], counted["hours"]
    low, high = counted["limits"]
    seen = f"{count} false accepts in {hours:.3g} h" if count != 1 else f"1 false accept in {hours:.3g} h"
    needed = hours_to_prove(count, per_hour)
    if low > per_hour:
        return [f"{seen}: more than the {per_hour:g} an hour that are wanted (at least {_number(low)} at 95%)."]
    if needed <= hours:
        return [f"{seen}: fewer than {per_hour:g} an hour, at 95%."]
    told = (
        f"{seen}, {rate(counted)} an hour at 95%: this cannot be told from {per_hour:g} an hour, nor from "
        f"{_number(high)}. To prove {per_hour:g}, {_number(needed - hours)} h more would have to pass without another "
        f"({_number(needed)} h in all)."
    )
    out = [told]
    if per_hour * hours < 1.0:
        out.append(
            f"A single false accept in {hours:.3g} h is already {_number(1 / hours)} an hour: below that the "
            "thresholds follow the tail of the scores, not false accepts that were heard."
        )
    return out


def alike(rows: Sequence[Mapping[str, Any]], hours: float) -> str:
    """Which targets of the table the recordings cannot tell apart; "" where they tell them all."""
    names = [float(r["wanted"]) for r in rows]
    groups = [[n for n in names if r["counted"]["limits"][0] <= n <= r["counted"]["limits"][1]] for r in rows]
    longest = max(groups, key=len, default=[])
    if len(longest) < 2:
        return ""
    text = ", ".join(f"{n:g}" for n in longest[:-1])
    return f"The {hours:.3g} h that count cannot tell {text} and {longest[-1]:g} an hour apart."


def places(found: Sequence[Place], most: int) -> list[str]:
    """Recordings without keywords that score like one, for a person to check."""
    if not found:
        return ["Nothing in the recordings without keywords scores 0.5 or more."]
    out = ["Counted as false where they fire; was a keyword said here?", "  seconds   keyword     score  recording"]
    out += [f"  {p.time:7.2f}   {p.keyword:10}  {p.score:.3f}  {p.recording}" for p in found[:most]]
    if len(found) > most:
        out.append(f"  ... and {len(found) - most} more with lower scores; --places shows more")
    if clear := sum(p.score >= _CLEAR for p in found):
        out.append(
            f"{clear} of them score like the keyword itself ({_CLEAR:g} or more). Where one was really said, write it "
            'into NAME.json beside the recording: {"seconds": its length, "words": [{"word": ..., "start": ..., '
            '"end": ...}]}; then it is no false accept.'
        )
    return out


def picture(
    curves: Curves, tally: Tally, setting: int, rows: Sequence[Mapping[str, Any]], chosen: int, path: Path
) -> None:
    """Write recall by part against false accepts an hour, the choice marked, as PNG.

    Where no words were given: false accepts an hour of each keyword against its threshold.
    """
    said = [n for n, p in rows[chosen]["parts"].items() if p["said"]]
    with drawing(path, figsize=(8, 5.5)) as figure:
        axes = figure.subplots()
        if said:
            _recall_curves(axes, curves, tally, setting, rows, chosen)
        else:
            _false_curves(axes, curves, tally, setting, rows[chosen]["decoder"])
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)


def _recall_curves(
    axes: Axes, curves: Curves, tally: Tally, setting: int, rows: Sequence[Mapping[str, Any]], chosen: int
) -> None:
    heard, names = rows[chosen], np.array(tally.names)
    at, limits = heard["counted"]["per_hour"], heard["counted"]["limits"]
    cost = curves.false[:, setting].sum(axis=0) / curves.hours
    for number, name in enumerate(n for n, p in heard["parts"].items() if p["said"]):
        here, colour = names == name, f"C{number}"
        hits = tally.found[here][:, :, setting].sum(axis=(0, 1)) / max(1, tally.said[here].sum())
        axes.plot(cost, hits, color=colour, lw=1.2, label=f"{name}, one threshold")
        others = [r for i, r in enumerate(rows) if i != chosen]
        axes.plot(
            [r["counted"]["per_hour"] for r in others],
            [r["parts"][name]["recall"] for r in others],
            "o",
            color=colour,
            ms=4,
        )
        share, (low, high) = heard["parts"][name]["recall"], heard["parts"][name]["recall_limits"]
        across, along = [[share - low], [high - share]], [[at - limits[0]], [limits[1] - at]]
        axes.errorbar(at, share, across, along, "*", ms=13, color=colour, mec="black", lw=0.8, capsize=3)
    axes.set_xscale("symlog", linthresh=1.0 / curves.hours)
    axes.set_xlim(-0.3 / curves.hours, None)
    axes.set_xlabel(f"false accepts an hour, measured in {curves.hours:.3g} h (linear below the first one)")
    axes.set_ylabel("found")
    axes.set_title(f"stars: {heard['wanted']}, chosen, with 95% limits; dots: other rows of the table", fontsize=10)


def _false_curves(axes: Axes, curves: Curves, tally: Tally, setting: int, decoder: Mapping[str, Any]) -> None:
    for number, keyword in enumerate(tally.keywords):
        chosen = decoder["thresholds"].get(keyword, decoder["threshold"])
        axes.step(
            tally.thresholds,
            curves.false[number, setting] / curves.hours,
            color=f"C{number}",
            label=keyword,
            where="pre",
        )
        axes.axvline(chosen, color=f"C{number}", ls=":", lw=1.5)
    axes.set_xlabel("threshold; dotted: chosen")
    axes.set_ylabel(f"false accepts an hour, measured in {curves.hours:.3g} h")


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"


def _percents(limits: Sequence[float]) -> str:
    return f"{limits[0]:.0%}-{limits[1]:.0%}"
