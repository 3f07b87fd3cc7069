"""`evaluate-stream MODEL DATA --speech --noise`: streams mixed in memory, one line per threshold.

Keywords and other words, one every 2 to 6 s, in a quiet room and in noise at 10 and 0 dB; hours of
running speech without keywords; noise alone. The manifest's own settings come first.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from spotter.errors import BadInputError

if TYPE_CHECKING:
    from spotter.arrays import Floats
    from spotter.model import Model
    from spotter.settings import DecoderConfig
    from train.evaluate import Scored
    from train.streams import Stream

_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
_SNRS_DB = (None, 10.0, 0.0)


def run_mixed(args: argparse.Namespace, model: Model, base: DecoderConfig, data: Path) -> int:
    """Mix, score once, decode with several thresholds, print."""
    import numpy as np

    from spotter.pipeline import hop_for
    from train.cached import scored
    from train.data import noise_rows, speech_rows, word_rows
    from train.progress import track
    from train.streams import draw_words, speech, words_in_noise

    if args.speech is None or not args.noise:
        raise BadInputError(f"{data} holds folders of words; give --speech and --noise too, or recordings with truth")

    def score(model: Model, samples: Floats) -> Scored:
        return scored(model, samples, hop_ms=args.hop, cache=args.cache)

    hop = hop_for(model, args.hop)
    rng = np.random.default_rng(args.seed)
    noise = [r for r in noise_rows(args.noise) if r.split == "validation"]
    words = [r for r in word_rows(data) if r.split == "validation"]
    said = {}
    for snr in _SNRS_DB:
        chosen = draw_words(words, model.keywords, args.per_word, rng)
        stream = words_in_noise(chosen, noise, rng, snr_db=snr)
        said["quiet" if snr is None else f"{snr:.0f} dB"] = [(stream, score(model, stream.samples))]
    rows = [r for r in speech_rows(args.speech, model.keywords) if r.split == "validation"]
    groups = {
        "English": [r for r in rows if not r.speaker.startswith("cv-")],
        "other languages": [r for r in rows if r.speaker.startswith("cv-")],
    }
    spoken = {
        name: [(s, score(model, s.samples)) for s in track(list(speech(part)), total=len(part), what=name)]
        for name, part in groups.items()
        if part
    }
    print(_heading(said, spoken))
    print(_row("manifest", model, base, hop, said, spoken))
    for threshold in _THRESHOLDS:
        config = dataclasses.replace(base, threshold=threshold, thresholds={})
        print(_row(f"{threshold:g}", model, config, hop, said, spoken))
    return 0


_Streams: TypeAlias = Mapping[str, "Sequence[tuple[Stream, Scored]]"]


def _heading(said: _Streams, spoken: _Streams) -> str:
    hours = {k: sum(s.seconds for s, _ in v) / 3_600 for k, v in spoken.items()}
    cells = [f"found {k}" for k in said] + [f"false/h {k} ({h:.2f} h)" for k, h in hours.items()]
    return (
        "| threshold | "
        + " | ".join(cells)
        + " | others taken | false in noise | duplicates | delay median, 95% |\n|"
        + "---|" * (len(cells) + 5)
    )


def _row(name: str, model: Model, config: DecoderConfig, hop: int, said: _Streams, spoken: _Streams) -> str:
    import numpy as np

    from train.evaluate import judge
    from train.metrics import rate_limits, share_limits

    cells, delays, duplicates, taken, stray = [], [], 0, 0, 0
    for streams in said.values():
        m = judge(model, streams, config, hop)
        total = len(m.found) + len(m.missed)
        low, high = share_limits(len(m.found), total)
        cells.append(f"{len(m.found) / total:.1%} ({low:.0%}-{high:.0%})")
        delays.extend(m.delays.tolist())
        duplicates += len(m.duplicates)
        near = [any(w.start - 0.2 < d.time < w.end + 1.0 for s, _ in streams for w in s.words) for d in m.false]
        taken += sum(near)
        stray += len(near) - sum(near)
    for streams in spoken.values():
        count = len(judge(model, streams, config, hop).false)
        hours = sum(s.seconds for s, _ in streams) / 3_600
        low, high = rate_limits(count, hours)
        cells.append(f"{count / hours:.1f} ({low:.1f}-{high:.1f})" if count else f"0 (< {high:.1f})")
    delay = f"{np.median(delays):.2f}, {np.percentile(delays, 95):.2f} s" if delays else "-"
    return f"| {name} | " + " | ".join(cells) + f" | {taken} | {stray} | {duplicates} | {delay} |"
