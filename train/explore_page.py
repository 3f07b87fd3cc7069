"""The page of an exploration: tables, pictures, and every recording that is shown can be played."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from train.explore import Clip, Survey, remarks
from train.explore_pictures import outline, thumbnail

Show = Callable[[Clip], "tuple[str, Any]"]
"""Gives a clip's audio file, as the page names it, and its samples."""

_STYLE: Final = Path(__file__).with_name("explore.css")
_LISTS: Final = (
    (
        "suspicious",
        "The model hears something else",
        "Greatest loss first: wrong labels, cut words, words said as few say them. Listen before you believe either.",
    ),
    ("two-words", "The same sound under more than one word", "At least one of the labels is wrong."),
    ("twice", "The same sound more than once", "Harmless, unless the copies lie on both sides of the split."),
    ("silent", "Nearly silent", "The loudest 20 ms are under -50 dBFS: there is hardly a word left to hear."),
    ("buried", "Nothing stands out", "The loudest 20 ms are less than 6 dB above the recording's own noise."),
    ("clipped", "Clipped", "Louder than what recorded them could take: flat tops where there was a wave."),
    ("long", "Longer than 3 s", "The loudest sound in them is taken for the word; cut them where it is not."),
)


def page(
    name: str, found: Survey, per_word: Sequence[Clip], grid: Sequence[Clip], show: Show, *, most: int, made_by: str
) -> str:
    """Write the page as HTML.

    Parameters
    ----------
    name : str
        Of the data.
    per_word, grid : sequence of Clip
        The recordings of the pictures words.png, and waveforms.png; the first of `grid` is that of spectrogram.png.
    show : function
        Puts a recording's audio beside the page.
    most : int
        Recordings shown in each list.
    made_by : str
        The command, versions and time, for the last line.
    """
    body = [
        _head(name, found),
        _remarks(found),
        _words(found),
        "<h2>Listen and look</h2><p>One recording of each word, drawn at random: waveform, log-mel spectrogram.</p>",
        f"<div class=cards>{''.join(_card(c, show, c.row.word) for c in per_word)}</div>",
        _pictures(grid, show),
        *(_list(section, title, text, found, show, most) for section, title, text in _LISTS),
        _unusable(found.unusable),
        _formats(found),
        f"<footer>{escape(made_by)}</footer>",
    ]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{escape(name)}</title><style>{_STYLE.read_text('utf-8')}</style><main>{''.join(body)}</main></html>\n"
    )


def _head(name: str, found: Survey) -> str:
    clips = found.clips
    seconds = sum(c.facts.seconds for c in clips)
    numbers = (
        (f"{len(clips):,}", "recordings"),
        (f"{len(found.per_word):,}", "words"),
        (
            f"{len({c.row.speaker for c in clips}):,}",
            "speakers" if not found.splitting.warning else "speakers, as far as names tell",
        ),
        (f"{seconds / 3_600:.1f}", "hours") if seconds >= 3_600 else (f"{seconds / 60:.1f}", "minutes"),
    )
    sides = [(side, sum(c.row.split == side for c in clips)) for side in ("training", "validation", "testing")]
    shares = "".join(
        f"<span class={side} style='flex:{count}' title='{count:,} {side}'></span>" for side, count in sides if count
    )
    legend = " · ".join(f"<i class={side}></i> {side} {count:,}" for side, count in sides if count)
    tiles = "".join(f"<div class=tile><b>{number}</b>{escape(what)}</div>" for number, what in numbers)
    return (
        f"<h1>{escape(name)}</h1><div class=tiles>{tiles}</div>"
        f"<div class=sides>{shares}</div><p class=legend>{legend}</p>"
    )


def _remarks(found: Survey) -> str:
    told = remarks(found)
    if not told:
        return "<p class=good>Nothing stands out: every file can be read, and no word lacks recordings.</p>"
    lines = "".join(f"<li><a href='#{section}'>{escape(sentence)}</a></li>" for section, sentence in told)
    return f"<h2>What to look at</h2><ul class=remarks id=split>{lines}</ul>"


def _words(found: Survey) -> str:
    rows = []
    most = max((f["recordings"] for f in found.per_word.values()), default=1)
    heard = any("heard_right" in f for f in found.per_word.values())
    sides = [side for side in ("training", "validation", "testing") if any(f[side] for f in found.per_word.values())]
    for word, f in found.per_word.items():
        cells = [
            f"<td class=word>{escape(word)}",
            f"<td class=bar><span style='width:{100 * f['recordings'] / most:.1f}%'></span><b>{f['recordings']:,}</b>",
            *(f"<td>{f[side]:,}" for side in sides),
            f"<td>{f['speakers']:,}",
            f"<td>{f['seconds_shortest']:.2f} / {f['seconds_median']:.2f} / {f['seconds_longest']:.2f}",
            f"<td>{f['loudest_dbfs_median']:.0f}",
            *(f"<td class={'some' if f[what] else 'none'}>{f[what]:,}" for what in ("silent", "clipped", "copies")),
        ]
        if heard:
            cells.append(f"<td>{f.get('heard_right', 0) / f['recordings']:.1%}")
        rows.append(f"<tr>{''.join(cells)}")
    titles = (
        *("word", "recordings", *sides, "speakers", "seconds: least / median / most", "level, dBFS"),
        *("silent", "clipped", "copies", *(["heard right"] if heard else [])),
    )
    return f"<h2 id=words>Words</h2>{_table(titles, rows)}"


