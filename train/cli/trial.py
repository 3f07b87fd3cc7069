"""Try how few recordings of a phrase do: fit to some of them, listen to the rest and to hours of speech.

DATA holds one folder of recordings per phrase. Of each, as many as named are drawn and fitted to; the others are
played to the listener, as they are and in noise at 10 dB, and so is the speech of people whom neither the fit nor the
bank of background has heard. The threshold is the one that the fit sets by itself.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotter.errors import BadInputError
from train.cli.one_thread import one_blas_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from train.own.trial import Said, Trial

EXAMPLE = """example:
  python -m train trial data/phrases --speech data/speech --noise data/noise --counts 10 30 100"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the step takes."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with one folder of recordings per phrase")
    parser.add_argument("--phrases", nargs="+", help="which of them (default: all)")
    parser.add_argument("--counts", type=int, nargs="+", default=[10, 30, 100], help="recordings to fit to (10 30 100)")
    parser.add_argument("--draws", type=int, default=1, help="how often to draw them (1)")
    parser.add_argument("--speech", type=Path, required=True, help="running speech: SPEAKER/NAME files")
    parser.add_argument("--noise", type=Path, nargs="+", required=True, help="folders of noise and music")
    parser.add_argument("--backbone", default="auto", help="frozen embedding (default: the best there is)")
    parser.add_argument("--background", type=Path, help="bank of background (default: the one that comes along)")
    parser.add_argument("--target-fa", type=float, default=0.5, help="false accepts an hour that the fit aims at (0.5)")
    parser.add_argument(
        "--say", type=Path, metavar="DIR", help="also fit from text alone, to voices that speak into DIR"
    )
    parser.add_argument("--voices", type=Path, help="folder of further voices for --say")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="file to write the figures into, JSON")


def run(args: argparse.Namespace) -> int:
    """Fit and listen, phrase by phrase."""
    one_blas_thread()
    import numpy as np

    from spotter.backbone import open_backbone
    from train.bank import read
    from train.data import noise_rows, speech_rows
    from train.distill_material import tracks
    from train.own.bank import read_bank
    from train.own.recordings import own_recordings, word_folders
    from train.own.shipped import bank_of
    from train.own.trial import trial
    from train.written import typed, write_json

    phrases = args.phrases or word_folders(args.data)
    recordings = own_recordings(args.data, phrases).words
    backbone = open_backbone(args.backbone)
    bank = read_bank(args.background or bank_of(backbone.name), backbone=backbone.name, sha256=backbone.sha256)
    words = sorted({part for phrase in phrases for part in phrase.split("_")})
    unheard = [row for row in speech_rows(args.speech, words) if row.split == "validation"]
    sounds = [row for row in noise_rows(args.noise) if row.split == "validation"]
    if not unheard or not sounds:
        raise BadInputError("no speech or no noise is on the validation side of the split; give more of it")
    speech = list(tracks((read(row.path) for row in unheard), np.random.default_rng(args.seed)))
    noise = [read(row.path) for row in sounds]
    done: list[Trial] = []
    print(f"{len({row.speaker for row in unheard})} people unheard, {sum(map(len, speech)) / 5.76e7:.2f} h of speech")
    print("| phrase | recordings | missed | missed at 10 dB | false accepts an hour | expected by the fit | fit took |")
    print("|---|---|---|---|---|---|---|")
    for phrase in phrases:
        for count in args.counts:
            if len(recordings[phrase]) < count + 10:
                continue
            for draw in range(args.draws):
                done.append(
                    trial(
                        phrase,
                        recordings[phrase],
                        count,
                        backbone,
                        bank,
                        background=[*speech, *noise],
                        noise=noise,
                        target_fa_per_hour=args.target_fa,
                        seed=args.seed + draw,
                    )
                )
                print(_line(done[-1]), flush=True)
    for phrase in phrases if args.say else ():
        done.append(
            trial(
                phrase,
                recordings[phrase],
                0,
                backbone,
                bank,
                background=[*speech, *noise],
                noise=noise,
                target_fa_per_hour=args.target_fa,
                seed=args.seed,
                said=_said(args, phrase),
            )
        )
        print(_line(done[-1]), flush=True)
    for phrase in [*(phrases if args.draws > 1 else ()), "all"]:
        _print_sums(done, phrase)
    if args.out:
        values: dict[str, Any] = {
            "command": typed(),
            "backbone": backbone.name,
            "trials": [dataclasses.asdict(t) for t in done],
        }
        write_json(args.out, values)
    return 0


def _said(args: argparse.Namespace, phrase: str) -> Said:
    """Let voices say a phrase, and what is near it."""
    from train.own.recordings import background, own_recordings
    from train.own.trial import Said
    from train.say.make import say_for_fit

    data = args.say / phrase
    words = say_for_fit([phrase.replace("_", " ")], data, voices=args.voices, seed=args.seed)
    return Said(own_recordings(data, words).words, background(data, [], from_text=True))


def _print_sums(done: Sequence[Trial], phrase: str) -> None:
    """A line for each number of recordings of a phrase, or of all."""
    its = [t for t in done if phrase in (t.phrase, "all")]
    for count in dict.fromkeys(t.recordings for t in its):
        print(_line(_sum([t for t in its if t.recordings == count], phrase, count)))


def _sum(trials: Sequence[Trial], phrase: str, count: int) -> Trial:
    from train.own.trial import Trial

    return Trial(
        phrase=phrase,
        recordings=count,
        heard=sum(t.heard for t in trials),
        missed=sum(t.missed for t in trials),
        missed_in_noise=sum(t.missed_in_noise for t in trials),
        false_accepts=sum(t.false_accepts for t in trials),
        hours=sum(t.hours for t in trials),
        promised_per_hour=sum(t.promised_per_hour for t in trials) / len(trials),
        seconds=sum(t.seconds for t in trials) / len(trials),
    )


def _line(t: Trial) -> str:
    from train.metrics import rate_limits, share_limits

    def share(missed: int) -> str:
        low, high = share_limits(missed, t.heard)
        return f"{missed / max(1, t.heard):.1%} ({low:.1%}-{high:.1%}) of {t.heard}"

    low, high = rate_limits(t.false_accepts, t.hours)
    rate = f"{t.false_accepts / t.hours:.2f} ({low:.2f}-{high:.2f})" if t.false_accepts else f"0 (< {high:.2f})"
    given = t.recordings or "text alone"
    return (
        f"| {t.phrase} | {given} | {share(t.missed)} | {share(t.missed_in_noise)} | {rate} in {t.hours:.1f} h "
        f"| {t.promised_per_hour:.2f} | {t.seconds:.0f} s |"
    )
