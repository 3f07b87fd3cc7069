"""A measurement as words: lines for the terminal, and Markdown; both from the plain data of report.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spotter.settings import SILENCE, UNKNOWN

_NAMES = {UNKNOWN: "other words", SILENCE: "pieces of noise"}


def clip_lines(report: Mapping[str, Any]) -> list[str]:
    """Accuracy over all labels and among the keywords, and the confusion matrix."""
    clips = report["clips"]
    labels = clips["confusion"]["labels"]
    keywords = sum(label not in (UNKNOWN, SILENCE) for label in labels)
    lines = [
        f"{report['split']} speakers, {clips['all']['of']} clips, {len(labels)} labels: {_right(clips['all'])}",
        f"the {keywords} keywords: {_right(clips['keywords'])}",
        "",
        *_table(clips),
        "",
    ]
    for name, taken in clips["taken"].items():
        lines.append(f"{taken['clips']} {_NAMES[name]}, taken for a keyword: {_taken(taken)}")
    return lines


def further_lines(report: Mapping[str, Any]) -> list[str]:
    """Calibration, speakers, conditions, speech: one line or a small table each, where they were measured."""
    out = []
    calibration, speakers = report["calibration"], report["speakers"]
    out.append(
        f"calibration: expected error {calibration['expected_calibration_error']:.3f}, "
        f"negative log likelihood {calibration['negative_log_likelihood']:.3f}"
    )
    if speakers["worst"]:
        out.append(
            f"speakers with {speakers['least_clips']} clips or more: {len(speakers['speakers'])}, "
            f"mean {speakers['mean']:.1%}; the worst tenth {speakers['worst_mean']:.1%} "
            f"(by chance it would be {speakers['by_chance']:.1%}): {', '.join(speakers['worst'])}"
        )
    if "conditions" in report:
        grid = report["conditions"]
        out += ["", f"right of the same {grid['clips']} clips, by speech over {grid['noise']}:", *_grid_lines(grid)]
    if "speech" in report:
        out += ["", *_speech_lines(report["speech"])]
    return out


def markdown(report: Mapping[str, Any]) -> str:
    """The whole report, with its pictures beside it."""
    clips, grid, speech = report["clips"], report.get("conditions"), report.get("speech")
    out = [
        f"# {report['model']['name']}, measured",
        "",
        f"`{report['command']}`",
        "",
        (
            f"{report['model']['network']} of the model {report['model']['name']}; {report['split']} speakers; "
            "a clip gets the label with the highest score at the moment that says most about it. Limits are 95%."
        ),
        "",
        "## Clips",
        "",
        f"- {clips['all']['of']} clips, {len(clips['confusion']['labels'])} labels: {_right(clips['all'])}",
        f"- the keywords among them: {_right(clips['keywords'])}",
        *(f"- {t['clips']} {_NAMES[n]}, taken for a keyword: {_taken(t)}" for n, t in clips["taken"].items()),
        "",
        "| label | clips | precision | recall (limits) | F1 |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {f['clips']} | {f['precision']:.1%} | {f['recall']:.1%} "
            f"({f['recall_limits'][0]:.0%}-{f['recall_limits'][1]:.0%}) | {f['f1']:.1%} |"
            for name, f in clips["labels"].items()
        ),
        "",
        "![confusion matrix](confusion.png) ![precision and recall](labels.png)",
        "",
        "## Calibration",
        "",
        (
            f"Expected calibration error {report['calibration']['expected_calibration_error']:.3f}, negative log "
            f"likelihood {report['calibration']['negative_log_likelihood']:.3f}, over {report['calibration']['clips']} "
            "clips."
        ),
        "",
        "![reliability](reliability.png)",
        "",
        "## Speakers",
        "",
        *_speakers_markdown(report["speakers"]),
    ]
    if grid:
        out += [
            "",
            "## Conditions",
            "",
            (
                f"Right of the same {grid['clips']} clips under each; columns: speech over {grid['noise']}. Limits "
                f"reach up to {_widest(grid):.1%} either way; report.json has them."
            ),
            "",
            *_grid_markdown(grid),
            "",
            "![conditions](conditions.png)",
        ]
    if speech:
        out += ["", "## Speech without keywords", "", *_speech_markdown(speech)]
    if report["unreadable"]:
        out += ["", "## Left out", "", *(f"- {line}" for line in report["unreadable"])]
    return "\n".join(out) + "\n"


def _right(of: Mapping[str, Any]) -> str:
    low, high = of["limits"]
    return f"{of['right'] / max(1, of['of']):.1%} right (95% limits {low:.1%} to {high:.1%})"


def _taken(taken: Mapping[str, Any]) -> str:
    n = max(1, taken["clips"])
    return (
        f"{taken['best_is_a_keyword'] / n:.1%} by the highest score, {taken['above_0.5'] / n:.1%} with a score "
        f"above 0.5, {taken['above_0.9'] / n:.1%} above 0.9"
    )


def _table(clips: Mapping[str, Any]) -> list[str]:
    labels, counts = clips["confusion"]["labels"], clips["confusion"]["rows_said_columns_given"]
    wide = max(len(w) for w in labels) + 1
    out = [f"{'said':<{wide}}" + "".join(f"{w[:7]:>8}" for w in labels) + "  precision  recall      F1"]
    for label, row in zip(labels, counts, strict=True):
        f = clips["labels"][label]
        out.append(
            f"{label:<{wide}}"
            + "".join(f"{n:>8}" for n in row)
            + f"     {f['precision']:6.1%}  {f['recall']:6.1%}  {f['f1']:6.1%}"
        )
    return out


def rows_of_grid(grid: Mapping[str, Any]) -> tuple[list[str], list[str], list[list[float]]]:
    """Names of the ways of hearing, names of the noise levels, and shares that were right."""
    names = list(dict.fromkeys(cell["way"] for cell in grid["cells"]))
    snrs = list(dict.fromkeys(cell["snr_db"] for cell in grid["cells"]))
    share = {(c["way"], c["snr_db"]): c["all"]["right"] / max(1, c["all"]["of"]) for c in grid["cells"]}
    return names, [_snr(s) for s in snrs], [[share[name, snr] for snr in snrs] for name in names]


def _grid_lines(grid: Mapping[str, Any]) -> list[str]:
    names, columns, shares = rows_of_grid(grid)
    wide = max(len(name) for name in names) + 1
    return [
        " " * wide + "".join(f"{c:>10}" for c in columns),
        *(f"{n:<{wide}}" + "".join(f"{x:>10.1%}" for x in row) for n, row in zip(names, shares, strict=True)),
    ]


def _grid_markdown(grid: Mapping[str, Any]) -> list[str]:
    names, columns, shares = rows_of_grid(grid)
    return [
        "| | " + " | ".join(columns) + " |",
        "|---" * (len(columns) + 1) + "|",
        *(f"| {n} | " + " | ".join(f"{x:.1%}" for x in row) + " |" for n, row in zip(names, shares, strict=True)),
    ]


def _widest(grid: Mapping[str, Any]) -> float:
    """The farthest that a limit lies from its share."""
    found = [c["all"] for c in grid["cells"]]
    return float(max(abs(limit - f["right"] / max(1, f["of"])) for f in found for limit in f["limits"]))


def _snr(snr_db: float | None) -> str:
    return "no noise" if snr_db is None else f"{snr_db:.0f} dB"


def _speakers_markdown(speakers: Mapping[str, Any]) -> list[str]:
    if not speakers["worst"]:
        return [f"No speaker has {speakers['least_clips']} clips."]
    shares = speakers["speakers"]
    return [
        (
            f"{len(shares)} speakers with {speakers['least_clips']} clips or more: mean {speakers['mean']:.1%}; the "
            f"worst tenth {speakers['worst_mean']:.1%}. A worst tenth is picked by its result: were all speakers "
            f"alike, it would still be at {speakers['by_chance']:.1%}."
        ),
        "",
        "| worst speakers | clips | right |",
        "|---|---|---|",
        *(f"| {s} | {shares[s]['clips']} | {shares[s]['right']:.0%} |" for s in speakers["worst"]),
        "",
        "![speakers](speakers.png)",
    ]


def _speech_lines(speech: Mapping[str, Any]) -> list[str]:
    out = [
        f"speech without keywords: {speech['hours']:.2f} h, {speech['speakers']} speakers, {speech['windows']} windows"
    ]
    out += [f"any keyword above {limit}: {_above(found)}" for limit, found in speech["above"].items()]
    return out


def _above(found: Mapping[str, Any]) -> str:
    low, high = (10_000 * x for x in found["limits"])
    words = ", ".join(f"{k} {n}" for k, n in sorted(found["keywords"].items(), key=lambda p: -p[1]) if n)
    return (
        f"{found['windows']} windows, {10_000 * found['share']:.1f} in 10,000 ({low:.1f} to {high:.1f}); "
        f"{found['places']} places" + (f" ({words})" if words else "")
    )


def _speech_markdown(speech: Mapping[str, Any]) -> list[str]:
    keywords: Sequence[str] = list(next(iter(speech["above"].values()))["keywords"])
    return [
        (
            f"{speech['recordings']} recordings of {speech['speakers']} speakers who were not trained on, "
            f"{speech['hours']:.2f} hours, {speech['windows']} windows. Limits by drawing the speakers anew."
        ),
        "",
        "| score above | windows | in 10,000 | limits | places | places an hour | limits | "
        + " | ".join(keywords)
        + " |",
        "|---" * (7 + len(keywords)) + "|",
        *(
            f"| {limit} | {f['windows']} | {1e4 * f['share']:.1f} | {1e4 * f['limits'][0]:.1f}-"
            f"{1e4 * f['limits'][1]:.1f} | {f['places']} | {_rate(f['places_per_hour'])} | "
            + "-".join(_rate(x) for x in f["places_per_hour_limits"] or ())
            + " | "
            + " | ".join(str(n) for n in f["keywords"].values())
            + " |"
            for limit, f in speech["above"].items()
        ),
        "",
        "| worst recordings | keyword | score | at |",
        "|---|---|---|---|",
        *(f"| {w['file']} | {w['keyword']} | {w['score']:.2f} | {w['seconds']} s |" for w in speech["worst"]),
    ]


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