def _pictures(grid: Sequence[Clip], show: Show) -> str:
    players = "".join(
        f"<figure><figcaption>{escape(c.row.word)}</figcaption>{_player(show(c)[0])}</figure>" for c in grid
    )
    first = f"<p>{_player(show(grid[0])[0])}</p>" if grid else ""
    return (
        "<h2>Waveforms</h2><img class=wide src=waveforms.png alt='waveforms with their labels'>"
        f"<div class=players>{players}</div>"
        "<h2>From samples to a spectrogram</h2><p>A short-time Fourier transform turns the waveform into frequencies"
        " over time. TensorFlow's tutorial gives its magnitudes to a network that sees pictures; here they are gathered"
        " in 40 mel bands, as the ear does, and their logarithm is taken: a quarter of the numbers, and a loud voice"
        f" differs from a soft one by little more than a constant.</p>{first}"
        "<img class=wide src=spectrogram.png alt='waveform above spectrograms'>"
        "<h2>One spectrogram per word</h2><img class=wide src=words.png alt='one spectrogram per word'>"
        "<h2>Counts, lengths, levels</h2><img class=wide src=histograms.png alt='histograms'>"
    )


def _list(section: str, title: str, text: str, found: Survey, show: Show, most: int) -> str:
    entries: Sequence[Any] = getattr(found, section.replace("-", "_"))
    if not entries:
        return ""
    if section in ("twice", "two-words"):
        cards = "".join(
            f"<div class=group>{''.join(_card(c, show, c.name) for c in group[:6])}</div>" for group in entries[:most]
        )
    else:
        cards = "".join(_card(c, show, c.name) for c in entries[:most])
    shown = f" The first {most} of {len(entries):,}; all are in clips.tsv." if len(entries) > most else ""
    heading = f"<h2 id={section}>{title} <small>{len(entries):,}</small></h2>"
    return f"{heading}<p>{text}{shown}</p><div class=cards>{cards}</div>"


def _card(clip: Clip, show: Show, title: str) -> str:
    source, samples = show(clip)
    facts, heard = clip.facts, clip.heard
    picture = base64.b64encode(thumbnail(samples)).decode()
    said = f"{facts.seconds:.2f} s, peak {round(facts.peak_dbfs)} dBFS, {facts.stands_out_db:.0f} dB above its noise"
    mark = ""
    if heard is not None:
        kind = "bad" if heard.wrong else "fine"
        mark = f"<em class={kind}>heard: {escape(heard.label)} {heard.score:.2f}, loss {heard.loss:.1f}</em>"
    return (
        f"<figure class=card><figcaption title='{escape(clip.name, quote=True)}'>{escape(title)}</figcaption>"
        f"{_outline(samples)}<img src='data:image/png;base64,{picture}' alt=spectrogram>"
        f"{_player(source)}<small>{said}</small>{mark}</figure>"
    )


def _outline(samples: Any) -> str:
    points = outline(samples)
    upper = [f"{x},{20 - 19 * high:.1f}" for x, (_, high) in enumerate(points)]
    lower = [f"{x},{20 - 19 * low:.1f}" for x, (low, _) in reversed(list(enumerate(points)))]
    width = max(1, len(points) - 1)
    return f"<svg viewBox='0 0 {width} 40' preserveAspectRatio=none><polygon points='{' '.join(upper + lower)}'/></svg>"


def _player(source: str) -> str:
    return f"<audio controls preload=none src='{escape(source, quote=True)}'></audio>"


def _unusable(clips: Sequence[Clip]) -> str:
    if not clips:
        return ""
    rows = (f"<tr><td class=word>{escape(c.name)}<td class=text>{escape(c.facts.trouble)}" for c in clips)
    return f"<h2 id=unusable>Cannot be used <small>{len(clips):,}</small></h2>{_table(('file', 'why'), rows)}"


def _formats(found: Survey) -> str:
    def counted(values: Iterable[Any]) -> Mapping[Any, int]:
        every = list(values)
        return {v: every.count(v) for v in sorted(set(every))}

    rates = (
        f"<tr><td class=word>{r} Hz<td>{n:,}" for r, n in counted(c.facts.sample_rate for c in found.clips).items()
    )
    channels = (f"<tr><td class=word>{r}<td>{n:,}" for r, n in counted(c.facts.channels for c in found.clips).items())
    kinds = counted(c.row.path.suffix.lower() for c in found.clips)
    suffixes = (f"<tr><td class=word>{escape(r)}<td>{n:,}" for r, n in kinds.items())
    tables = (
        _table((title, "recordings"), rows)
        for title, rows in (("sample rate", rates), ("channels", channels), ("format", suffixes))
    )
    return f"<h2 id=formats>Formats</h2><div class=side-by-side>{''.join(tables)}</div>"


def _table(titles: Sequence[str], rows: Iterable[str]) -> str:
    heads = "".join(f"<th{' class=text' if t == 'why' else ''}>{escape(t)}" for t in titles)
    return f"<div class=scroll><table><thead><tr>{heads}<tbody>{''.join(rows)}</table></div>"
